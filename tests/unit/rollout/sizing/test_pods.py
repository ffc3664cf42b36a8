"""Weights by replica count: the number of pods of both revisions, and the order of scaling."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.api.reasons import Verdict
from halimede.api.rollout import Canary, OnStableDown, Step
from halimede.api.status import State
from halimede.rollout.sizing.replicas import split_replicas
from tests.support.rollouts import BLUE_GREEN, SETTINGS, MachineWorld, changed, unready

QUARTER = changed(SETTINGS, canary=Canary(steps=(Step(weight=25), Step(weight=50))))


@pytest.mark.parametrize(
    ("replicas", "weight", "pods"),
    [
        (1, 1, (1, 1)),
        (1, 99, (1, 1)),
        (2, 20, (1, 2)),
        (2, 50, (1, 1)),
        (2, 60, (2, 1)),
        (3, 25, (1, 3)),
        (4, 25, (1, 3)),
        (4, 20, (1, 4)),
        (10, 5, (1, 10)),
        (10, 33, (3, 7)),
        (10, 95, (10, 1)),
        (1000, 1, (10, 990)),
    ],
)
def test_nearest_pair_of_pods(replicas: int, weight: int, pods: tuple[int, int]) -> None:
    """Both revisions have pods; their sum is the desired number or one more."""
    assert split_replicas(weight, replicas) == pods


@given(replicas=st.integers(1, 1000), weight=st.integers(1, 99))
def test_no_other_pair_is_nearer(replicas: int, weight: int) -> None:
    """No other allowed pair is nearer to the weight."""
    canary, stable = split_replicas(weight, replicas)
    assert canary >= 1
    assert stable >= 1
    assert canary + stable in (replicas, replicas + 1)
    off = abs(Fraction(canary, canary + stable) - Fraction(weight, 100))
    assert all(
        off <= abs(Fraction(other, pods) - Fraction(weight, 100))
        for pods in (replicas, replicas + 1)
        for other in range(1, pods)
    )


@given(replicas=st.integers(1, 200), weight=st.integers(1, 98))
def test_more_weight_never_takes_pods_from_the_canary(replicas: int, weight: int) -> None:
    """The number of canary pods rises with the weight."""
    assert split_replicas(weight, replicas)[0] <= split_replicas(weight + 1, replicas)[0]


def at(state: State, replicas: int = 4) -> MachineWorld:
    """Run a canary to *state*, with a judge that returns Continue from then on."""
    world = MachineWorld(replicas=replicas, by_pods=True, settings=QUARTER)
    world.serve().ask_for("v2").verdict = Verdict.CONTINUE
    world.until(state)
    return world


def actual(world: MachineWorld) -> int | None:
    """Return the canary's actual weight from the status."""
    return world.status.rollout and world.status.rollout.actual_weight


@pytest.mark.transition("weight-by-replicas")
def test_stable_gives_up_pods_only_once_the_canary_serves() -> None:
    """Given a weight of 25 % and four pods, stable keeps four until the weight has settled."""
    world = at(State.SHIFTING)
    assert world.desired == {"v1": 4, "v2": 1}
    world.until(State.ANALYSING)
    world.run(2)
    assert (world.desired, actual(world)) == ({"v1": 3, "v2": 1}, 25)


@pytest.mark.transition("weight-by-replicas")
def test_stable_gets_pods_back_for_those_that_the_canary_loses() -> None:
    """Given half of the pods on either side, stable replaces one that is not ready."""
    world = at(State.ANALYSING)
    world.verdict = Verdict.PASS
    world.until(State.SHIFTING)
    world.verdict = Verdict.CONTINUE
    world.until(State.ANALYSING)
    world.run(2)
    assert (world.desired, actual(world)) == ({"v1": 2, "v2": 2}, 50)
    world.broken["v2"] = unready(ready=1)
    world.run(2)
    assert (world.desired, actual(world)) == ({"v1": 3, "v2": 2}, 25)


@pytest.mark.transition("weight-by-replicas")
def test_abort_gives_stable_everything_and_all_its_pods() -> None:
    """Given an abort at 25 %, one write takes the weight, and stable is scaled up again."""
    world = at(State.ANALYSING)
    world.run(2)
    world.command = "abort@1"
    world.step()
    assert dict(world.route) == {"v1": 100, "v2": 0}
    assert (world.desired, actual(world)) == ({"v1": 4, "v2": 1}, 25)
    world.run(1)
    assert actual(world) is None


@pytest.mark.transition("weight-by-replicas")
def test_bake_has_the_old_revision_at_full_scale() -> None:
    """Given a promotion, stable is at full scale during the bake, ready for an abort."""
    world = at(State.ANALYSING)
    world.verdict = Verdict.PASS
    world.until(State.PROMOTING)
    assert world.desired == {"v1": 2, "v2": 4}
    world.until(State.BAKING)
    assert world.desired == {"v1": 4, "v2": 4}


@pytest.mark.transition("weight-by-replicas")
def test_cover_for_a_stable_revision_without_pods_ends_at_the_step() -> None:
    """Given a failover to the canary, stable gets its pods back and then its weight."""
    world = at(State.ANALYSING)
    world.settings = changed(QUARTER, on_stable_down=OnStableDown.SHIFT)
    world.broken["v1"] = unready()
    world.run(3)
    assert dict(world.route)["v2"] == 100
    del world.broken["v1"]
    world.run(20)
    assert dict(world.route)["v2"] == 25
    world.run(20)
    assert world.desired == {"v1": 3, "v2": 1}


def test_blue_green_shares_nothing() -> None:
    """Given blue-green, the old revision keeps every pod until the switch is committed."""
    world = MachineWorld(replicas=4, by_pods=True, settings=BLUE_GREEN).serve().ask_for("v2")
    world.until(State.AWAITING_PROMOTION)
    world.command = "promote@1"
    world.until(State.BAKING)
    assert (world.desired, actual(world)) == ({"v1": 4, "v2": 4}, None)


def test_no_revision_is_warm_when_pods_are_shared() -> None:
    """Given a warm revision, the next rollout deletes it, because the Service would select it."""
    world = MachineWorld(replicas=4, by_pods=True, settings=QUARTER).serve().ask_for("v2")
    world.until(None)
    assert [one.revision for one in world.status.warm_revisions] == ["v1"]
    world.ask_for("v3").until(State.STARTING)
    assert (world.status.warm_revisions, sorted(world.desired)) == ((), ["v2", "v3"])
