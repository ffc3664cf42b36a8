"""The strategy Recreate: one revision stops before the other starts, also on an abort."""

import pytest

from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.rollout import Recreate, Strategy
from halimede.api.status import Outcome, State
from halimede.rollout.context import WaitReason
from tests.support.rollouts import SETTINGS, MachineWorld, changed, unready

RECREATE = changed(SETTINGS, strategy=Strategy.RECREATE, recreate=Recreate(bake_seconds=60))
PATH = [
    State.STOPPING,
    State.STARTING,
    State.PROMOTING,
    State.BAKING,
    State.DRAINING,
    None,
]
OUTAGE = [State.STOPPING, State.STARTING]
ALL_TRAFFIC = [State.PROMOTING, State.BAKING]


def at(state: State, world: MachineWorld | None = None) -> MachineWorld:
    """Run a Recreate rollout to *state*; in the first one old pods are still terminating."""
    world = (world or MachineWorld(settings=RECREATE)).serve().ask_for("v2")
    world.ending = 1 if state is State.STOPPING else 0
    world.until(state)
    if state is State.STOPPING:
        world.run(2)
    return world


def stable(world: MachineWorld) -> str:
    """Return the stable revision."""
    assert world.status.stable is not None
    return world.status.stable.revision


def watched(world: MachineWorld, passes: int) -> list[dict[str, int]]:
    """Run passes and record the desired pods of both revisions."""
    seen: list[dict[str, int]] = []
    for _ in range(passes):
        world.step()
        world.now += 5
        if not seen or seen[-1] != world.desired:
            seen.append(dict(world.desired))
    return seen


@pytest.mark.transition("recreate-started", "recreate-old-pods-ended", "recreate-full-scale-ready")
def test_old_revision_stops_before_the_new_one_starts() -> None:
    """Both never have pods at once; the route changes once, when the new one is ready."""
    world = MachineWorld(settings=RECREATE).serve().ask_for("v2")
    world.seen.clear()
    pods = watched(world, 40)
    assert world.path == PATH
    assert pods == [{"v1": 0, "v2": 0}, {"v1": 0, "v2": 2}, {"v2": 2}]
    assert world.writes == [(("v1", 100),), (("v2", 100),)]
    assert (stable(world), world.status.warm_revisions) == ("v2", ())
    assert "Recreating" in world.reasons


@pytest.mark.transition("recreate-old-pods-ended")
def test_new_revision_waits_for_pods_that_are_ending() -> None:
    """The old pods keep their resources until they are gone."""
    world = at(State.STOPPING)
    world.run(20)
    assert (world.state, world.desired) == (State.STOPPING, {"v1": 0, "v2": 0})
    assert isinstance(world.last.wait, WaitReason)
    assert "1 of its pods are left" in world.last.wait.message
    world.ending = 0
    world.until(None)
    assert stable(world) == "v2"


def test_first_deployment_is_as_usual() -> None:
    """A first deployment has nothing to stop."""
    world = MachineWorld(settings=RECREATE).serve()
    assert (stable(world), world.path) == ("v1", [None])


@pytest.mark.transition("recreate-past-deadline")
@pytest.mark.parametrize(
    "cause",
    [None, NotReadyReason.LOADING, NotReadyReason.UNSCHEDULABLE, NotReadyReason.IMAGE_PULL],
)
def test_old_revision_comes_back_after_the_deadline(cause: NotReadyReason | None) -> None:
    """If the new revision is not ready in time, the old one returns, whatever the cause."""
    world = at(State.STARTING)
    world.broken["v2"] = unready(cause)
    world.run(358)
    assert world.state is State.STARTING
    pods = watched(world, 20)
    assert pods[-2:] == [{"v1": 2, "v2": 0}, {"v1": 2}]
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "ProgressDeadlineExceeded"
    assert (world.state, world.writes) == (None, [(("v1", 100),)])
    assert [one.revision for one in world.status.failed_revisions] == ["v2"]


@pytest.mark.transition("recreate-past-deadline")
def test_pods_that_do_not_end_are_not_waited_for_for_ever() -> None:
    """Pods on a lost node may never end; the old revision may find room elsewhere."""
    world = at(State.STOPPING)
    world.run(380)
    last = world.status.last_rollout
    assert last is not None
    assert "Revision v1 still has 1 pod after" in last.message
    assert world.desired == {"v1": 2}


