"""Faults of users and clusters: reported with field and remedy; stable keeps serving."""

import math
from dataclasses import replace
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.exit_codes import NO_SECRET
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.plan.next_reconcile import AFTER_WRITES_SECONDS
from halimede.plan.renderer import Renderer
from halimede.render.spec_policy import PodTemplatePolicy, SpecPolicy
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import PLATFORM, FakeCluster
from harness.fake_spec import SPEC

ANY_SPEC = SpecPolicy(PodTemplatePolicy.FULL, ("*",), ("*",))


def first(change: Any = None, **behaviour: Any) -> FakeCluster:
    """Apply a first ModelDeployment whose pods behave like this."""
    cluster = FakeCluster()
    if change:
        change(cluster.spec)
    cluster.behaviours[SPEC["model"]["storageUri"]] = Behaviour(**behaviour)
    return cluster.run(60)


def waiting(reason: str, message: str) -> Manifest:
    """Return the status of a waiting container."""
    return {"name": "fetch", "state": {"waiting": {"reason": reason, "message": message}}}


def without_secret() -> Manifest:
    """Return the status of a fetcher that has found no Secret."""
    message = (
        "the Secret named by spec.model.secretName does not exist or is empty: create it, or add"
        " its keys"
    )
    terminated = {"exitCode": NO_SECRET, "reason": "Error", "message": message}
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    return {"name": "fetch", "state": state, "lastState": {"terminated": terminated}}


def malformed(spec: Manifest) -> None:
    """Set an invalid model configuration."""
    del spec["model"]["config"]
    spec["model"]["configPbtxt"] = "backend: {{"


@pytest.mark.transition("spec-invalid")
def test_malformed_configuration_leaves_stable_as_it_is(cluster: FakeCluster) -> None:
    """Given a spec that cannot be rendered, the field is named and no child is changed."""
    writes = len(cluster.writes)
    cluster.edit(malformed).run(300)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.condition("Stalled") == ("True", "InvalidSpec")
    assert cluster.condition("Available") == ("True", "Serving")
    assert "spec.model.configPbtxt" in cluster.message("Ready")
    assert (len(cluster.writes), cluster.lost) == (writes, 0.0)
    assert cluster.reasons.count("InvalidSpec") == 1


def test_malformed_first_configuration_makes_nothing() -> None:
    """Given a first spec that cannot be rendered, nothing is created, and the status says why."""
    cluster = first(malformed)
    assert (cluster.objects, cluster.condition("Ready")) == ({}, ("False", "InvalidSpec"))
    assert cluster.condition("Available") == ("False", "Deploying")


def test_an_operator_that_begins_to_demand_digests(cluster: FakeCluster) -> None:
    """Given a model without a digest, it keeps serving, and the status names field and setting."""
    cluster.edit(lambda spec: spec["model"].pop("sha256")).until(cluster.ready)
    cluster.run(3600)  # until the revision with the digest has been removed
    cluster.platform = replace(cluster.platform, sha256_required=True)
    writes = len(cluster.writes)
    cluster.run(300)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.condition("Available") == ("True", "Serving")
    assert cluster.message("Ready").startswith("spec.model.sha256: ")
    assert (len(cluster.writes), cluster.lost) == (writes, 0.0)
    cluster.edit(lambda spec: spec["model"].update(sha256="ab" * 32))
    cluster.until(cluster.ready)


@pytest.mark.transition("spec-invalid")
def test_spec_that_breaks_in_mid_canary(cluster: FakeCluster) -> None:
    """Given a canary, an invalid spec holds it, and a valid one lets it continue."""
    cluster.model(2).until(lambda: cluster.weights[-1].get(cluster.stable) == 80)
    cluster.edit(malformed).run(600)
    assert cluster.weights[-1][cluster.stable] == 80
    cluster.edit(lambda spec: spec["model"].pop("configPbtxt"))
    cluster.edit(lambda spec: spec["model"].update(config=SPEC["model"]["config"]))
    cluster.until(cluster.ready)
    assert cluster.lost == 0.0


def with_objective(spec: Manifest) -> None:
    """Add an objective whose queries read series of another namespace."""
    query = "sum(paid_total{namespace='other',r='{{ revision }}'}[{{ window }}])"
    metric = {"name": "paid", "requests": query, "errors": query}
    spec["rollout"]["analysis"]["metrics"] = [metric]


