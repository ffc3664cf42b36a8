"""A cache of results by owner, bounded by memory.

Owners are users' objects, so their number and size are not ours to choose. Results of one owner
share its version: a changed owner loses all of them, so that edits add nothing.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast

Result = TypeVar("Result")
Owner = tuple[str, str]
"""The namespace and name of a ModelDeployment."""

_MISSING = object()


@dataclass(slots=True)
class _Results:
    version: Hashable
    size: int = 0
    by_question: dict[Hashable, Any] = field(default_factory=dict)


class OwnerCache:
    """Caches results; those of the owners that were used least recently are dropped first."""

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache whose keys and results take at most about *max_bytes*."""
        self._max_bytes = max_bytes
        self._owners: OrderedDict[Owner, _Results] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """The estimated memory of all results and their keys, in bytes."""
        return self._size

    def get(
        self, owner: Owner, version: Hashable, question: Hashable, compute: Callable[[], Result]
    ) -> Result:
        """Return the result of *question*; compute it if it is not cached.

        Args:
            owner: The owner.
            version: Everything of the owner that its results depend on.
            question: What is computed, with the other arguments.
            compute: Computes the result, which nobody may modify.
        """
        results = self._results_of(owner, version)
        cached = results.by_question.get(question, _MISSING)
        if cached is not _MISSING:
            return cast("Result", cached)
        result = compute()
        size = memory_of((question, result))
        results.by_question[question] = result
        results.size += size
        self._size += size
        self._shrink()
        return result

    def forget(self, owner: Owner) -> None:
        """Drop the results of an owner that is gone."""
        if results := self._owners.pop(owner, None):
            self._size -= results.size

    def _results_of(self, owner: Owner, version: Hashable) -> _Results:
        results = self._owners.get(owner)
        if results is None or results.version != version:
            self.forget(owner)
            results = _Results(version, memory_of(version))
            self._size += results.size
            self._owners[owner] = results
        self._owners.move_to_end(owner)
        return results

    def _shrink(self) -> None:
        while self._size > self._max_bytes and self._owners:
            self.forget(next(iter(self._owners)))


def memory_of(value: Any) -> int:
    """Estimate the memory of a value and everything in it, in bytes.

    What two parts share is counted twice.

    >>> memory_of("x" * 1000) > 1000
    True
    """
    size, open_values = 0, [value]
    while open_values:
        current = open_values.pop()
        size += sys.getsizeof(current)
        open_values.extend(_parts(current))
    return size


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if is_dataclass(value):
        return tuple(getattr(value, part.name) for part in fields(value))
    return ()
