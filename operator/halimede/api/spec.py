"""`spec`: which model to serve, how it runs, how it is reached and how it is rolled out."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from halimede.api.analysis import Pace
from halimede.api.base import ApiModel
from halimede.api.expose import Expose
from halimede.api.model import Model
from halimede.api.rollout import BAKE_SECONDS, SWIFT_BAKE_SECONDS, Rollout
from halimede.api.rules import DNS_SUBDOMAIN, rule, rules
from halimede.api.runtime import Autoscaling, Drain, Gpu, Probes, Resources, Runtime

_SCALE = (
    rule(
        "!has(self.replicas) || !has(self.autoscaling)",
        "replicas and autoscaling cannot be combined: remove one of them",
        ".replicas",
    ),
    rule(
        "!has(self.autoscaling)"
        " || (has(self.autoscaling.metrics) && self.autoscaling.metrics.size() > 0)"
        " || (has(self.resources) && ((has(self.resources.requests)"
        " && 'cpu' in self.resources.requests)"
        " || (has(self.resources.limits) && 'cpu' in self.resources.limits)))",
        "autoscaling by CPU requires a CPU request: set resources.requests.cpu, or set"
        " autoscaling.metrics",
        ".autoscaling",
    ),
)
_ROOM = (
    rule(
        "self.rollout.capacityMode != 'Replace' || !has(self.autoscaling)",
        "capacityMode Replace cannot be combined with autoscaling: set replicas instead, or"
        " set rollout.capacityMode to Extra or Wait",
        ".rollout.capacityMode",
    ),
)
_ROUTERS = (
    rule(
        "self.rollout.strategy != 'Canary' || self.expose.type != 'Service'"
        " || !has(self.autoscaling)",
        "strategy Canary with type Service splits requests by the number of pods: set"
        " replicas instead of autoscaling, or rollout.strategy to BlueGreen, or expose.type"
        " to Gateway or Ingress",
        ".autoscaling",
    ),
    rule(
        "self.rollout.strategy != 'Canary' || self.expose.type != 'Service'"
        " || !has(self.rollout.canary.steps)"
        " || self.rollout.canary.steps.all(step, step.weight == 0 || !has(step.scale))",
        "strategy Canary with type Service splits requests by the number of pods: remove"
        " scale from the steps with a weight of more than 0, or set expose.type to Gateway or"
        " Ingress",
        ".rollout.canary.steps",
    ),
    rule(
        "self.rollout.analysis.provider in ['None', 'Custom'] || self.expose.type != 'Service'",
        "the provider counts requests at a router, but type Service has none: set"
        " rollout.analysis.provider to None, or expose.type to Gateway or Ingress",
        ".rollout.analysis.provider",
    ),
    rule(
        "self.expose.type != 'Ingress'"
        " || self.rollout.analysis.provider in ['None', 'Custom', 'IngressNginx']",
        "with type Ingress only provider IngressNginx can count requests by revision: set"
        " rollout.analysis.provider to IngressNginx or None, or expose.type to Gateway",
        ".rollout.analysis.provider",
    ),
    rule(
        "self.expose.type == 'Ingress' || self.rollout.analysis.provider != 'IngressNginx'",
        "provider IngressNginx requires type Ingress: set rollout.analysis.provider to the"
        " router of your Gateway, or expose.type to Ingress",
        ".rollout.analysis.provider",
    ),
)
_TESTERS = (
    rule(
        "!has(self.rollout.canary.match) || has(self.expose.ingress)"
        " || (has(self.expose.gateway) && has(self.expose.gateway.parentRefs))",
        "only a route that Halimede creates can match headers: remove rollout.canary.match,"
        " or set expose.gateway.parentRefs, or set expose.type to Ingress",
        ".rollout.canary.match",
    ),
    rule(
        "self.expose.type != 'Ingress' || !has(self.rollout.canary.match)"
        " || self.rollout.canary.match.headers.size() == 1",
        "ingress-nginx can match only one header: remove the others, or set expose.type"
        " to Gateway",
        ".rollout.canary.match.headers",
    ),
)
_COPIES = (
    rule(
        "!has(self.rollout.canary.mirror)"
        " || (has(self.expose.gateway) && has(self.expose.gateway.parentRefs))",
        "only an HTTPRoute that Halimede creates can mirror requests: remove"
        " rollout.canary.mirror, or set expose.gateway.parentRefs",
        ".rollout.canary.mirror",
    ),
    rule(
        "!has(self.rollout.blueGreen.previewAnalysis)"
        " || self.rollout.blueGreen.previewAnalysis.mirrorPercent == 0"
        " || (has(self.expose.gateway) && has(self.expose.gateway.parentRefs))",
        "only an HTTPRoute that Halimede creates can mirror requests: remove mirrorPercent,"
        " or set expose.gateway.parentRefs",
        ".rollout.blueGreen.previewAnalysis.mirrorPercent",
    ),
    rule(
        "self.rollout.analysis.provider != 'Contour' || !has(self.rollout.canary.mirror)"
        " || self.rollout.canary.mirror.percent == 100",
        "Contour copies all requests, whatever the percentage: set"
        " rollout.canary.mirror.percent to 100",
        ".rollout.canary.mirror.percent",
    ),
    rule(
        "self.rollout.analysis.provider != 'Contour'"
        " || !has(self.rollout.blueGreen.previewAnalysis)"
        " || self.rollout.blueGreen.previewAnalysis.mirrorPercent in [0, 100]",
        "Contour copies all requests, whatever the percentage: set"
        " rollout.blueGreen.previewAnalysis.mirrorPercent to 100 or 0",
        ".rollout.blueGreen.previewAnalysis.mirrorPercent",
    ),
)
_CONTROL = (
    rule(
        "self.expose.type != 'Service' || !has(self.rollout.canary.controlPercent)"
        " || self.rollout.canary.controlPercent == 0",
        "controlPercent requires a router, and type Service has none: remove"
        " rollout.canary.controlPercent, or set expose.type to Gateway or Ingress",
        ".rollout.canary.controlPercent",
    ),
    rule(
        "self.expose.type != 'Service' || self.rollout.blueGreen.controlPercent == 0",
        "controlPercent requires a router, and type Service has none: remove"
        " rollout.blueGreen.controlPercent, or set expose.type to Gateway or Ingress",
        ".rollout.blueGreen.controlPercent",
    ),
    rule(
        "self.rollout.capacityMode != 'Replace' || !has(self.rollout.canary.controlPercent)"
        " || self.rollout.canary.controlPercent == 0",
        "controlPercent cannot be combined with capacityMode Replace, because the stable"
        " revision has no pods left during the bake: remove rollout.canary.controlPercent, or"
        " set rollout.capacityMode to Extra or Wait",
        ".rollout.canary.controlPercent",
    ),
    rule(
        "!has(self.rollout.canary.bakeSeconds) || self.rollout.canary.bakeSeconds > 0"
        " || !has(self.rollout.canary.controlPercent)"
        " || self.rollout.canary.controlPercent == 0",
        "controlPercent requires a bake, and bakeSeconds is 0: remove"
        " rollout.canary.controlPercent, or raise rollout.canary.bakeSeconds",
        ".rollout.canary.controlPercent",
    ),
    rule(
        "self.rollout.blueGreen.bakeSeconds > 0 || self.rollout.blueGreen.controlPercent == 0",
        "controlPercent requires a bake, and bakeSeconds is 0: remove"
        " rollout.blueGreen.controlPercent, or raise rollout.blueGreen.bakeSeconds",
        ".rollout.blueGreen.controlPercent",
    ),
)
_CANARY_BAKE = (
    "(has(self.rollout.canary.bakeSeconds) ? self.rollout.canary.bakeSeconds"
    f" : self.rollout.analysis.pace == '{Pace.SWIFT}' ? {SWIFT_BAKE_SECONDS} : {BAKE_SECONDS})"
)
"""The length of a canary's bake in CEL."""
_BAKE = (
    rule(
        f"self.rollout.strategy != 'Canary' || {_CANARY_BAKE} == 0"
        f" || {_CANARY_BAKE} >= 2 * self.rollout.analysis.intervalSeconds",
        "the bake is too short for two polls of the judge: raise rollout.canary.bakeSeconds"
        " to at least 2 * analysis.intervalSeconds, lower rollout.analysis.intervalSeconds,"
        " or set rollout.canary.bakeSeconds to 0 for no bake",
        ".rollout.canary.bakeSeconds",
    ),
    rule(
        "self.rollout.strategy != 'BlueGreen' || self.rollout.blueGreen.bakeSeconds == 0"
        " || self.rollout.blueGreen.bakeSeconds >= self.rollout.analysis.warmupSeconds"
        " + 2 * self.rollout.analysis.intervalSeconds",
        "the bake is too short for two polls of the judge: raise"
        " rollout.blueGreen.bakeSeconds to at least analysis.warmupSeconds + 2 *"
        " analysis.intervalSeconds, lower these, or set rollout.blueGreen.bakeSeconds to 0"
        " for no bake",
        ".rollout.blueGreen.bakeSeconds",
    ),
    rule(
        "self.rollout.strategy != 'Recreate' || self.rollout.recreate.bakeSeconds == 0"
        " || self.rollout.recreate.bakeSeconds >= self.rollout.analysis.warmupSeconds"
        " + 2 * self.rollout.analysis.intervalSeconds",
        "the bake is too short for two polls of the judge: raise rollout.recreate.bakeSeconds"
        " to at least analysis.warmupSeconds + 2 * analysis.intervalSeconds, lower these, or"
        " set rollout.recreate.bakeSeconds to 0 for no bake",
        ".rollout.recreate.bakeSeconds",
    ),
)
_RECREATE = (
    rule(
        "self.rollout.strategy != 'Recreate' || self.rollout.rollbackWindowRevisions == 0",
        "rollbackWindowRevisions cannot be combined with strategy Recreate, which has no"
        " steps to skip: remove rollbackWindowRevisions, or set rollout.strategy to Canary or"
        " BlueGreen",
        ".rollout.rollbackWindowRevisions",
    ),
)
_TRITON = (
    rule(
        "!has(self.model.config) || self.model.config.backend != 'tensorflow'"
        " || !has(self.runtime.version) || self.runtime.version < '25.03'",
        "Triton has had no backend tensorflow since 25.03: convert the model to ONNX, or set"
        " runtime.version to 25.02 or earlier and runtime.allowVulnerableVersion to true",
        ".model.config.backend",
    ),
)


