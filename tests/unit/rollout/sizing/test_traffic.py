"""Requests with a test header: when they go to the canary, and when not."""

import pytest

from halimede.api.match import HeaderMatch, Match
from halimede.api.rollout import Canary, Step, StepPause
from halimede.api.status import State
from tests.support.rollouts import SETTINGS, STEPS, MachineWorld, canary_at, changed, unready

MATCH = Match(headers=(HeaderMatch(name="x-tester", value="yes"),))
SMOKE = Step(weight=0, min_seconds=60, pause=StepPause())
WITH_TESTERS = [
    State.SHIFTING,
    State.ANALYSING,
    State.SCALING_UP,
    State.PROMOTING,
    State.BAKING,
]


def world(*steps: Step) -> MachineWorld:
    """Make a world whose canaries have a header match."""
    canary = Canary(steps=steps or STEPS, match=MATCH, bake_seconds=60)
    return MachineWorld(settings=changed(SETTINGS, canary=canary))


def meets(made: MachineWorld) -> bool:
    """Return whether the route sends testers to the canary."""
    return made.arranged is not None and made.arranged.header_routed


def test_testers_meet_the_revision_from_its_first_weight_to_the_end() -> None:
    """Testers reach it at every step and with all traffic, but not before or after."""
    made, found = world().serve().ask_for("v2"), {}
    for _ in range(200):
        made.step()
        made.now += 5
        found.setdefault(made.state, set()).add(meets(made))
    assert [state for state, seen in found.items() if True in seen] == WITH_TESTERS
    assert {len(seen) for seen in found.values()} == {1}
    assert not meets(made)


def test_testers_meet_a_revision_without_weight() -> None:
    """In a first step of weight 0 only testers reach the canary."""
    made = canary_at(State.STEP_PAUSED, world(SMOKE, *STEPS))
    assert (meets(made), made.route) == (True, (("v1", 100), ("v2", 0)))


@pytest.mark.parametrize("steps", [(SMOKE, *STEPS), STEPS])
@pytest.mark.transition("canary-lost-last-pod")
def test_testers_are_shed_with_everybody_else(steps: tuple[Step, ...]) -> None:
    """The write that takes the weight of a revision without pods takes its testers, too."""
    made = canary_at(State.ANALYSING, world(*steps))
    made.broken["v2"] = unready()
    made.step()
    assert (made.state, meets(made), made.route) == (
        State.PRIMING,
        False,
        (("v1", 100), ("v2", 0)),
    )
    made.broken.pop("v2")
    made.until(State.ANALYSING)
    assert meets(made)


def test_abort_sends_testers_back_at_once() -> None:
    """The write of an abort returns testers as well as the weight."""
    made = canary_at(State.ANALYSING, world())
    made.command = "abort@1"
    made.step()
    assert (made.state, meets(made)) == (State.ABORTING, False)


def test_way_back_to_a_warm_revision_needs_no_testers() -> None:
    """A rollout to a warm revision has no steps, so testers have nothing to test."""
    made = world().serve().ask_for("v2")
    made.until(State.DRAINING)
    made.until(None)
    made.ask_for("v1")
    made.until(State.PROMOTING)
    assert not meets(made)
