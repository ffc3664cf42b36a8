"""Complete blue-green rollouts: a preview, a switch, a bake, and aborts."""

import pytest

from halimede.api.status import Outcome, State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


@pytest.fixture
def blue_green(cluster: FakeCluster) -> FakeCluster:
    """Make a cluster whose ModelDeployment asks for blue-green."""
    return cluster.edit(lambda spec: spec["rollout"].update(strategy="BlueGreen"))


def test_preview_waits_for_the_command(blue_green: FakeCluster) -> None:
    """Given a new spec, its revision is at full scale behind the preview, without traffic."""
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


def test_promote_switches_everything_at_once(blue_green: FakeCluster) -> None:
    """Given the command, all traffic moves in one write, bakes, and is then committed."""
    blue_green.model(2).until(lambda: blue_green.state is State.AWAITING_PROMOTION)
    blue_green.command("promote@1").until(lambda: blue_green.state is State.BAKING)
    old, new = blue_green.stable, blue_green.rollout and blue_green.rollout.revision
    assert blue_green.weights[-1] == {old: 0, new: 100}
    blue_green.until(blue_green.ready)
    assert (blue_green.stable, blue_green.lost) == (new, 0.0)
    assert ("Service", "digits-preview") not in blue_green.objects


@pytest.mark.transition("verdict-abort-in-bake")
def test_bad_revision_is_switched_back(blue_green: FakeCluster) -> None:
    """Given a revision that fails with all traffic, the bake ends with the old one serving."""
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


def test_automatic_promotion(blue_green: FakeCluster) -> None:
    """Given `autoPromote`, no command is needed."""
    blue_green.edit(lambda spec: spec["rollout"]["blueGreen"].update(autoPromote=True))
    blue_green.model(2).run(10)
    blue_green.until(blue_green.ready)
    assert blue_green.stable == (blue_green.parsed.target and blue_green.parsed.target.revision)
    assert blue_green.lost == 0.0


def test_service_exposure_switches_the_selector(blue_green: FakeCluster) -> None:
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


def previewed(blue_green: FakeCluster, **fields: object) -> FakeCluster:
    """Enable the analysis of the preview."""
    asked = {"autoPromote": True, "previewAnalysis": {"minSeconds": 60, **fields}}
    return blue_green.edit(lambda spec: spec["rollout"]["blueGreen"].update(asked))


def test_preview_that_fails_copies_is_never_switched(blue_green: FakeCluster) -> None:
    """Given copies of users' requests, a bad preview is aborted before any user meets it."""
    old = blue_green.stable
    previewed(blue_green, mirrorPercent=100).model(2, Behaviour(error_rate=0.3)).run(10)
    blue_green.until(lambda: blue_green.rollout is None)
    last = blue_green.parsed.last_rollout
    assert last is not None
    assert (last.reason, blue_green.stable, blue_green.failed) == ("AnalysisFailed", old, 0.0)


def test_preview_that_answers_copies_is_switched_and_baked(blue_green: FakeCluster) -> None:
    """Given copies without errors, all traffic moves and is judged again."""
    previewed(blue_green, mirrorPercent=100).model(2).run(10)
    blue_green.until(lambda: blue_green.state is State.BAKING)
    assert blue_green.rollout is not None
    assert blue_green.rollout.evidence is None
    blue_green.until(blue_green.ready)
    assert (len(blue_green.weights[-1]), blue_green.lost, blue_green.failed) == (1, 0.0, 0.0)


def test_preview_waits_for_requests_of_its_own(blue_green: FakeCluster) -> None:
    """Given no copies, it is switched when enough requests to the preview have succeeded."""
    previewed(blue_green).model(2).until(lambda: blue_green.state is State.AWAITING_PROMOTION)
    blue_green.run(1800)
    assert blue_green.rollout is not None
    assert blue_green.condition("Ready") == ("Unknown", "MetricsHold")
    pod = f"digits-{blue_green.rollout.revision}-0"
    while blue_green.state is State.AWAITING_PROMOTION:
        blue_green.prometheus.count("ml_digits-preview_8000", pod, 100, 0)
        blue_green.run(5)
    blue_green.until(blue_green.ready)


def test_preview_has_a_hostname_while_there_is_one(blue_green: FakeCluster) -> None:
    """Given `previewHostnames`, the preview has its own route while it exists."""
    hostnames = {"previewHostnames": ["cli.render.example.com"]}
    blue_green.edit(lambda spec: spec["rollout"]["blueGreen"].update(hostnames))
    blue_green.model(2).until(lambda: blue_green.state is State.AWAITING_PROMOTION)
    assert blue_green.rollout is not None
    spec = blue_green.objects["HTTPRoute", "digits-preview"]["spec"]
    assert spec["hostnames"] == ["cli.render.example.com"]
    services = {one["name"] for rule in spec["rules"] for one in rule["backendRefs"]}
    assert services == {f"digits-{blue_green.rollout.revision}"}
    blue_green.command("promote@1").run(10)
    blue_green.until(blue_green.ready)
    assert ("HTTPRoute", "digits-preview") not in blue_green.objects