@pytest.mark.transition("canary-crashed")
def test_new_revision_that_crashes_is_aborted_early() -> None:
    """Three restarts without having been ready abort the rollout."""
    world = at(State.STARTING)
    world.broken["v2"] = unready(NotReadyReason.CRASH_LOOP, restarts=3)
    world.step()
    assert (world.state, world.desired) == (State.ABORT_DRAINING, {"v1": 2, "v2": 0})


@pytest.mark.transition("verdict-abort-in-bake", "recreate-abort-drained")
def test_bad_revision_is_replaced_by_the_old_one() -> None:
    """On an abort in the bake its pods stop first; the rollout ends when the old ones are back."""
    world = at(State.BAKING)
    world.verdict = Verdict.ABORT
    world.until(State.ABORTING)
    assert world.desired == {"v1": 2, "v2": 0}
    world.broken["v1"] = unready(NotReadyReason.LOADING)
    world.run(100)
    assert (world.state, world.route) == (State.ABORT_DRAINING, (("v1", 100),))
    world.broken.clear()
    world.run(2)
    assert (world.state, world.desired, stable(world)) == (None, {"v1": 2}, "v1")
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.outcome is Outcome.ABORTED


@pytest.mark.transition("recreate-abort-drained")
@pytest.mark.parametrize("command", [None, "retry@2"])
def test_old_revision_that_does_not_come_back_does_not_block_a_new_one(
    command: str | None,
) -> None:
    """A new spec or a retry does not wait for an old revision that cannot start."""
    world = at(State.STARTING)
    world.command = "abort@1"
    world.step()
    world.broken["v1"] = unready(NotReadyReason.UNSCHEDULABLE)
    world.run(100)
    assert world.state is State.ABORT_DRAINING
    if command:
        world.command = command
    else:
        world.ask_for("v3")
    world.until(None)
    world.until(None)
    assert stable(world) == ("v2" if command else "v3")


@pytest.mark.transition("reverted")
@pytest.mark.parametrize("state", [*OUTAGE, *ALL_TRAFFIC])
def test_spec_that_is_reverted_brings_the_old_one_back(state: State) -> None:
    """A revert takes the same path as an abort and marks no revision as failed."""
    world = at(state)
    world.ending = 0
    world.ask_for("v1").until(None)
    world.run(3)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, world.status.failed_revisions) == (Outcome.REVERTED, ())
    assert (world.desired, world.route) == ({"v1": 2}, (("v1", 100),))


@pytest.mark.transition("recreate-started")
@pytest.mark.parametrize("state", [*OUTAGE, *ALL_TRAFFIC])
def test_third_revision_takes_the_place_at_once(state: State) -> None:
    """The old revision is not started in between."""
    world = at(state)
    world.ending = 0
    world.ask_for("v3")
    pods = watched(world, 60)
    assert (stable(world), world.state) == ("v3", None)
    assert all(one.get("v1", 0) == 0 for one in pods)
    assert world.reasons.count("RolloutSuperseded") == 1


@pytest.mark.transition("third-revision")
def test_third_revision_that_failed_before_does_not_take_the_place() -> None:
    """The old revision comes back."""
    world = at(State.STARTING)
    world.command = "abort@1"
    world.until(None)
    world.ask_for("v3").until(State.STARTING)
    world.ask_for("v2").until(None)
    world.run(3)
    assert (stable(world), world.desired, world.state) == ("v1", {"v1": 2}, None)


@pytest.mark.transition("recreate-lost-pods")
def test_nothing_is_committed_without_pods() -> None:
    """A revision with all traffic and no pod has a minute to recover."""
    world = at(State.BAKING)
    world.broken["v2"] = unready()
    world.now += 600
    world.run(3)
    assert world.state is State.BAKING
    world.broken.clear()
    world.step()
    assert world.state is not State.ABORTING
    world = at(State.BAKING)
    world.broken["v2"] = unready()
    world.run(15)
    assert world.status.rollout is not None
    assert world.status.rollout.reason == "CanaryUnhealthy"


@pytest.mark.transition("recreate-lost-pods")
def test_switch_that_was_not_written_waits_for_pods_again() -> None:
    """A switch that was stored but not written is not written if the pods are lost by then."""
    world = at(State.STARTING)
    world.effects = False
    world.until(State.PROMOTING)
    world.effects = True
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, world.route) == (State.STARTING, (("v1", 100),))
    world.broken.clear()
    world.until(None)
    assert stable(world) == "v2"


