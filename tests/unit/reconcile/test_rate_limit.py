"""What one key may spend, so that it does not take the workers from the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.adapters.store import Key
from halimede.reconcile.rate_limit import BURST, MAX_WAIT, PER_SECOND, RateLimit

KEY, OTHER = Key("ml", "m"), Key("ml", "other")


def spend_all(limit: RateLimit, now: float = 0.0) -> None:
    """Spend what a key may spend at once."""
    for _ in range(int(BURST)):
        limit.spend(KEY, 1, now)


def test_what_is_reconciled_a_few_times_does_not_wait() -> None:
    """Given no more than the allowance, there is no wait; one reconcile more, and there is."""
    limit = RateLimit()
    spend_all(limit)
    assert limit.wait(KEY, 0.0) == 0.0
    limit.spend(KEY, 2, 0.0)
    assert limit.wait(KEY, 0.0) == pytest.approx(2 / PER_SECOND)
    assert limit.wait(OTHER, 0.0) == 0.0


def test_time_restores_the_allowance() -> None:
    """Given a key that is quiet for long enough, it may spend all again."""
    limit, later = RateLimit(), BURST / PER_SECOND
    spend_all(limit)
    spend_all(limit, later)
    assert limit.wait(KEY, later) == 0.0


def test_a_wait_is_limited() -> None:
    """Given a reconcile with very many writes, the wait is not longer than its maximum."""
    limit = RateLimit()
    limit.spend(KEY, 100 * BURST, 0.0)
    assert limit.wait(KEY, 0.0) == MAX_WAIT


def test_a_key_begins_to_be_slow_once() -> None:
    """Given a key that goes on, its beginning is reported once, and again after it was quiet."""
    limit = RateLimit()
    begins = [limit.spend(KEY, 1, now / 2) for now in range(1000)]
    assert begins.count(True) == 1
    assert not limit.spend(KEY, 1, 500.0)
    assert limit.spend(KEY, 2 * BURST, 1000.0)


def test_keys_that_are_quiet_are_forgotten() -> None:
    """Given many keys that have been reconciled once, the memory of them is released."""
    limit = RateLimit()
    for number in range(1000):
        limit.spend(Key("ml", f"{number}"), 1, float(number))
    assert len(limit) < 10


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(1, 50)), max_size=100))
def test_a_key_that_waits_spends_no_more_than_the_rate(spent: list[tuple[float, float]]) -> None:
    """Given any reconciles that wait as they have to, all that is spent is limited by the time."""
    limit, now, total = RateLimit(), 0.0, 0.0
    for idle, cost in spent:
        now += max(idle, limit.wait(KEY, now))
        limit.spend(KEY, min(cost, MAX_WAIT * PER_SECOND), now)
        total += min(cost, MAX_WAIT * PER_SECOND)
    assert total <= BURST + MAX_WAIT * PER_SECOND + now * PER_SECOND + 1e-6
