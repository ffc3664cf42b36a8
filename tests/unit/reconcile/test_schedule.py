"""The order in which waiting keys are processed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.adapters.store import Key
from halimede.plan.priority import Priority
from halimede.reconcile.schedule import LOWER_EVERY, Schedule

WORKERS = 10


def drain(schedule: Schedule) -> list[Key]:
    """Take all keys, one after the other."""
    taken = []
    while (key := schedule.take()) is not None:
        taken.append(key)
        schedule.done(key, Priority.BACKGROUND)
    return taken


def test_a_higher_priority_comes_first() -> None:
    """Given a key of each priority, the order is theirs, whichever was added first."""
    schedule = Schedule(WORKERS)
    for priority in reversed(Priority):
        schedule.add(Key("ml", priority.name), priority)
    assert [key.name for key in drain(schedule)] == [priority.name for priority in Priority]


def test_namespaces_take_turns() -> None:
    """Given a namespace with many keys, another one waits for one of them at most."""
    schedule = Schedule(WORKERS)
    for number in range(3):
        schedule.add(Key("large", f"{number}"), Priority.SERVING)
    schedule.add(Key("small", "m"), Priority.SERVING)
    assert [key.namespace for key in drain(schedule)] == ["large", "small", "large", "large"]


def test_a_key_keeps_the_higher_priority() -> None:
    """Given a key that waits, adding it again may raise its priority and never lowers it."""
    schedule = Schedule(WORKERS)
    key, other = Key("ml", "m"), Key("ml", "other")
    schedule.add(other, Priority.ROLLOUT)
    schedule.add(key, Priority.BACKGROUND)
    schedule.add(key, Priority.TRAFFIC)
    schedule.add(key, Priority.SERVING)
    assert schedule.waiting[key] is Priority.TRAFFIC
    assert drain(schedule) == [key, other]


def test_a_key_that_is_processed_waits_for_its_end() -> None:
    """Given a key that is added while it is processed, it is taken afterwards."""
    schedule, key = Schedule(WORKERS), Key("ml", "m")
    schedule.add(key, Priority.SERVING)
    assert schedule.take() == key
    schedule.add(key, Priority.TRAFFIC)
    assert schedule.take() is None
    schedule.done(key, Priority.BACKGROUND)
    assert schedule.take() == key


def test_a_namespace_has_half_of_the_workers() -> None:
    """Given a namespace whose reconciles do not end, the others still have workers."""
    schedule = Schedule(WORKERS)
    for number in range(WORKERS):
        schedule.add(Key("stuck", f"{number}"), Priority.TRAFFIC)
    held = [schedule.take() for _ in range(WORKERS)]
    assert [key.namespace for key in held if key] == ["stuck"] * (WORKERS // 2)
    schedule.add(Key("other", "m"), Priority.BACKGROUND)
    assert schedule.take() == Key("other", "m")


def test_some_workers_are_kept_for_traffic() -> None:
    """Given reconciles of new objects that do not end, an urgent one has a worker."""
    schedule = Schedule(WORKERS)
    for number in range(WORKERS):
        schedule.add(Key(f"team-{number}", "m"), Priority.BACKGROUND)
    held = [schedule.take() for _ in range(WORKERS)]
    assert sum(key is not None for key in held) == WORKERS - WORKERS // 5
    schedule.add(Key("team-0", "bad"), Priority.TRAFFIC)
    assert schedule.take() == Key("team-0", "bad")


@pytest.mark.parametrize("lower", [Priority.SERVING, Priority.BACKGROUND])
def test_few_workers_are_for_others_while_there_is_a_rollout(lower: Priority) -> None:
    """Given a rollout that waits for its next step, few new objects are processed at a time."""
    schedule, rolled_out = Schedule(WORKERS), Key("ml", "m")
    schedule.add(rolled_out, Priority.TRAFFIC)
    assert schedule.take() == rolled_out
    schedule.done(rolled_out, Priority.ROLLOUT)
    for number in range(WORKERS):
        schedule.add(Key(f"team-{number % 3}", f"{number}"), lower)
    held = [key for _ in range(WORKERS) if (key := schedule.take())]
    assert [key.namespace for key in held] == ["team-0", "team-1"]
    schedule.add(rolled_out, Priority.ROLLOUT)
    assert schedule.take() == rolled_out
    schedule.done(rolled_out, Priority.SERVING)
    assert schedule.take() is not None


def test_no_priority_waits_for_ever() -> None:
    """Given keys that return at once, each lower priority still gets its share."""
    schedule = Schedule(WORKERS)
    for priority in Priority:
        schedule.add(Key("ml", priority.name), priority)
    taken = Counter[str]()
    for _ in range(LOWER_EVERY * 30):
        key = schedule.take()
        assert key is not None
        taken[key.name] += 1
        schedule.done(key, Priority.BACKGROUND)
        schedule.add(key, Priority[key.name])
    assert taken[Priority.TRAFFIC.name] == (LOWER_EVERY - 1) * 30
    assert {taken[priority.name] for priority in tuple(Priority)[1:]} == {10}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_few_workers_process_everything(workers: int) -> None:
    """Given any number of workers, keys of all priorities are processed."""
    schedule = Schedule(workers)
    for priority in Priority:
        schedule.add(Key("ml", priority.name), priority)
    assert len(drain(schedule)) == len(Priority)


@given(st.data())
def test_every_key_is_taken_once(data: st.DataObject) -> None:
    """Whatever is added, taken and ended in any order, nothing is lost or doubled."""
    schedule, waiting, held = Schedule(WORKERS), set[Key](), set[Key]()
    keys = st.builds(Key, st.sampled_from("abc"), st.sampled_from("xyz"))
    for _ in range(data.draw(st.integers(1, 60))):
        if data.draw(st.booleans()):
            key = data.draw(keys)
            schedule.add(key, data.draw(st.sampled_from(Priority)))
            waiting.add(key)
        elif held and data.draw(st.booleans()):
            ended = data.draw(st.sampled_from(sorted(held)))
            schedule.done(ended, Priority.BACKGROUND)
            held.remove(ended)
        elif (taken := schedule.take()) is not None:
            assert taken in waiting - held
            waiting.remove(taken)
            held.add(taken)
        assert schedule.waiting.keys() == waiting
    for key in held:
        schedule.done(key, Priority.BACKGROUND)
    assert sorted(drain(schedule)) == sorted(waiting)
