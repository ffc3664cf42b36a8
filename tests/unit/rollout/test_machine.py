"""The state machine's transitions of a rollout that succeeds, without a cluster."""

import pytest

from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.rollout import Canary, Step
from halimede.api.status import State, Status
from tests.support.rollouts import (
    SETTINGS,
    MachineWorld,
    canary_at,
    changed,
    unready,
)

CANARY_PATH = [
    None,
    State.STARTING,
    State.PRIMING,
    State.SHIFTING,
    State.ANALYSING,
    State.SHIFTING,
    State.ANALYSING,
    State.SCALING_UP,
    State.PROMOTING,
    State.BAKING,
    State.DRAINING,
    None,
]


@pytest.mark.transition("new-object", "first-revision-ready")
def test_first_revision_serves_without_analysis() -> None:
    """There is nothing to compare the first revision with."""
    world = MachineWorld().serve()
    assert (world.status.stable and world.status.stable.revision, world.path) == ("v1", [None])


@pytest.mark.transition("first-revision-replaced")
def test_first_revision_is_replaced_while_it_never_served() -> None:
    """A first revision that was never ready is replaced without steps."""
    world = MachineWorld(broken={"v1": unready(NotReadyReason.CRASH_LOOP)})
    world.run(3)
    world.ask_for("v2").run(3)
    assert (world.status.stable and world.status.stable.revision, list(world.desired)) == (
        "v2",
        ["v2"],
    )


@pytest.mark.transition("old-revision-drained")
def test_old_revision_stays_warm_and_then_goes() -> None:
    """After a promotion the old revision is kept for `scaleDownDelaySeconds`."""
    world = MachineWorld().serve().ask_for("v2")
    world.until(State.DRAINING)
    world.until(None)
    assert world.desired == {"v1": 2, "v2": 2}
    world.now += SETTINGS.scale_down_delay_seconds
    world.run(2)
    assert world.desired == {"v2": 2}


@pytest.mark.transition("earlier-revision")
def test_way_back_to_a_warm_revision_has_no_steps() -> None:
    """A revision that served minutes ago needs no new evidence."""
    world = MachineWorld().serve().ask_for("v2")
    world.until(State.DRAINING)
    world.until(None)
    started = len(world.writes)
    world.ask_for("v1").run(30)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v1"
    assert world.writes[started:] == [
        (("v2", 100), ("v1", 0)),
        (("v2", 0), ("v1", 100)),
        (("v1", 100),),
    ]


@pytest.mark.transition("canary-starting", "last-step-passed")
def test_canary_grows_with_its_weight() -> None:
    """A canary has the pods that its weight needs, and full scale before it gets 100 %."""
    world = MachineWorld(replicas=10).serve().ask_for("v2")
    grown = []
    for state in (State.STARTING, State.ANALYSING, State.SCALING_UP, State.PROMOTING):
        world.until(state)
        grown.append(world.desired["v2"])
    assert grown == [1, 1, 10, 10]


@pytest.mark.transition("replicas-edited")
def test_replicas_change_on_the_way() -> None:
    """A change of replicas does not reset a step."""
    world = canary_at(State.ANALYSING, MachineWorld(replicas=10))
    world.replicas = 20
    world.step()
    assert (world.state, world.desired) == (State.ANALYSING, {"v1": 20, "v2": 2})


@pytest.mark.transition("steps-edited")
@pytest.mark.parametrize(
    ("weights", "step", "state"),
    [
        ((10, 30, 50), 0, State.ANALYSING),
        ((5, 10), 1, State.ANALYSING),
        ((20,), 0, State.SHIFTING),
        ((5,), 0, State.ANALYSING),
    ],
)
def test_edited_steps_never_lower_the_weight(
    weights: tuple[int, ...], step: int, state: State
) -> None:
    """A rollout continues at the first edited step whose weight is not below the current one."""
    world = canary_at(State.ANALYSING)
    edited = Canary(steps=tuple(Step(weight=weight) for weight in weights))
    world.settings = changed(SETTINGS, canary=edited)
    world.verdict = Verdict.CONTINUE
    world.step()
    rollout = world.status.rollout
    assert rollout is not None
    assert (rollout.step, rollout.steps, rollout.state) == (step, len(weights), state)
    assert rollout.weight >= 10


@pytest.mark.transition("scaled-to-zero")
def test_scaled_to_zero_takes_the_target_as_it_is() -> None:
    """With zero replicas a new revision becomes stable without analysis."""
    world = MachineWorld().serve()
    world.replicas = 0
    world.ask_for("v2").run(3)
    assert (world.status.stable and world.status.stable.revision, world.state) == ("v2", None)


def test_rollout_keeps_its_id() -> None:
    """The id is derived from the object, its generation and the target revision."""
    ids = []
    for _ in range(2):
        world = MachineWorld().serve().ask_for("v2")
        world.until(State.STARTING)
        assert world.status.rollout is not None
        ids.append(world.status.rollout.id)
    assert ids[0] == ids[1]


def test_status_survives_the_api_server() -> None:
    """The whole state of a rollout is in the status and survives serialisation."""
    world = canary_at(State.ANALYSING)
    assert Status.model_validate(world.status.to_manifest()) == world.status


@pytest.mark.parametrize("state", list(dict.fromkeys(CANARY_PATH[1:-1])))
def test_killed_after_the_status_was_written(state: State | None) -> None:
    """A process killed between its status and its effects loses nothing."""
    world = MachineWorld().serve().ask_for("v2")
    world.until_killed(state)
    world.run(120)
    assert (world.status.stable and world.status.stable.revision, world.state) == ("v2", None)


@pytest.mark.transition(
    "new-revision",
    "canary-ready",
    "pods-discovered",
    "step-weight-set",
    "step-weight-live",
    "step-passed",
    "last-step-passed",
    "full-scale-ready",
    "bake-started",
    "bake-passed",
    "old-revision-drained",
)
def test_good_canary_is_promoted() -> None:
    """A canary that passes every step gets all traffic, one step at a time."""
    world = MachineWorld().serve().ask_for("v2")
    world.run(80)
    assert world.path == CANARY_PATH
    assert world.writes == [
        (("v1", 100),),
        (("v1", 100), ("v2", 0)),
        (("v1", 90), ("v2", 10)),
        (("v1", 50), ("v2", 50)),
        (("v1", 10), ("v2", 90)),
        (("v1", 0), ("v2", 100)),
        (("v2", 100),),
    ]


@pytest.mark.transition("settings-edited")
def test_settings_alone_begin_no_rollout() -> None:
    """An edit of the settings alone starts no rollout."""
    world = MachineWorld().serve()
    world.replicas = 5
    world.settings = changed(SETTINGS, canary=Canary(steps=(Step(weight=30),)))
    world.run(3)
    assert (world.state, world.desired, world.reasons) == (None, {"v1": 5}, ["FirstRevision"])
