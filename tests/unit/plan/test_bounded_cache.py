"""The cache of results by owner."""

import pytest

from halimede.plan.bounded_cache import OwnerCache, memory_of

ONE, OTHER = ("ml", "one"), ("ml", "other")


class Computation:
    """Returns a text of a size, and counts its calls."""

    def __init__(self, size: int = 10) -> None:
        """Return texts of *size* characters."""
        self.calls = 0
        self._size = size

    def __call__(self) -> str:
        """Return the text."""
        self.calls += 1
        return "x" * self._size


def test_a_result_is_computed_once() -> None:
    """Given the same owner, version and question, the result is the cached one."""
    cache, compute = OwnerCache(10_000), Computation()
    assert cache.get(ONE, 1, "q", compute) is cache.get(ONE, 1, "q", compute)
    assert compute.calls == 1


@pytest.mark.parametrize(
    ("owner", "version", "question"),
    [(OTHER, 1, "q"), (ONE, 2, "q"), (ONE, 1, "another")],
)
def test_a_difference_is_computed_again(
    owner: tuple[str, str], version: int, question: str
) -> None:
    """Given another owner, version or question, there is another result."""
    cache, compute = OwnerCache(10_000), Computation()
    cache.get(ONE, 1, "q", compute)
    cache.get(owner, version, question, compute)
    assert compute.calls == 2


def test_a_new_version_replaces_the_old_one() -> None:
    """Given a changed owner, only its new results take memory."""
    cache = OwnerCache(10_000)
    cache.get(ONE, 1, "q", Computation(1000))
    before = cache.size
    cache.get(ONE, 2, "q", Computation(1000))
    assert cache.size == before


def test_the_owner_used_least_recently_is_dropped() -> None:
    """Given too little memory for three, the one that was used last is kept."""
    cache, kept, dropped = OwnerCache(6000), Computation(2000), Computation(2000)
    cache.get(ONE, 1, "q", kept)
    cache.get(OTHER, 1, "q", dropped)
    cache.get(ONE, 1, "q", kept)
    cache.get(("ml", "third"), 1, "q", Computation(2000))
    cache.get(ONE, 1, "q", kept)
    cache.get(OTHER, 1, "q", dropped)
    assert (kept.calls, dropped.calls) == (1, 2)


def test_a_result_over_the_limit_is_returned_but_not_cached() -> None:
    """Given a result that alone exceeds the limit, it is computed every time."""
    cache, compute = OwnerCache(1000), Computation(5000)
    assert cache.get(ONE, 1, "q", compute) == cache.get(ONE, 1, "q", compute)
    assert (compute.calls, cache.size) == (2, 0)


def test_nothing_is_left_of_a_forgotten_owner() -> None:
    """Given an owner that is gone, its memory is free; an unknown one changes nothing."""
    cache = OwnerCache(10_000)
    cache.get(ONE, 1, "q", Computation())
    cache.forget(ONE)
    cache.forget(OTHER)
    assert cache.size == 0


def test_a_sweep_drops_what_was_not_asked_for_again() -> None:
    """Given two results of which only one was used since the last sweep, the other is dropped."""
    cache, kept, dropped = OwnerCache(10_000), Computation(), Computation()
    cache.get(ONE, 1, "kept", kept)
    cache.get(ONE, 1, "dropped", dropped)
    for _ in range(2):
        cache.sweep(ONE)
        cache.get(ONE, 1, "kept", kept)
    cache.get(ONE, 1, "dropped", dropped)
    assert (kept.calls, dropped.calls) == (1, 2)
    cache.sweep(OTHER)


def test_a_sweep_counts_what_results_share_once() -> None:
    """Given two results that contain the same text, they take its memory once."""
    cache, text = OwnerCache(10_000), "x" * 3000
    for question in ("one", "other"):
        cache.get(ONE, 1, question, lambda: [text])
    assert cache.size > 6000
    cache.sweep(ONE)
    assert 3000 < cache.size < 5000


def test_memory_counts_everything_inside() -> None:
    """Many small entries take far more memory than their text."""
    entries = [{"name": f"E{number}", "value": "x"} for number in range(1000)]
    assert memory_of(entries) > 200 * 1000
