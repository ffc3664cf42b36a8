"""A full cluster: it aborts no rollout, and `Replace` makes room pod by pod."""

import pytest

from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.rollout import Canary, CapacityMode, Step
from halimede.api.status import State
from tests.support.rollouts import SETTINGS, MachineWorld, changed, unready

REPLACE = changed(SETTINGS, capacity_mode=CapacityMode.REPLACE)
HALVES = Canary(steps=(Step(weight=50, min_seconds=60),))


def asked(world: MachineWorld) -> int:
    """Return the number of desired pods of all revisions."""
    return sum(world.desired.values())


def share(world: MachineWorld) -> int:
    """Return the canary's weight in the live route."""
    return dict(world.route).get("v2", 0)


def watched(world: MachineWorld, state: State | None) -> list[tuple[int, int, int]]:
    """Run until *state*; return the ready pods of both revisions and the canary's weight."""
    seen = []
    for _ in range(400):
        world.step()
        assert asked(world) <= world.replicas + 1
        ready = [world.workload(name).ready_endpoints for name in ("v1", "v2")]
        seen.append((ready[0], ready[1], share(world)))
        if world.state is state:
            break
        world.now += 5
    assert world.state is state
    return list(dict.fromkeys(seen))


@pytest.mark.transition("no-capacity")
@pytest.mark.parametrize("cause", [NotReadyReason.UNSCHEDULABLE, NotReadyReason.QUOTA])
@pytest.mark.parametrize(
    ("mode", "reason"), [(CapacityMode.EXTRA, "CapacityHold"), (CapacityMode.WAIT, None)]
)
def test_lack_of_room_is_reported_and_aborts_nothing(
    cause: NotReadyReason, mode: CapacityMode, reason: str | None
) -> None:
    """`Extra` gives a remedy after the timeout; `Wait` only waits."""
    world = MachineWorld(settings=changed(SETTINGS, capacity_mode=mode)).serve().ask_for("v2")
    world.broken["v2"] = unready(cause)
    world.run(60)
    assert (world.last.wait and world.last.wait.reason) == cause
    world.run(100, seconds=600)
    assert world.state is State.STARTING
    assert (world.last.wait and world.last.wait.reason) == (reason or cause)
    world.broken.clear()
    world.until(None)
    assert share(world) == 100


@pytest.mark.transition("no-capacity", "pods-past-deadline")
def test_deadline_of_readiness_begins_when_there_is_room() -> None:
    """Time without room does not count for a model's progress deadline."""
    world = MachineWorld().serve().ask_for("v2")
    world.broken["v2"] = unready(NotReadyReason.UNSCHEDULABLE)
    world.run(60, seconds=600)
    world.broken["v2"] = unready(NotReadyReason.LOADING)
    world.step()
    world.now += SETTINGS.progress_deadline_seconds - 1
    world.step()
    assert world.state is State.STARTING
    world.now += 1
    world.step()
    assert world.state is None


@pytest.mark.transition("no-capacity", "resume-command")
def test_resume_restarts_the_capacity_timeout() -> None:
    """`resume` restarts the timeout of the wait for room."""
    world = MachineWorld().serve().ask_for("v2")
    world.broken["v2"] = unready(NotReadyReason.UNSCHEDULABLE)
    world.run(20, seconds=60)
    assert (world.last.wait and world.last.wait.reason) == "CapacityHold"
    world.command = "resume@1"
    world.run(2)
    assert (world.last.wait and world.last.wait.reason) == NotReadyReason.UNSCHEDULABLE


@pytest.mark.transition("no-capacity")
def test_replace_goes_through_a_full_cluster() -> None:
    """With no spare room the weight follows each replaced pod."""
    world = MachineWorld(replicas=4, room=4, settings=changed(REPLACE, canary=HALVES))
    world.serve().ask_for("v2")
    assert watched(world, None) == [
        (4, 0, 0),
        (3, 1, 0),
        (3, 1, 25),
        (2, 2, 25),
        (2, 2, 50),
        (1, 3, 50),
        (1, 3, 100),
        (0, 4, 100),
    ]
    assert world.status.warm_revisions == ()


@pytest.mark.transition("no-capacity")
@pytest.mark.parametrize("replicas", [2, 3, 7, 10, 25])
@pytest.mark.parametrize("more", [0, 1, 30])
def test_replace_never_asks_for_more_than_one_pod_more(replicas: int, more: int) -> None:
    """With any room the rollout ends, and at most one pod is missing at a time."""
    world = MachineWorld(replicas=replicas, room=replicas + more, settings=REPLACE)
    world.serve().ask_for("v2")
    seen = watched(world, State.DRAINING)
    assert min(old + new for old, new, _ in seen) >= replicas - 1
    world.until(None)
    assert (world.status.stable and world.status.stable.revision, asked(world)) == ("v2", replicas)


@pytest.mark.transition("no-capacity")
def test_replace_leaves_the_last_pod() -> None:
    """`Replace` keeps the last stable pod; only the strategy Recreate stops it."""
    world = MachineWorld(replicas=1, room=1, settings=REPLACE).serve().ask_for("v2")
    world.run(200)
    assert (world.state, world.desired) == (State.STARTING, {"v1": 1, "v2": 1})
    assert (world.last.wait and world.last.wait.reason) == "CapacityHold"


@pytest.mark.transition("no-capacity", "abort-by-ready-pods")
@pytest.mark.parametrize("share_at_abort", [25, 75, 100])
def test_replaced_pods_come_back_on_an_abort(share_at_abort: int) -> None:
    """On an abort traffic returns as fast as the stable pods become ready."""
    world = MachineWorld(replicas=4, room=4, settings=changed(REPLACE, canary=HALVES))
    world.serve().ask_for("v2")
    while share(world) < share_at_abort:
        world.step()
        world.now += 5
    world.command = "abort@1"
    watched(world, None)
    assert (world.desired, world.route) == ({"v1": 4}, (("v1", 100),))


@pytest.mark.transition("no-capacity", "pause-command")
def test_replace_moves_nothing_in_a_pause() -> None:
    """A pause replaces no stable pod, so an abort has all of them."""
    world = MachineWorld(replicas=4, room=4, settings=REPLACE).serve().ask_for("v2")
    world.verdict = Verdict.CONTINUE
    world.run(2)
    desired = world.desired
    world.command = "pause@1"
    world.run(50)
    assert world.desired == desired
