"""How often a ModelDeployment may be reconciled: one that comes back again and again has to wait.

Another client may undo each of our writes, or change an object many times a second. Each reconcile
would cause the next one, and all of them together would take the workers and the API server from
the other objects. So each key has an allowance. Reconciles after a change by others, and those
whose writes fail, spend it, with their writes. Time restores it.
"""

from collections import OrderedDict
from dataclasses import dataclass

from halimede.adapters.store import Key

BURST = 60.0
"""What a key may spend at once. The deployment of a model costs about 20, a whole rollout less
than 100, most of it spread over minutes."""
PER_SECOND = 0.5
"""What is restored each second."""
MAX_WAIT = 20.0
"""Longest wait in seconds."""


@dataclass(slots=True)
class _Spent:
    amount: float
    at: float
    slow: bool = False
    """Whether the key has had to wait, and has not been quiet since."""


class RateLimit:
    """What the keys have spent. The times are those of one clock, in seconds."""

    def __init__(self) -> None:
        """Create the state in which nothing is spent."""
        self._spent: OrderedDict[Key, _Spent] = OrderedDict()
        """By key, in the order in which they were last reconciled."""

    def __len__(self) -> int:
        """Return the number of keys that may have spent something."""
        return len(self._spent)

    def spend(self, key: Key, cost: float, now: float) -> bool:
        """Record the cost of a reconcile; return whether the key begins to be slow with it."""
        self._forget_old(now)
        before = self._spent.get(key)
        remaining = self._remaining(key, now)
        was_slow = before is not None and before.slow and remaining > BURST / 2
        amount = min(remaining + cost, BURST + MAX_WAIT * PER_SECOND)
        is_slow = was_slow or amount > BURST
        self._spent[key] = _Spent(amount, now, is_slow)
        self._spent.move_to_end(key)
        return is_slow and not was_slow

    def wait(self, key: Key, now: float) -> float:
        """Return the seconds until the key may be reconciled again."""
        return max(0.0, self._remaining(key, now) - BURST) / PER_SECOND

    def _remaining(self, key: Key, now: float) -> float:
        """Return what is spent and not restored yet."""
        spent = self._spent.get(key)
        return max(0.0, spent.amount - (now - spent.at) * PER_SECOND) if spent else 0.0

    def _forget_old(self, now: float) -> None:
        """Forget the keys for which everything is restored."""
        while self._spent:
            oldest = next(iter(self._spent))
            if self._remaining(oldest, now) > 0:
                return
            del self._spent[oldest]