class ModelDeploymentSpec(ApiModel):
    """Which model to serve, how it runs, how it is reached and how it is rolled out."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *_SCALE,
            *_ROOM,
            *_ROUTERS,
            *_TESTERS,
            *_COPIES,
            *_CONTROL,
            *_BAKE,
            *_RECREATE,
            *_TRITON,
        )
    )

    model: Model
    """The model's files and Triton's configuration for them."""
    runtime: Runtime = Runtime(version="26.09")
    """The Triton that serves the model."""
    replicas: Annotated[int | None, Field(ge=0, le=1000)] = None
    """Number of pods. Defaults to 1 if `autoscaling` is not set."""
    autoscaling: Autoscaling | None = None
    """Let the number of pods follow the load; replaces `replicas`."""
    resources: Resources = Resources()
    """CPU and memory of each pod."""
    gpu: Gpu | None = None
    """GPUs of each pod; absent: the model runs on CPUs."""
    expose: Expose
    """How clients reach the model."""
    probes: Probes = Probes()
    """How long startup may take."""
    drain: Drain = Drain()
    """How a pod terminates without losing a request."""
    rollout: Rollout = Rollout()
    """How a new revision is rolled out."""
    service_account_name: Annotated[str | None, Field(pattern=DNS_SUBDOMAIN, max_length=253)] = (
        None
    )
    """ServiceAccount of the pods, for the image pull Secrets and the workload identity that come
    with it. No token of it is mounted. Names other than `default` need the administrator's
    permission."""
    pod_template: dict[str, Any] | None = None
    """Strategic merge patch for the rendered pod template (`metadata` and `spec` of a pod), for
    settings that have no field here. Triton's container is named `triton`, the init container that
    fetches the model's files `fetch`. At most 64 KiB as JSON and 40 levels."""