@pytest.mark.parametrize("scope", [CustomQueryScope.OFF, CustomQueryScope.NAMESPACED])
@pytest.mark.parametrize("mid_canary", [False, True])
def test_queries_that_are_no_longer_allowed(scope: CustomQueryScope, *, mid_canary: bool) -> None:
    """Given a stricter operator, the field is named, stable serves, and a canary stays."""
    cluster = FakeCluster(renderer=Renderer(policy=QueryPolicy(custom=CustomQueryScope.FULL)))
    with_objective(cluster.spec)
    cluster.until(cluster.ready)
    if mid_canary:
        cluster.model(2).until(lambda: cluster.weights[-1].get(cluster.stable or "") == 80)
    before = (dict(cluster.weights[-1]), cluster.stable, cluster.lost)
    cluster.renderer = Renderer(policy=QueryPolicy(custom=scope))
    cluster.run(600)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.condition("Available") == ("True", "Serving")
    assert "spec.rollout.analysis.metrics[paid]" in cluster.message("Ready")
    assert (cluster.weights[-1], cluster.stable, cluster.lost) == before
    cluster.edit(lambda spec: spec["rollout"]["analysis"].pop("metrics")).until(cluster.ready)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"podTemplate": {"spec": {"hostNetwork": True}}}, "spec.podTemplate.spec.hostNetwork: "),
        ({"serviceAccountName": "admin"}, "spec.serviceAccountName: "),
        (
            {
                "expose": {
                    "type": "Ingress",
                    "ingress": {"host": "a.example.com", "annotations": {"a": "b"}},
                },
            },
            "spec.expose.ingress.annotations[a]: ",
        ),
    ],
)
def test_specs_that_are_no_longer_allowed(fields: Manifest, path: str) -> None:
    """Given a stricter operator, the field is named, and stable serves unchanged pods."""
    cluster = FakeCluster(platform=replace(PLATFORM, specs=ANY_SPEC))
    cluster.spec |= fields
    cluster.spec["rollout"]["analysis"] = {"provider": "None"}
    cluster.until(cluster.ready)
    before = (cluster.stable, cluster.lost, len(cluster.writes))
    cluster.platform = PLATFORM
    cluster.run(600)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.condition("Available") == ("True", "Serving")
    assert cluster.message("Ready").startswith(path)
    assert (cluster.stable, cluster.lost, len(cluster.writes)) == before
    cluster.platform = replace(PLATFORM, specs=ANY_SPEC)
    cluster.until(cluster.ready)
    assert cluster.stable == before[0]


def test_missing_config_map() -> None:
    """Given a missing source ConfigMap, the status names the field and the ConfigMap."""
    cluster = FakeCluster(inputs={"digits-model": None})
    cluster.spec["model"]["storageUri"] = "configMap://digits-model"
    cluster.run(10)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert "spec.model.storageUri" in cluster.message("Ready")
    assert "digits-model" in cluster.message("Ready")


def test_missing_secret() -> None:
    """Given missing credentials, the status has the field, the Secret and a command."""
    cluster = first(
        lambda spec: spec["model"].update(secretName="models"), container=without_secret()
    )
    assert cluster.condition("Ready") == ("False", "MissingSecret")
    assert (
        "spec.model.secretName: the Secret models does not exist or is empty. Add its keys, or"
        " create it: kubectl --namespace ml create secret generic models"
        in cluster.message("Ready")
    )
    assert cluster.reasons == ["MissingSecret"]


def test_missing_secret_of_a_revision_that_an_earlier_operator_rendered() -> None:
    """Given a fetcher that has the keys in its environment, the status says the same."""
    cluster = first(
        lambda spec: spec["model"].update(secretName="models"),
        container=waiting("CreateContainerConfigError", 'secret "models" not found'),
    )
    assert cluster.condition("Ready") == ("False", "MissingSecret")
    assert "spec.model.secretName: the Secret models does not" in cluster.message("Ready")


def test_secret_that_comes_later() -> None:
    """Given a Secret that is created later, the revision serves."""
    behaviour = Behaviour(container=without_secret())
    cluster = FakeCluster()
    cluster.behaviours[SPEC["model"]["storageUri"]] = behaviour
    cluster.run(60)
    behaviour.container = None
    cluster.until(cluster.ready)
    assert cluster.stable is not None


def test_no_room_for_the_pods() -> None:
    """Given a full cluster, the status has the scheduler's message."""
    cluster = first(
        condition={
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        }
    )
    assert cluster.condition("Ready") == ("Unknown", "Deploying")
    assert "Insufficient nvidia.com/gpu" in cluster.message("Ready")


