"""Rules of `spec.rollout`, alone and with the rest of the spec."""

from typing import Any

from halimede.api.base import Manifest
from tests.api.objects import ABSENT, BY_GATEWAY, BY_INGRESS, BY_ROUTE, BY_SERVICE, changed
from tests.api.row import row


def steps(*weights: int) -> Manifest:
    """Return a canary with these weights."""
    return changed(BY_GATEWAY, rollout__canary={"steps": [{"weight": w} for w in weights]})


def step(**fields: Any) -> Manifest:
    """Return a canary with one step."""
    return changed(BY_GATEWAY, rollout__canary={"steps": [fields]})


def matched_by(count: int) -> Manifest:
    """Return a canary whose testers have this number of headers."""
    return {"headers": [{"name": f"x-tester-{n}", "value": "yes"} for n in range(count)]}


def by_pods(*steps: Manifest) -> Manifest:
    """Return a canary with these steps behind a Service."""
    canary = {"strategy": "Canary", "canary": {"steps": list(steps)}}
    return changed(BY_SERVICE, rollout=BY_SERVICE["rollout"] | canary)


def analysis(**fields: Any) -> Manifest:
    """Return changed analysis settings."""
    return changed(BY_GATEWAY, rollout__analysis=fields)


REPLACING = changed(
    BY_GATEWAY, rollout__capacityMode="Replace", rollout__canary__controlPercent=ABSENT
)

