"""The order in which waiting keys are processed: by priority, and namespaces in turn.

Limits keep workers free. So a slow API server, or a namespace in which every write waits for an
admission webhook, does not delay the reconciles that take traffic back elsewhere. While a rollout
is under way, fewer workers reconcile what is not rolled out: the writes that take traffic back
would queue behind theirs in the API server.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from halimede.adapters.store import Key
from halimede.plan.priority import Priority

LOWER_EVERY = 4
"""Of so many keys, one has a lower priority, each of these in turn: keys that return again and
again do not keep the others waiting for ever."""
_LOWER = tuple(Priority)[1:]


class Schedule:
    """The keys that wait, and those that are being processed."""

    def __init__(self, workers: int) -> None:
        """Create an empty schedule for a number of workers.

        The priorities below the first one may have four fifths of them, and a namespace half.
        While there is a rollout, what is not rolled out may have a quarter, and a namespace a
        quarter of that.
        """
        self._workers = workers
        self._waiting: dict[Key, Priority] = {}
        self._turns: dict[Priority, OrderedDict[str, OrderedDict[Key, None]]] = {
            priority: OrderedDict() for priority in Priority
        }
        """By priority: the namespaces in the order of their turns, each with its keys."""
        self._processed: dict[Key, Priority] = {}
        self._busy: Counter[str] = Counter()
        """By namespace, how many of its keys are processed."""
        self._rollouts: set[Key] = set()
        """The keys with a rollout, whether they wait, are processed, or neither."""
        self._taken = 0

    @property
    def waiting(self) -> Mapping[Key, Priority]:
        """The keys that wait, and their priorities."""
        return MappingProxyType(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether no key is being processed."""
        return not self._processed

    def add(self, key: Key, priority: Priority) -> None:
        """Add a key; one that waits already keeps the higher of its priorities."""
        before = self._waiting.get(key)
        if before is not None:
            if before <= priority:
                return
            self._remove(key, before)
        self._waiting[key] = priority
        if priority <= Priority.ROLLOUT:
            self._rollouts.add(key)
        self._turns[priority].setdefault(key.namespace, OrderedDict())[key] = None

    def take(self) -> Key | None:
        """Remove and return the key to process next; None: none may be processed now."""
        if not self._waiting:
            return None
        for priority in self._order():
            limit, per_namespace = self._limits(priority)
            alike = min(priority, Priority.SERVING)
            if sum(one >= alike for one in self._processed.values()) >= limit:
                continue
            for namespace, keys in self._turns[priority].items():
                if self._busy[namespace] >= per_namespace:
                    continue
                key = next((one for one in keys if one not in self._processed), None)
                if key is not None:
                    self._start(key, priority)
                    return key
        return None

    def done(self, key: Key, priority: Priority) -> None:
        """Stop counting a key as being processed; it has *priority* now."""
        del self._processed[key]
        self._busy[key.namespace] -= 1
        if not self._busy[key.namespace]:
            del self._busy[key.namespace]
        if min(priority, self._waiting.get(key, priority)) > Priority.ROLLOUT:
            self._rollouts.discard(key)

    def _limits(self, priority: Priority) -> tuple[int, int]:
        """Return how many keys like these may be processed at a time, and how many of a namespace.

        Those of rollouts count together with all below them, and the others with one another.
        """
        if priority > Priority.ROLLOUT and self._rollouts:
            beside_rollouts = max(1, self._workers // 4)
            return beside_rollouts, max(1, beside_rollouts // 4)
        kept = 0 if priority is Priority.TRAFFIC else self._workers // 5
        return self._workers - kept, max(1, self._workers // 2)

    def _order(self) -> Iterator[Priority]:
        turn, remainder = divmod(self._taken, LOWER_EVERY)
        if remainder == LOWER_EVERY - 1:
            yield _LOWER[turn % len(_LOWER)]
        yield from Priority

    def _start(self, key: Key, priority: Priority) -> None:
        self._remove(key, priority)
        self._processed[key] = priority
        self._busy[key.namespace] += 1
        self._taken += 1
        if key.namespace in self._turns[priority]:
            self._turns[priority].move_to_end(key.namespace)

    def _remove(self, key: Key, priority: Priority) -> None:
        del self._waiting[key]
        namespaces = self._turns[priority]
        del namespaces[key.namespace][key]
        if not namespaces[key.namespace]:
            del namespaces[key.namespace]
