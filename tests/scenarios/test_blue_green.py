"""Whole blue-green rollouts: a preview, a switch, a bake, and the way back."""

import pytest

from halimede.api.status import Outcome, State
from tests.support.behaviour import Behaviour
from tests.support.cluster import PretendCluster


@pytest.fixture
def blue_green(cluster: PretendCluster) -> PretendCluster:
    """Make a cluster whose ModelDeployment asks for blue-green."""
    return cluster.edit(lambda spec: spec["rollout"].update(strategy="BlueGreen"))


def test_preview_waits_for_the_command(blue_green: PretendCluster) -> None:
    """Given a new spec, its revision stands at full scale behind the preview, without traffic."""
    stable = blue_green.stable
    blue_green.model(2).run(600)
    target = blue_green.parsed.target
    assert target is not None
    preview = blue_green.objects["Service", "digits-preview"]
    assert preview["spec"]["selector"]["halimede.dev/revision"] == target.revision
    assert blue_green.replicas(target.revision) == 2
    assert blue_green.weights[-1] == {stable: 100, target.revision: 0}
    assert blue_green.condition("Reconciling") == ("True", "Paused")
    assert "promote" in blue_green.message("Ready")


def test_promote_switches_everything_at_once(blue_green: PretendCluster) -> None:
    """Given the command, all traffic moves in one write, is watched, and then committed."""
    blue_green.model(2).until(lambda: blue_green.state is State.AWAITING_PROMOTION)
    blue_green.command("promote@1").until(lambda: blue_green.state is State.BAKING)
    old, new = blue_green.stable, blue_green.rollout and blue_green.rollout.revision
    assert blue_green.weights[-1] == {old: 0, new: 100}
    blue_green.until(blue_green.ready)
    assert (blue_green.stable, blue_green.lost) == (new, 0.0)
    assert ("Service", "digits-preview") not in blue_green.objects


@pytest.mark.transition(40)
def test_bad_revision_is_switched_back(blue_green: PretendCluster) -> None:
    """Given a revision that fails under all traffic, the bake ends with the old one serving."""
    old = blue_green.stable
    blue_green.model(2, Behaviour(error_rate=0.3))
    blue_green.until(lambda: blue_green.state is State.AWAITING_PROMOTION)
    blue_green.command("promote@1").run(10)
    blue_green.until(lambda: blue_green.rollout is None)
    last = blue_green.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason, blue_green.stable) == (
        Outcome.ABORTED,
        "AnalysisFailed",
        old,
    )
    assert (blue_green.weights[-1], blue_green.lost) == ({old: 100}, 0.0)


def test_automatic_promotion(blue_green: PretendCluster) -> None:
    """Given `autoPromote`, nobody is asked."""
    blue_green.edit(lambda spec: spec["rollout"]["blueGreen"].update(autoPromote=True))
    blue_green.model(2).run(10)
    blue_green.until(blue_green.ready)
    assert blue_green.stable == (blue_green.parsed.target and blue_green.parsed.target.revision)
    assert blue_green.lost == 0.0


def test_service_exposure_switches_the_selector(blue_green: PretendCluster) -> None:
    """Given no router, the entry Service's selector is the switch."""
    blue_green.edit(lambda spec: spec.update(expose={"type": "Service"}))
    blue_green.edit(lambda spec: spec["rollout"]["analysis"].update(provider="None"))
    blue_green.edit(lambda spec: spec["rollout"]["blueGreen"].update(autoPromote=True))
    blue_green.run(30)
    assert ("HTTPRoute", "digits") not in blue_green.objects
    blue_green.model(2).run(10)
    blue_green.until(blue_green.ready)
    entry = blue_green.objects["Service", "digits"]
    assert entry["spec"]["selector"]["halimede.dev/revision"] == blue_green.stable
    assert blue_green.stable == (blue_green.parsed.target and blue_green.parsed.target.revision)
