"""Caches that are bounded by memory.

What they contain comes from users' objects, so its number and size are not ours to choose.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

CacheKey = TypeVar("CacheKey", bound=Hashable)
Cached = TypeVar("Cached")
Result = TypeVar("Result")
Owner = tuple[str, str]
"""The namespace and name of a ModelDeployment."""

_MISSING = object()


class BoundedCache(Generic[CacheKey, Cached]):
    """Maps keys to values; those that were used least recently are dropped first."""

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache for values of at most *max_bytes* in total."""
        self._max_bytes = max_bytes
        self._values: OrderedDict[CacheKey, tuple[Cached, int]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """The size of all values, in bytes."""
        return self._size

    def get(self, key: CacheKey) -> Cached | None:
        """Return a value, which counts as used now, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: CacheKey, value: Cached, size: int) -> None:
        """Cache a value of *size* bytes, and drop others if there is no room for it."""
        self.pop(key)
        self._values[key] = value, size
        self._size += size
        while self._size > self._max_bytes:
            self.pop(next(iter(self._values)))

    def pop(self, key: CacheKey) -> Cached | None:
        """Drop a value and return it, or None."""
        value, size = self._values.pop(key, (None, 0))
        self._size -= size
        return value


@dataclass(slots=True)
class _Results:
    version: Hashable
    size: int
    by_question: dict[Hashable, Any] = field(default_factory=dict)
    used: set[Hashable] = field(default_factory=set)
    """The questions that were asked since the last sweep."""
    is_new: bool = False
    """Whether there is a result that the last sweep has not measured."""


class OwnerCache:
    """Caches results by owner: a changed owner loses all of them, so that edits add nothing."""

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache whose keys and results take at most about *max_bytes*."""
        self._owners: BoundedCache[Owner, _Results] = BoundedCache(max_bytes)

    @property
    def size(self) -> int:
        """The estimated memory of all results and their keys, in bytes."""
        return self._owners.size

    def get(
        self, owner: Owner, version: Hashable, question: Hashable, compute: Callable[[], Result]
    ) -> Result:
        """Return the result of *question*; compute it if it is not cached.

        Args:
            owner: The owner.
            version: Everything of the owner that its results depend on.
            question: What is computed, with the other arguments.
            compute: Computes the result, which must not be modified.
        """
        results = self._owners.get(owner)
        if results is None or results.version != version:
            results = _Results(version, memory_of(version))
        results.used.add(question)
        cached = results.by_question.get(question, _MISSING)
        if cached is not _MISSING:
            return cast("Result", cached)
        result = compute()
        results.by_question[question] = result
        results.size += memory_of((question, result))
        results.is_new = True
        self._owners.put(owner, results, results.size)
        return result

    def sweep(self, owner: Owner) -> None:
        """Drop the owner's results that were not asked for since its last sweep.

        What the others share is counted once from then on.
        """
        results = self._owners.get(owner)
        if results is None:
            return
        unused = results.by_question.keys() - results.used
        for question in unused:
            del results.by_question[question]
        results.used.clear()
        if unused or results.is_new:
            results.is_new = False
            results.size = memory_of((results.version, results.by_question))
            self._owners.put(owner, results, results.size)

    def forget(self, owner: Owner) -> None:
        """Drop the results of an owner that is gone."""
        self._owners.pop(owner)


def memory_of(value: Any) -> int:
    """Estimate the memory of a value and everything in it, in bytes.

    What two parts share is counted once.

    >>> 1000 < memory_of(["x" * 1000] * 2) < 2000
    True
    """
    size, open_values, counted = 0, [value], set[int]()
    while open_values:
        current = open_values.pop()
        if id(current) in counted:
            continue
        counted.add(id(current))
        kind = type(current)
        size += sys.getsizeof(current)
        if kind is str or kind is int:
            continue  # most values are one of these, and have no parts
        if kind is dict:
            open_values.extend(current)
            open_values.extend(current.values())
        elif isinstance(current, list | tuple | set | frozenset):
            open_values.extend(current)
        elif is_dataclass(current):
            open_values.extend(getattr(current, part.name) for part in fields(current))
    return size