@pytest.mark.transition("first-revision-past-deadline")
@pytest.mark.parametrize(
    ("reason", "cause"), [("ImagePullBackOff", "ImagePull"), ("CrashLoopBackOff", "CrashLoop")]
)
def test_first_revision_that_needs_help(reason: str, cause: str) -> None:
    """Given pods that cannot recover, Ready is False at once, Stalled after the deadline."""
    cluster = first(container=waiting(reason, "because"))
    assert cluster.condition("Ready") == ("False", cause)
    assert cluster.condition("Stalled") is None
    cluster.run(1800)
    assert cluster.condition("Stalled") == ("True", cause)


def test_gateway_that_does_not_exist() -> None:
    """Given no gateway that accepts the route, the status names the field to check."""
    cluster = FakeCluster(gateway=False).run(120)
    assert cluster.condition("Ready") == ("False", "RouteNotAccepted")
    assert cluster.condition("Available") == ("False", "RouteNotAccepted")
    assert "spec.expose.gateway.parentRefs" in cluster.message("Ready")
    cluster.gateway = True
    cluster.until(cluster.ready)


@pytest.mark.transition("apply-failed")
def test_child_that_is_rejected(cluster: FakeCluster) -> None:
    """Given a child that the API server rejects, its message is shown until it is accepted."""
    cluster.apply_errors["Deployment/digits-1"] = "spec.template: Forbidden"
    cluster.run(10)
    assert cluster.condition("Ready") == ("False", "ApplyFailed")
    assert "Deployment/digits-1: spec.template: Forbidden" in cluster.message("Ready")
    cluster.apply_errors.clear()
    cluster.until(cluster.ready)


REJECTION = (
    'Deployment.apps "digits-2" is invalid: spec.template.spec.dnsPolicy: Unsupported value'
)


@pytest.mark.transition("pods-past-deadline")
@pytest.mark.parametrize("strategy", ["Canary", "BlueGreen", "Recreate"])
def test_revision_that_is_rejected(cluster: FakeCluster, strategy: str) -> None:
    """Given a Deployment that the API server rejects, the rollout aborts soon with the reason."""
    cluster.edit(lambda spec: spec["rollout"].update(strategy=strategy))
    cluster.until(cluster.ready)
    stable, begun = cluster.stable, cluster.now
    cluster.rejecting = REJECTION
    cluster.model(2).until(lambda: cluster.apply_errors, 600)
    cluster.reconcile()
    assert cluster.condition("Ready") == ("False", "ApplyFailed")
    cluster.until(lambda: cluster.parsed.last_rollout, 600)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason) == ("Aborted", "CanaryRejected")
    assert REJECTION in last.message
    assert cluster.stable == stable
    assert cluster.now - begun < 300
    assert cluster.condition("Ready") == ("False", "CanaryFailed")
    assert REJECTION in cluster.message("Ready")


@pytest.mark.transition("pods-past-deadline")
def test_rejection_that_passes(cluster: FakeCluster) -> None:
    """Given a rejection that ends after some seconds, the rollout continues."""
    cluster.rejecting = REJECTION
    cluster.model(2).until(lambda: cluster.apply_errors, 600)
    cluster.run(10)
    cluster.rejecting = ""
    cluster.apply_errors.clear()
    cluster.until(cluster.ready)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome == "Promoted"


@pytest.mark.transition("pods-past-deadline")
def test_failure_that_lasts(cluster: FakeCluster) -> None:
    """Given a transient write error until the deadline, the abort keeps its cause."""
    cluster.unreachable = "the API server cannot be reached: no answer in 10 s"
    cluster.model(2).until(lambda: cluster.apply_errors, 600)
    cluster.run(120)
    assert cluster.rollout is not None
    cluster.until(lambda: cluster.parsed.last_rollout, 7200)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert last.reason == "ProgressDeadlineExceeded"
    assert "(ApplyFailed)" in last.message
    assert cluster.unreachable in last.message


@pytest.mark.transition("apply-failed")
def test_child_that_stays_rejected(cluster: FakeCluster) -> None:
    """Given a child that is rejected repeatedly, the backoff alone sets the time of the retry."""
    cluster.run(1)
    del cluster.objects["Deployment", f"digits-{cluster.parsed.target.revision}"]
    cluster.alive = False
    assert (cluster.reconcile().requeue_after or 0.0) <= AFTER_WRITES_SECONDS
    cluster.apply_errors["Deployment"] = "spec.template: Forbidden"
    cluster.reconcile()
    assert (cluster.reconcile().requeue_after or math.inf) > AFTER_WRITES_SECONDS