ROWS = {
    "canary by pods that somebody else scales": row(
        "spec.autoscaling",
        "set replicas instead of autoscaling, or rollout.strategy to BlueGreen",
        changed(BY_SERVICE, rollout__strategy="Canary"),
        changed(BY_SERVICE, rollout__strategy="Canary", autoscaling=BY_GATEWAY["autoscaling"]),
    ),
    "canary by pods with a scale of its own": row(
        "spec.rollout.canary.steps",
        "remove scale from the steps with a weight of more than 0",
        by_pods({"weight": 0, "scale": {"replicas": 2}}, {"weight": 20}),
        by_pods({"weight": 20, "scale": {"replicas": 2}}),
    ),
    "a window of steps that there are not": row(
        "spec.rollout.rollbackWindowRevisions",
        "remove rollbackWindowRevisions, or set rollout.strategy",
        changed(BY_SERVICE, rollout__strategy="Recreate"),
        changed(BY_SERVICE, rollout__strategy="Recreate", rollout__rollbackWindowRevisions=1),
    ),
    "counters of a router that is not there": row(
        "spec.rollout.analysis.provider",
        "set rollout.analysis.provider to None, or expose.type to Gateway or Ingress",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis=ABSENT),
    ),
    "Contour's counters of an Ingress": row(
        "spec.rollout.analysis.provider",
        "with type Ingress only provider IngressNginx can count requests by revision",
        changed(BY_INGRESS, rollout__analysis__provider="IngressNginx"),
        changed(BY_INGRESS, rollout={"strategy": "BlueGreen"}),
    ),
    "queries of a router without the provider": row(
        "spec.rollout.analysis.router",
        "set both or neither",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis__provider="None"),
    ),
    "the provider without queries of a router": row(
        "spec.rollout.analysis.router",
        "set both or neither",
        BY_SERVICE,
        changed(BY_SERVICE, rollout__analysis__router=ABSENT),
    ),
    "an objective without errors": row(
        "spec.rollout.analysis.metrics[0].maxErrorPercent",
        "set it to the highest error rate that you accept",
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
        "capacityMode Replace requires strategy Canary: set capacityMode to Extra or Wait",
        changed(BY_SERVICE, rollout__capacityMode="Wait"),
        changed(BY_SERVICE, rollout__capacityMode="Replace"),
    ),
    "a control share of a Service": row(
        "spec.rollout.canary.controlPercent",
        "remove rollout.canary.controlPercent, or set expose.type to Gateway or Ingress",
        changed(BY_SERVICE, rollout__canary={"controlPercent": 0}),
        changed(BY_SERVICE, rollout__canary={"controlPercent": 1}),
    ),
    "a control share of a Service's switch": row(
        "spec.rollout.blueGreen.controlPercent",
        "remove rollout.blueGreen.controlPercent, or set expose.type to Gateway or Ingress",
        changed(BY_SERVICE, rollout__blueGreen={"controlPercent": 0}),
        changed(BY_SERVICE, rollout__blueGreen={"controlPercent": 1}),
    ),
    "a control share of pods that are given away": row(
        "spec.rollout.canary.controlPercent",
        "remove rollout.canary.controlPercent, or set rollout.capacityMode to Extra or Wait",
        changed(BY_INGRESS, rollout__canary={"controlPercent": 10}),
        changed(
            BY_INGRESS, rollout__canary={"controlPercent": 10}, rollout__capacityMode="Replace"
        ),
    ),
    "a control share without a bake": row(
        "spec.rollout.canary.controlPercent",
        "remove rollout.canary.controlPercent, or raise rollout.canary.bakeSeconds",
        changed(BY_INGRESS, rollout__canary={"bakeSeconds": 0, "controlPercent": 0}),
        changed(BY_INGRESS, rollout__canary={"bakeSeconds": 0, "controlPercent": 10}),
    ),
    "a control share without a bake after a switch": row(
        "spec.rollout.blueGreen.controlPercent",
        "remove rollout.blueGreen.controlPercent, or raise rollout.blueGreen.bakeSeconds",
        changed(BY_INGRESS, rollout__blueGreen={"bakeSeconds": 0}),
        changed(BY_INGRESS, rollout__blueGreen={"bakeSeconds": 0, "controlPercent": 10}),
    ),
    "a bake shorter than two polls": row(
        "spec.rollout.canary.bakeSeconds",
        "raise rollout.canary.bakeSeconds to at least 2 * analysis.intervalSeconds",
        changed(BY_INGRESS, rollout__canary={"bakeSeconds": 30}),
        changed(BY_INGRESS, rollout__canary={"bakeSeconds": 29}),
    ),
    "a default bake shorter than two polls": row(
        "spec.rollout.canary.bakeSeconds",
        "raise rollout.canary.bakeSeconds to at least 2 * analysis.intervalSeconds",
        changed(BY_INGRESS, rollout__analysis={"provider": "None", "intervalSeconds": 31}),
        changed(
            BY_INGRESS,
            rollout__analysis={"provider": "None", "intervalSeconds": 31, "pace": "Swift"},
        ),
    ),
    "a bake shorter than two polls after a switch": row(
        "spec.rollout.blueGreen.bakeSeconds",
        "raise rollout.blueGreen.bakeSeconds to at least analysis.warmupSeconds",
        changed(BY_SERVICE, rollout__blueGreen={"bakeSeconds": 60}),
        changed(BY_SERVICE, rollout__blueGreen={"bakeSeconds": 59}),
    ),
    "a bake shorter than two polls after an outage": row(
        "spec.rollout.recreate.bakeSeconds",
        "raise rollout.recreate.bakeSeconds to at least analysis.warmupSeconds",
        changed(BY_SERVICE, rollout__strategy="Recreate", rollout__recreate={"bakeSeconds": 0}),
        changed(BY_SERVICE, rollout__strategy="Recreate", rollout__recreate={"bakeSeconds": 59}),
    ),
    "pods replaced under an autoscaler": row(
        "spec.rollout.capacityMode",
        "set replicas instead, or set rollout.capacityMode to Extra or Wait",
        changed(REPLACING, autoscaling=ABSENT),
        REPLACING,
    ),
    "a scale of two kinds": row(
        "spec.rollout.canary.steps[0].scale.percent",
        "scale needs exactly one of replicas",
        BY_INGRESS,
        step(weight=5, scale={"replicas": 1, "percent": 50}),
    ),
    "a scale of nothing": row(
        "spec.rollout.canary.steps[0].scale.percent",
        "scale needs exactly one of replicas",
        BY_GATEWAY,
        step(weight=5, scale={}),
    ),
    "no weight and nothing to do": row(
        "spec.rollout.canary.steps",
        "give it a pause or a scale, set match",
        changed(steps(0, 5), rollout__canary__match=matched_by(2)),
        steps(0, 5),
    ),
    "no weight at all": row(
        "spec.rollout.canary.steps",
        "at least one step needs a weight of more than 0",
        BY_GATEWAY,
        step(weight=0, pause={}),
    ),
    "testers of a user's route": row(
        "spec.rollout.canary.match",
        "remove rollout.canary.match, or set expose.gateway.parentRefs",
        BY_GATEWAY,
        changed(BY_ROUTE, rollout__canary={"match": matched_by(1)}),
    ),
    "testers of a Service": row(
        "spec.rollout.canary.match",
        "remove rollout.canary.match, or set expose.gateway.parentRefs",
        BY_GATEWAY,
        changed(BY_SERVICE, rollout__canary={"match": matched_by(1)}),
    ),
    "testers with two headers behind an Ingress": row(
        "spec.rollout.canary.match.headers",
        "only one header: remove the others",
        changed(BY_INGRESS, rollout__canary={"match": matched_by(1)}),
        changed(BY_INGRESS, rollout__canary={"match": matched_by(2)}),
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
        "whatever the percentage: set rollout.canary.mirror.percent to 100",
        changed(
            BY_GATEWAY,
            rollout__canary__mirror__percent=50,
            rollout__analysis__provider="EnvoyGateway",
        ),
        changed(BY_GATEWAY, rollout__canary__mirror__percent=50),
    ),
    "some copies for a preview by Contour": row(
        "spec.rollout.blueGreen.previewAnalysis.mirrorPercent",
        "set rollout.blueGreen.previewAnalysis.mirrorPercent to 100 or 0",
        changed(BY_GATEWAY, rollout__blueGreen__previewAnalysis__mirrorPercent=0),
        changed(BY_GATEWAY, rollout__blueGreen__previewAnalysis__mirrorPercent=50),
    ),
    "weights that fall": row(
        "spec.rollout.canary.steps",
        "must increase: order the steps by weight",
        steps(5, 100),
        steps(50, 5),
    ),
    "weights that stay": row(
        "spec.rollout.canary.steps", "each step a different weight", steps(100), steps(5, 5, 50)
    ),
    "a step that ends before it may": row(
        "spec.rollout.canary.steps[0].maxSeconds",
        "raise maxSeconds or lower minSeconds",
        changed(BY_GATEWAY, rollout__canary__steps__0__minSeconds=2),
        changed(BY_GATEWAY, rollout__canary__steps__0__minSeconds=3),
    ),
    "no error at all": row(
        "spec.rollout.analysis.maxErrorPercent",
        "set it to the highest error rate that you accept",
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
        "set it to about twice the stable revision's percentage",
        analysis(latency={"thresholdMilliseconds": 250, "maxSlowPercent": "0.0001"}),
        analysis(latency={"thresholdMilliseconds": 250, "maxSlowPercent": "0"}),
    ),
    "latency where there is no histogram": row(
        "spec.rollout.analysis.latency",
        "set provider to Contour or EnvoyGateway, or remove latency",
        analysis(provider="EnvoyGateway", latency={"thresholdMilliseconds": 250}),
        analysis(provider="Traefik", latency={"thresholdMilliseconds": 250}),
    ),
    "client errors that no router tells": row(
        "spec.rollout.analysis.onClientErrors",
        "set provider to your router, or onClientErrors to Ignore",
        analysis(provider="None", onClientErrors="Hold"),
        analysis(provider="None", onClientErrors="Abort"),
    ),
}
