"""Every rule between fields, on a real API server: an object that passes, one that is refused."""

from dataclasses import dataclass
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.crd import crd
from tests.api.conftest import Refusal
from tests.api.objects import (
    ABSENT,
    BY_GATEWAY,
    BY_INGRESS,
    BY_ROUTE,
    BY_SERVICE,
    TENSOR,
    changed,
    model_deployment,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A good object that comes close, and a bad one with what is said about it."""

    good: Manifest
    bad: Manifest
    field: str
    said: str


def row(field: str, said: str, good: Manifest, bad: Manifest) -> Row:
    """Write a row: which field is blamed, with which cure, and the two specs."""
    return Row(model_deployment(good), model_deployment(bad), field, said)


def steps(*weights: int) -> Manifest:
    """Ask for a canary with these weights."""
    return changed(BY_GATEWAY, rollout__canary={"steps": [{"weight": w} for w in weights]})


def step(**fields: Any) -> Manifest:
    """Ask for a canary with one step."""
    return changed(BY_GATEWAY, rollout__canary={"steps": [fields]})


def told_by(count: int) -> Manifest:
    """Tell testers by so many headers."""
    return {"headers": [{"name": f"x-tester-{n}", "value": "yes"} for n in range(count)]}


def by_pods(*steps: Manifest) -> Manifest:
    """Ask for a canary with these steps behind a Service."""
    canary = {"strategy": "Canary", "canary": {"steps": list(steps)}}
    return changed(BY_SERVICE, rollout=BY_SERVICE["rollout"] | canary)


def uri(text: str, good: Manifest = BY_SERVICE) -> Manifest:
    """Ask for a model from somewhere."""
    return changed(good, model__storageUri=text)


def image(text: str) -> Manifest:
    """Ask for an image."""
    return changed(BY_SERVICE, runtime={"image": text})


def analysis(**fields: Any) -> Manifest:
    """Ask for another judgement."""
    return changed(BY_GATEWAY, rollout__analysis=fields)


PATCHED = {"gateway": {"parentRefs": [{"name": "public"}]}}
ROWS = {
    "replicas with autoscaling": row(
        "spec.replicas",
        "replicas and autoscaling exclude each other: remove one",
        BY_GATEWAY,
        changed(BY_GATEWAY, replicas=2),
    ),
    "autoscaling by CPU without a request": row(
        "spec.autoscaling",
        "set resources.requests.cpu, or autoscaling.metrics",
        changed(BY_GATEWAY, autoscaling__metrics=ABSENT),
        changed(BY_GATEWAY, autoscaling__metrics=[], resources=ABSENT),
    ),
    "fewer replicas at most than at least": row(
        "spec.autoscaling.maxReplicas",
        "raise it or lower minReplicas",
        changed(BY_GATEWAY, autoscaling__minReplicas=2),
        changed(BY_GATEWAY, autoscaling__minReplicas=3),
    ),
    "canary by pods that somebody else scales": row(
        "spec.autoscaling",
        "set replicas instead of autoscaling, or rollout.strategy to BlueGreen",
        changed(BY_SERVICE, rollout__strategy="Canary"),
        changed(BY_SERVICE, rollout__strategy="Canary", autoscaling=BY_GATEWAY["autoscaling"]),
    ),
    "canary by pods with a scale of its own": row(
        "spec.rollout.canary.steps",
        "remove scale from the steps with a weight over 0",
        by_pods({"weight": 0, "scale": {"replicas": 2}}, {"weight": 20}),
        by_pods({"weight": 20, "scale": {"replicas": 2}}),
    ),
    "a window of steps that there are not": row(
        "spec.rollout.rollbackWindowRevisions",
        "remove rollbackWindowRevisions, or choose another strategy",
        changed(BY_SERVICE, rollout__strategy="Recreate"),
        changed(BY_SERVICE, rollout__strategy="Recreate", rollout__rollbackWindowRevisions=1),
    ),
    "counters of a router that is not there": row(
        "spec.rollout.analysis.provider",
        "set rollout.analysis.provider to None, or expose by Gateway or Ingress",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis=ABSENT),
    ),
    "Contour's counters of an Ingress": row(
        "spec.rollout.analysis.provider",
        "only ingress-nginx tells revisions behind an Ingress apart",
        changed(BY_INGRESS, rollout__analysis__provider="IngressNginx"),
        changed(BY_INGRESS, rollout={"strategy": "BlueGreen"}),
    ),
    "queries of a router without the provider": row(
        "spec.rollout.analysis.router",
        "set both or none",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis__provider="None"),
    ),
    "the provider without queries of a router": row(
        "spec.rollout.analysis.router",
        "set both or none",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis__router=ABSENT),
    ),
    "an objective without errors": row(
        "spec.rollout.analysis.metrics[0].maxErrorPercent",
        "set it to the part that you can bear",
        BY_GATEWAY,
        changed(BY_GATEWAY, rollout__analysis__metrics__0__maxErrorPercent="0"),
    ),
    "ingress-nginx's counters of an HTTPRoute": row(
        "spec.rollout.analysis.provider",
        "set rollout.analysis.provider to the router of your Gateway",
        changed(BY_GATEWAY, rollout__analysis__provider="EnvoyGateway"),
        changed(BY_GATEWAY, rollout__analysis__provider="IngressNginx"),
    ),
    "pods replaced one by one without steps": row(
        "spec.rollout.capacityMode",
        "only a canary can replace pods one by one: set capacityMode to Extra or Wait",
        changed(BY_SERVICE, rollout__capacityMode="Wait"),
        changed(BY_SERVICE, rollout__capacityMode="Replace"),
    ),
    "pods replaced under an autoscaler": row(
        "spec.rollout.capacityMode",
        "set replicas, or rollout.capacityMode to Extra or Wait",
        changed(BY_GATEWAY, rollout__capacityMode="Replace", autoscaling=ABSENT),
        changed(BY_GATEWAY, rollout__capacityMode="Replace"),
    ),
    "cache of an unknown version": row(
        "spec.runtime.version",
        "set runtime.version to the version of your image",
        BY_GATEWAY,
        changed(BY_GATEWAY, runtime__version=ABSENT),
    ),
    "tensorflow after its end": row(
        "spec.model.config.backend",
        "set runtime.version to 25.02",
        changed(BY_SERVICE, model__config__backend="tensorflow", runtime={"version": "25.02"}),
        changed(BY_SERVICE, model__config__backend="tensorflow"),
    ),
    "no configuration": row(
        "spec.model.config",
        "exactly one of config and configPbtxt",
        BY_INGRESS,
        changed(BY_INGRESS, model__configPbtxt=ABSENT),
    ),
    "two configurations": row(
        "spec.model.config",
        "set one and remove the other",
        BY_SERVICE,
        changed(BY_SERVICE, model__configPbtxt='backend: "x"'),
    ),
    "another kind of storage": row(
        "spec.model.storageUri",
        "must begin with configMap://, pvc:// or https://",
        uri("pvc://models"),
        uri("s3://models/x"),
    ),
    "a ConfigMap with a path": row(
        "spec.model.storageUri",
        "must be configMap://NAME, pvc://CLAIM/PATH or https://HOST/FILE",
        uri("configMap://models"),
        uri("configMap://models/x"),
    ),
    "credentials in an address": row(
        "spec.model.storageUri",
        "those belong into the Secret",
        uri("https://example.com:8443/m.onnx?v=3"),
        uri("https://me:secret@example.com/m.onnx"),
    ),
    "a way out of the volume": row(
        "spec.model.storageUri",
        "remove the '..'",
        uri("pvc://models/..hidden"),
        uri("pvc://models/a/../.."),
    ),
    "credentials for a volume": row(
        "spec.model.secretName",
        "remove it",
        BY_GATEWAY,
        changed(BY_SERVICE, model__secretName="x"),
    ),
    "batching without batches": row(
        "spec.model.config.maxBatchSize",
        "set maxBatchSize to at least 1, or remove dynamicBatching",
        changed(BY_SERVICE, model__config__dynamicBatching={}, model__config__maxBatchSize=1),
        changed(BY_SERVICE, model__config__dynamicBatching={}),
    ),
    "preferred batches beyond the largest": row(
        "spec.model.config.dynamicBatching.preferredBatchSizes",
        "lower them or raise maxBatchSize",
        BY_GATEWAY,
        changed(BY_GATEWAY, model__config__dynamicBatching__preferredBatchSizes=[4, 9]),
    ),
    "a dimension of nothing": row(
        "spec.model.config.inputs[0].dims",
        "at least 1, or -1 for any size",
        changed(BY_SERVICE, model__config__inputs=[TENSOR | {"dims": [1, -1]}]),
        changed(BY_SERVICE, model__config__inputs=[TENSOR | {"dims": [0]}]),
    ),
    "no Triton": row(
        "spec.runtime.version",
        "set version, such as 26.09, or a whole image",
        changed(BY_SERVICE, runtime=ABSENT),
        changed(BY_SERVICE, runtime={"args": []}),
    ),
    "an image without a tag": row(
        "spec.runtime.image",
        "write repository:tag or repository@sha256:",
        image("example:5000/triton@sha256:" + "0" * 64),
        image("example:5000/triton"),
    ),
    "latest": row(
        "spec.runtime.image",
        "must not be tagged latest",
        image("example:5000/triton:latest-not"),
        image("example:5000/triton:latest"),
    ),
    "an argument of ours": row(
        "spec.runtime.args",
        "which Halimede sets: remove them",
        changed(BY_SERVICE, runtime={"version": "24.10", "args": ["--http-thread-count=4"]}),
        changed(BY_SERVICE, runtime={"version": "24.10", "args": ["--http-port=80"]}),
    ),
    "a limit that is no quantity": row(
        "spec.resources.limits",
        "limits must be quantities such as 500m, 2 or 2Gi",
        changed(BY_SERVICE, resources={"limits": {"cpu": 2, "memory": "1.5Gi"}}),
        changed(BY_SERVICE, resources={"limits": {"memory": "2 GB"}}),
    ),
    "a request that is no quantity": row(
        "spec.resources.requests",
        "requests must be quantities such as 500m, 2 or 2Gi",
        changed(BY_SERVICE, resources={"requests": {"cpu": "500m"}}),
        changed(BY_SERVICE, resources={"requests": {"cpu": "a lot"}}),
    ),
    "GPUs among the limits": row(
        "spec.resources.limits",
        "set spec.gpu",
        changed(BY_SERVICE, gpu={"resourceName": "nvidia.com/mig-1g.10gb"}),
        changed(BY_SERVICE, resources={"limits": {"nvidia.com/gpu": 1}}),
    ),
    "no route for a Gateway": row(
        "spec.expose.gateway",
        "type Gateway needs gateway.parentRefs",
        BY_GATEWAY,
        changed(BY_GATEWAY, expose={"type": "Gateway"}),
    ),
    "a route of Halimede's and one of the user's": row(
        "spec.expose.gateway.parentRefs",
        "or routeRef, a HTTPRoute of your own: set one of them",
        BY_ROUTE,
        changed(BY_ROUTE, expose__gateway__parentRefs=[{"name": "public"}]),
    ),
    "neither route": row(
        "spec.expose.gateway.parentRefs",
        "gateway needs either parentRefs",
        changed(BY_GATEWAY, expose__gateway__hostnames=ABSENT),
        changed(BY_GATEWAY, expose__gateway={"hostnames": ["a.example"]}),
    ),
    "hostnames for a route of the user's": row(
        "spec.expose.gateway.hostnames",
        "are those of your HTTPRoute: remove hostnames",
        BY_ROUTE,
        changed(BY_ROUTE, expose__gateway__hostnames=["a.example"]),
    ),
    "no host for an Ingress": row(
        "spec.expose.ingress",
        "type Ingress needs ingress.host",
        BY_INGRESS,
        changed(BY_INGRESS, expose={"type": "Ingress"}),
    ),
    "a Gateway for a Service": row(
        "spec.expose.gateway",
        "remove it, or set type to Gateway",
        BY_SERVICE,
        changed(BY_SERVICE, expose={"type": "Service", **PATCHED}),
    ),
    "an Ingress for a Service": row(
        "spec.expose.ingress",
        "remove it, or set type to Ingress",
        BY_SERVICE,
        changed(BY_SERVICE, expose={"type": "Service", "ingress": {"host": "a.example"}}),
    ),
    "a scale of two kinds": row(
        "spec.rollout.canary.steps[0].scale.percent",
        "set exactly one of replicas and percent",
        BY_INGRESS,
        step(weight=5, scale={"replicas": 1, "percent": 50}),
    ),
    "a scale of nothing": row(
        "spec.rollout.canary.steps[0].scale.percent",
        "set exactly one of replicas and percent",
        BY_GATEWAY,
        step(weight=5, scale={}),
    ),
    "no weight and nothing to do": row(
        "spec.rollout.canary.steps",
        "give it a pause or a scale, set match",
        changed(steps(0, 5), rollout__canary__match=told_by(2)),
        steps(0, 5),
    ),
    "no weight at all": row(
        "spec.rollout.canary.steps",
        "add a step with a weight over 0",
        BY_GATEWAY,
        step(weight=0, pause={}),
    ),
    "testers of a user's route": row(
        "spec.rollout.canary.match",
        "remove rollout.canary.match, or expose by gateway.parentRefs or Ingress",
        BY_GATEWAY,
        changed(BY_ROUTE, rollout__canary={"match": told_by(1)}),
    ),
    "testers of a Service": row(
        "spec.rollout.canary.match",
        "remove rollout.canary.match, or expose by gateway.parentRefs or Ingress",
        BY_GATEWAY,
        changed(BY_SERVICE, rollout__canary={"match": told_by(1)}),
    ),
    "testers with two headers behind an Ingress": row(
        "spec.rollout.canary.match.headers",
        "by one header: remove the others",
        changed(BY_INGRESS, rollout__canary={"match": told_by(1)}),
        changed(BY_INGRESS, rollout__canary={"match": told_by(2)}),
    ),
    "copies of an Ingress's requests": row(
        "spec.rollout.canary.mirror",
        "remove rollout.canary.mirror, or set expose.gateway.parentRefs",
        BY_GATEWAY,
        changed(BY_INGRESS, rollout__canary={"mirror": {}}),
    ),
    "copies for the preview of a Service": row(
        "spec.rollout.blueGreen.previewAnalysis.mirrorPercent",
        "remove mirrorPercent, or set expose.gateway.parentRefs",
        changed(BY_SERVICE, rollout__blueGreen={"previewAnalysis": {}}),
        changed(BY_SERVICE, rollout__blueGreen={"previewAnalysis": {"mirrorPercent": 100}}),
    ),
    "some copies by Contour": row(
        "spec.rollout.canary.mirror.percent",
        "Contour copies every request, whatever the percentage: set it to 100",
        changed(
            BY_GATEWAY,
            rollout__canary__mirror__percent=50,
            rollout__analysis__provider="EnvoyGateway",
        ),
        changed(BY_GATEWAY, rollout__canary__mirror__percent=50),
    ),
    "some copies for a preview by Contour": row(
        "spec.rollout.blueGreen.previewAnalysis.mirrorPercent",
        "set it to 100 or 0",
        changed(BY_GATEWAY, rollout__blueGreen__previewAnalysis__mirrorPercent=0),
        changed(BY_GATEWAY, rollout__blueGreen__previewAnalysis__mirrorPercent=50),
    ),
    "weights that fall": row(
        "spec.rollout.canary.steps", "must rise: order them", steps(5, 100), steps(50, 5)
    ),
    "weights that stay": row(
        "spec.rollout.canary.steps", "a weight of its own", steps(100), steps(5, 5, 50)
    ),
    "a step that ends before it may": row(
        "spec.rollout.canary.steps[0].maxSeconds",
        "raise it or lower minSeconds",
        changed(BY_GATEWAY, rollout__canary__steps__0__minSeconds=2),
        changed(BY_GATEWAY, rollout__canary__steps__0__minSeconds=3),
    ),
    "no error at all": row(
        "spec.rollout.analysis.maxErrorPercent",
        "set it to the error rate that you can bear",
        analysis(maxErrorPercent="0.0001"),
        analysis(maxErrorPercent="0.0"),
    ),
    "better than what serves": row(
        "spec.rollout.analysis.maxErrorRatio",
        "must be more than 1",
        analysis(maxErrorRatio="1.01"),
        analysis(maxErrorRatio="1.00"),
    ),
    "no slow answer at all": row(
        "spec.rollout.analysis.latency.maxSlowPercent",
        "set it to about twice what the stable revision has",
        analysis(latency={"thresholdMilliseconds": 250, "maxSlowPercent": "0.0001"}),
        analysis(latency={"thresholdMilliseconds": 250, "maxSlowPercent": "0"}),
    ),
    "latency where there is no histogram": row(
        "spec.rollout.analysis.latency",
        "set provider to Contour or EnvoyGateway, or leave latency out",
        analysis(provider="EnvoyGateway", latency={"thresholdMilliseconds": 250}),
        analysis(provider="Traefik", latency={"thresholdMilliseconds": 250}),
    ),
    "a name too long for its children": Row(
        model_deployment(BY_SERVICE, name="a" * 48),
        model_deployment(BY_SERVICE, name="a" * 49),
        "metadata.name",
        "choose a shorter name",
    ),
    "a name that no Service can have": Row(
        model_deployment(BY_SERVICE, name="a-3"),
        model_deployment(BY_SERVICE, name="3d.model"),
        "metadata.name",
        "must begin with a letter",
    ),
    "a field that does not exist": row(
        "spec.modle", "unknown field", BY_SERVICE, changed(BY_SERVICE, modle={})
    ),
    "two inputs of one name": row(
        "spec.model.config.inputs[1]",
        "Duplicate value",
        changed(BY_SERVICE, model__config__inputs=[TENSOR, TENSOR | {"name": "Y"}]),
        changed(BY_SERVICE, model__config__inputs=[TENSOR, TENSOR]),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_accepted(refusal: Refusal, name: str) -> None:
    """What comes close to breaking a rule, and does not, is accepted."""
    assert refusal(ROWS[name].good) == ""


@pytest.mark.parametrize("name", ROWS)
def test_refused(refusal: Refusal, name: str) -> None:
    """What breaks a rule is refused with the field to blame and the cure."""
    said = refusal(ROWS[name].bad)
    assert ROWS[name].field in said
    assert ROWS[name].said in said


def messages(node: Any) -> set[str]:
    """Collect the messages of all rules of a schema."""
    if isinstance(node, list):
        return set().union(*map(messages, node))
    if not isinstance(node, dict):
        return set()
    own = {rule["message"] for rule in node.get("x-kubernetes-validations", ())}
    return own.union(*map(messages, node.values()))


def test_every_rule_has_its_row() -> None:
    """No rule is without an object that it refuses."""
    untested = {
        message
        for message in messages(crd())
        if not any(one.said in message for one in ROWS.values())
    }
    assert untested == set()