@pytest.mark.transition("recreate-hold")
def test_pause_holds_before_the_old_revision_stops() -> None:
    """While the old revision serves, a pause holds the rollout."""
    world = MachineWorld(settings=changed(RECREATE, paused=True)).serve().ask_for("v2")
    world.run(100)
    assert (world.state, world.desired) == (State.STOPPING, {"v1": 2, "v2": 0})
    world.settings = RECREATE
    world.until(None)
    assert stable(world) == "v2"


@pytest.mark.transition("recreate-hold")
def test_forgotten_pause_ends() -> None:
    """Before the old revision has stopped, the pause's timeout aborts without loss."""
    paused = changed(RECREATE, paused=True, pause_timeout_seconds=60)
    world = MachineWorld(settings=paused).serve().ask_for("v2")
    assert watched(world, 30)[-1] == {"v1": 2}
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "PauseTimeout"


@pytest.mark.transition("recreate-hold")
@pytest.mark.parametrize("state", [*OUTAGE, State.PROMOTING])
def test_pause_does_not_prolong_the_outage(state: State) -> None:
    """A pause holds the bake, but not the outage."""
    world = at(state)
    world.ending = 0
    world.settings = changed(RECREATE, paused=True)
    world.run(100)
    assert (world.state, world.route) == (State.BAKING, (("v2", 100),))


@pytest.mark.transition("promote-full-force-command")
def test_force_skips_the_bake() -> None:
    """`promote-full-force` skips the bake."""
    world = at(State.STARTING)
    begun = world.now
    world.command = "promote-full-force@1"
    world.until(State.DRAINING)
    assert world.now - begun < RECREATE.recreate.bake_seconds


@pytest.mark.parametrize(
    ("state", "command", "message"),
    [
        (State.STARTING, "promote-full@1", "strategy Recreate has no steps to skip"),
        (State.STOPPING, "promote-full-force@1", "nothing to promote in state Stopping"),
        (State.BAKING, "promote@1", "nothing to promote in state Baking"),
    ],
)
def test_rejected(state: State, command: str, message: str) -> None:
    """A command that needs steps, or a revision to promote, is rejected."""
    world = at(state)
    world.command = command
    rejected = [one.message for one in world.step().events if one.reason == "CommandRejected"]
    assert [message in one for one in rejected] == [True]


@pytest.mark.transition("rollback-command")
def test_rollback_recreates() -> None:
    """`rollback` recreates as well, and pins the revision."""
    world = at(State.DRAINING)
    world.until(None)
    world.seen.clear()
    world.command = "rollback@1"
    world.until(None)
    assert (world.path, stable(world)) == (PATH, "v1")
    assert world.status.pinned is not None


@pytest.mark.transition("earlier-revision")
def test_way_back_to_a_warm_revision_needs_no_outage() -> None:
    """If the warm revision still runs, there is room for both."""
    world = MachineWorld(settings=changed(SETTINGS, canary=SETTINGS.canary)).serve().ask_for("v2")
    world.until(State.DRAINING)
    world.until(None)
    world.settings = RECREATE
    world.ask_for("v1").until(None)
    assert (stable(world), State.STOPPING in world.seen) == ("v1", False)


@pytest.mark.transition("recreate-started")
def test_warm_revisions_make_room() -> None:
    """Warm revisions are deleted, because the new pods need their room."""
    world = MachineWorld().serve().ask_for("v2")
    world.until(State.DRAINING)
    world.until(None)
    world.settings = RECREATE
    world.ask_for("v3").step()
    assert world.desired == {"v2": 0, "v3": 0}


@pytest.mark.parametrize("way_back", [False, True])
@pytest.mark.parametrize("state", [*OUTAGE, *ALL_TRAFFIC])
def test_killed_after_the_status_was_written(state: State, *, way_back: bool) -> None:
    """A process killed between its status and its effects reaches the same end."""
    world = MachineWorld(settings=RECREATE).serve().ask_for("v2")
    most = 0
    for number in range(200):
        world.effects = number % 2 == 1
        world.step()
        world.effects = True
        most = max(most, sum(world.desired.values()))
        if way_back and world.state is state:
            world.command = "abort@1"
        world.now += 5
    assert (stable(world), world.state) == ("v1" if way_back else "v2", None)
    assert (world.desired, most) == ({stable(world): 2}, 2)
