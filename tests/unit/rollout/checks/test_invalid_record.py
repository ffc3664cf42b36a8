"""What a rollout does while the record of a revision is invalid."""

import pytest

from halimede.api.rollout import Strategy
from halimede.api.status import Outcome, State
from halimede.rollout.states import UNDECIDED, UNROUTED
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    canary_at,
    changed,
)

FAULT = "ConfigMap/m-v2: it was replaced; restore it"
RECREATE = changed(SETTINGS, strategy=Strategy.RECREATE)
CANARY = [State.STARTING, State.PRIMING, State.SHIFTING, State.ANALYSING, State.BAKING]


def spoil(world: MachineWorld, revision: str = "v2") -> MachineWorld:
    """Replace the record of a revision."""
    world.invalid_records[revision] = FAULT
    return world


@pytest.mark.transition("record-invalid")
@pytest.mark.parametrize("state", CANARY)
@pytest.mark.parametrize("paused", [False, True])
def test_a_canary_is_aborted_at_once(state: State, *, paused: bool) -> None:
    """In every state, paused or not, the next write takes its traffic, and it has not failed."""
    world = canary_at(state)
    world.settings = changed(world.settings, paused=paused)
    spoil(world).step()
    expected = None if state is State.STARTING else State.ABORTING
    assert (world.state, world.status.failed_revisions) == (expected, ())
    assert dict(world.route).get("v2", 0) == 0
    world.until(None)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.reason) == (Outcome.ABORTED, "InvalidRecord")
    assert last.message == f"{FAULT}."


@pytest.mark.transition("record-invalid")
def test_nothing_starts_until_the_record_is_restored() -> None:
    """The spec's revision waits, without a command, for its record."""
    world = spoil(MachineWorld().serve().ask_for("v2"))
    world.run(100)
    assert (world.state, "v2" in world.desired) == (None, False)
    world.invalid_records.clear()
    world.until(State.BAKING)


@pytest.mark.transition("record-invalid")
def test_a_revision_without_pods_does_not_become_stable() -> None:
    """At 0 replicas the target would be stable without a rollout."""
    world = spoil(MachineWorld(replicas=0).serve().ask_for("v2"))
    world.run(3)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v1"


@pytest.mark.transition("record-invalid")
@pytest.mark.parametrize("state", sorted(UNROUTED & UNDECIDED))
def test_recreate_brings_the_old_revision_back(state: State) -> None:
    """The outage ends with the old revision's pods."""
    world = MachineWorld(settings=RECREATE).serve().ask_for("v2")
    world.ending = 1 if state is State.STOPPING else 0
    world.until(state)
    spoil(world).step()
    world.ending = 0
    world.until(None)
    assert (world.desired, world.status.failed_revisions) == ({"v1": 2}, ())


def test_recreate_goes_back_before_a_third_revision_with_an_invalid_record() -> None:
    """A third revision that cannot be started gets no place."""
    world = MachineWorld(settings=RECREATE).serve().ask_for("v2")
    world.until(State.STARTING)
    spoil(world.ask_for("v3"), "v3").step()
    assert world.state is State.ABORT_DRAINING
    world.until(None)
    assert world.desired == {"v1": 2}


def test_the_stable_revision_is_still_the_way_back() -> None:
    """Its pods are as they were, so an abort gives them all requests."""
    world = spoil(canary_at(State.ANALYSING), "v1")
    world.run(2)
    assert world.state is State.ANALYSING
    world.command = "abort@1"
    world.until(None)
    assert world.route == (("v1", 100),)


@pytest.mark.parametrize("command", ["rollback@1", "rollback:v1@1"])
def test_a_rollback_is_rejected_with_the_reason(command: str) -> None:
    """The message is what is wrong with the record; another token works once it is restored."""
    world = MachineWorld(settings=changed(BLUE_GREEN, scale_down_delay_seconds=0)).serve()
    world.ask_for("v2").until(State.AWAITING_PROMOTION)
    world.command = "promote@0"
    world.until(None)
    world.command = command
    spoil(world, "v1").step()
    (event,) = world.last.events
    assert (event.reason, FAULT in event.message) == ("CommandRejected", True)
    assert (world.state, world.status.pinned) == (None, None)
    world.invalid_records.clear()
    world.command = command.replace("@1", "@2")
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v1"