def test_stable_that_loses_its_pods(cluster: FakeCluster) -> None:
    """Given no ready pod, Available is False until one is ready again."""
    behaviour = Behaviour(load_seconds=1e9)
    cluster.behaviours[SPEC["model"]["storageUri"]] = behaviour
    cluster.settle()
    assert cluster.condition("Available") == ("False", "Unavailable")
    assert cluster.condition("Ready") == ("False", "Unavailable")
    behaviour.load_seconds = 5.0
    cluster.until(cluster.ready)
    assert cluster.reasons.count("Unavailable") == 1


def test_record_that_is_lost(cluster: FakeCluster) -> None:
    """Given a stable revision whose record was deleted, its Deployment is not changed."""
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.weights[-1].get(stable) == 80)
    cluster.objects.pop(("ConfigMap", f"digits-{stable}"))
    writes = len(cluster.writes)
    cluster.settle()
    assert "is lost" in cluster.message("Ready")
    assert not [one for one, _ in cluster.writes[writes:] if f"digits-{stable}" in one]
    cluster.until(cluster.ready)
    assert cluster.lost == 0.0


def test_drift_is_repaired(cluster: FakeCluster) -> None:
    """Given an edited route and a scaled Deployment, both are restored."""
    cluster.tamper("HTTPRoute", "digits")["spec"]["rules"][0]["backendRefs"][0]["weight"] = 7
    cluster.tamper("Deployment", f"digits-{cluster.stable}")["spec"]["replicas"] = 9
    cluster.objects.pop(("PodDisruptionBudget", "digits"))
    cluster.settle()
    route = cluster.objects["HTTPRoute", "digits"]
    assert route["spec"]["rules"][0]["backendRefs"][0]["weight"] == 100
    assert cluster.replicas(cluster.stable or "") == 2
    assert ("PodDisruptionBudget", "digits") in cluster.objects


@pytest.mark.transition("route-deleted")
def test_deleted_route_comes_back_as_it_was(cluster: FakeCluster) -> None:
    """Given a canary, a deleted route is created again with its weights."""
    cluster.model(2).until(lambda: cluster.weights[-1].get(cluster.stable) == 80)
    cluster.objects.pop(("HTTPRoute", "digits"))
    writes = len(cluster.writes)
    cluster.settle()
    assert [one for one, _ in cluster.writes[writes:]] == ["apply HTTPRoute/digits"]
    assert cluster.weights[-1][cluster.stable] == 80


def test_autoscaling_keeps_the_pods_that_there_are(cluster: FakeCluster) -> None:
    """Given a switch to autoscaling, the number of replicas is kept, not reset to one."""
    cluster.edit(lambda spec: spec.update(replicas=5)).until(cluster.ready)
    cluster.edit(lambda spec: (spec.pop("replicas"), spec.update(autoscaling={"maxReplicas": 9})))
    cluster.run(30)
    assert cluster.replicas(cluster.stable or "") == 5
    assert ("HorizontalPodAutoscaler", "digits") in cluster.objects


def test_rollout_under_an_autoscaler(cluster: FakeCluster) -> None:
    """Given five autoscaled pods, a promoted revision has five and is then autoscaled."""
    cluster.edit(lambda spec: spec.update(replicas=5)).until(cluster.ready)
    cluster.edit(lambda spec: (spec.pop("replicas"), spec.update(autoscaling={"maxReplicas": 9})))
    cluster.until(cluster.ready)
    cluster.model(2).until(lambda: cluster.weights[-1].get(cluster.stable) == 80)
    scaler = cluster.objects["HorizontalPodAutoscaler", "digits"]
    assert scaler["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    cluster.until(cluster.ready)
    scaler = cluster.objects["HorizontalPodAutoscaler", "digits"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == f"digits-{cluster.stable}"
    assert (cluster.replicas(cluster.stable or ""), cluster.lost) == (5, 0.0)


@pytest.mark.transition("settings-edited", "scaled-to-zero")
def test_scaled_to_zero_and_back(cluster: FakeCluster) -> None:
    """Given `replicas: 0`, nothing serves and no condition reports a fault."""
    cluster.edit(lambda spec: spec.update(replicas=0)).run(10)
    assert cluster.condition("Ready") == ("True", "ScaledToZero")
    assert cluster.condition("Available") == ("False", "ScaledToZero")
    cluster.edit(lambda spec: spec.update(replicas=2)).until(cluster.ready)
    assert cluster.condition("Ready") == ("True", "Serving")
