"""Who gets which share of the requests: the entry Service and the route.

The Ingresses rest on what ingress-nginx does, as its sources and issues tell:

- Another backend Service in an Ingress means a reload, during which requests get 503 (its issues
  6557, 4469). Endpoints and canary annotations change without one.
- Without endpoints of the main Ingress all requests get 503, even at canary-weight 100 (8212,
  13086). Without endpoints of the canary, its requests go to the main one.
- One Service behind both a main and a canary Ingress is unusable in some versions (3952, 8004).
- A main Ingress may have one canary.

So the main Ingresses, for HTTP and for gRPC, always name the entry Service, whose selector is what
moves, in one write for both; a canary names the Service of its revision. The order is:

| | entry Service selects | canary Ingresses |
|---|---|---|
| on the way | stable | name the new revision, with its weight |
| bake with a control share | stable, untouched | all but that share |
| its commit, first write | new, at full scale by now | still all but that share |
| then, in the same pass | new | deleted |
| bake without one, first write | new, at full scale by now | still with the last weight |
| then, in the same pass | new | weight 100 |
| once all that is live and settled, and the bake is over | new | deleted |
| abort before the selector has moved | stable, untouched | deleted |
| abort after that, first write | stable, still up | still with weight 100 |
| then, in the same pass | stable | deleted |

If the control share is dropped because the stable revision lost its pods, the writes are those at
the start of a bake without a control share. The old revision outlives the commit by at least
`settleSeconds`, for a controller that drops the canary before it knows the entry Service's new
pods.

The stable revision has ready pods all the while, and the new one from before its first weight
until it has had none for a while, so that each of these lines may last.
"""

from dataclasses import dataclass

from halimede.api.analysis import MetricsProvider
from halimede.api.base import Manifest, RevisionHash
from halimede.api.expose import ExposeType, GatewayExposure, IngressExposure
from halimede.api.match import Match
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render

GRPC_PATH = "/inference.GRPCInferenceService"
NGINX = "nginx.ingress.kubernetes.io"
FULL_WEIGHT = 100
"""Percent."""
RouteVariant = tuple[list[Manifest], list[Manifest]]
"""Headers that requests must have, and the shares of those that do."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision and its share."""

    revision: RevisionHash
    """The revision's hash."""
    weight: int
    """Percentage of the requests; 0 keeps the proxies ready for it."""


@dataclass(frozen=True, slots=True)
class CanaryExtras:
    """What leads to the new revision besides its weight."""

    match: Match | None = None
    """Which requests are testers'."""
    copies: int = 0
    """The percentage of requests of which it gets copies."""
    preview: RevisionHash | None = None
    """The revision that the preview shows."""


def render_traffic(
    md: ModelDeployment,
    backends: tuple[Backend, ...],
    preview: RevisionHash | None = None,
    *,
    testers: bool = False,
    copies: int = 0,
    by_pods: bool = False,
) -> tuple[Manifest, ...]:
    """Render the entry Service, the preview Service, and what `spec.expose` asks for.

    Args:
        md: The owner.
        backends: The stable revision first; the one that is rolled out second.
        preview: Hash of the revision that the Service `<name>-preview` selects; None: no preview.
        testers: Requests that `canary.match` tells go to the last backend, whatever its weight.
        copies: The percentage of requests of which the last backend gets copies.
        by_pods: Where no router shares requests out, let the pods of both revisions do it.
    """
    beside = CanaryExtras(md.spec.rollout.canary.match if testers else None, copies, preview)
    serving = [backend for backend in backends if backend.weight > 0]
    together = by_pods and md.spec.expose.type is ExposeType.SERVICE and len(serving) > 1
    entry = None if together else entry_revision(backends)
    services = [_entry(md, md.metadata.name, entry)]
    if preview is not None:
        services.append(_entry(md, f"{md.metadata.name}-preview", preview))
    return (*services, *_routes(md, backends, beside))


def entry_revision(backends: tuple[Backend, ...]) -> RevisionHash:
    """Choose the revision that the entry Service selects: the first one that has requests.

    A Service has no shares. Its clients, inside the cluster and behind a main Ingress, stay with
    the stable revision until the other one has everything, which with a control share is after
    the bake.
    """
    serving = [backend for backend in backends if backend.weight > 0]
    return (serving or list(backends))[0].revision


def _routes(
    md: ModelDeployment, backends: tuple[Backend, ...], beside: CanaryExtras
) -> tuple[Manifest, ...]:
    expose = md.spec.expose
    match expose.type:
        case ExposeType.GATEWAY if expose.gateway is not None and expose.gateway.parent_refs:
            return _http_routes(md, expose.gateway, backends, beside)
        case ExposeType.INGRESS if expose.ingress is not None:
            return _ingresses(md, expose.ingress, backends, beside)
        case _:
            return ()


def _entry(md: ModelDeployment, name: str, revision: RevisionHash | None) -> Manifest:
    """Render a Service that selects one revision; None: every pod of the model there is."""
    return render(
        "service",
        metadata=names.metadata(md, name),
        selector=names.selector(md.metadata.name, revision),
    )


def _http_routes(
    md: ModelDeployment,
    gateway: GatewayExposure,
    backends: tuple[Backend, ...],
    beside: CanaryExtras,
) -> tuple[Manifest, ...]:
    """Render the one route of HTTP and gRPC, and that of the preview if there is one.

    Testers' rules are the last ones, so that the others keep their places, by which some gateways
    count; a request is led by the rule that says most of it, wherever that stands. The preview's
    route leads to the revision's own Service, by which the router's requests are counted.
    """
    name, hostnames = md.metadata.name, md.spec.rollout.blue_green.preview_hostnames
    shares = [_share_of(md, backend) for backend in backends]
    ways: list[RouteVariant] = [([], shares)]
    if beside.match:
        ways.append(([one.to_manifest() for one in beside.match.headers], shares[-1:]))
    copies = _copies(md, backends[-1], beside.copies) if beside.copies else None
    routes = [_http_route(md, gateway, name, gateway.hostnames, ways, copies)]
    if beside.preview and hostnames:
        shown = [_share_of(md, Backend(beside.preview, 1))]
        routes.append(_http_route(md, gateway, f"{name}-preview", hostnames, [([], shown)], None))
    return tuple(routes)


def _share_of(md: ModelDeployment, backend: Backend) -> Manifest:
    return {
        "service": names.revision_name(md.metadata.name, backend.revision),
        "weight": backend.weight,
        "revision": backend.revision,
    }


def _copies(md: ModelDeployment, backend: Backend, percent: int) -> Manifest:
    """Say which requests are copied to whom.

    Measured with Contour 1.33.8: it copies every request whatever `percent` says, and speaks
    HTTP/1.1 to the Service that gets the copies, so that each copy of a gRPC call fails (101 of
    101). Its gRPC calls are therefore not copied. Envoy counts copies over HTTP in the Service's
    `upstream_rq_xx` as it does all requests (200 of 200), so that the router's evidence has them.
    """
    contour = md.spec.rollout.analysis.provider is MetricsProvider.CONTOUR
    return {
        "service": names.revision_name(md.metadata.name, backend.revision),
        "ports": [8000] if contour else [8000, 8001],
        # Without it all requests are copied, which older gateways understand as well.
        "percent": None if percent == FULL_WEIGHT else percent,
    }


def _http_route(
    md: ModelDeployment,
    gateway: GatewayExposure,
    name: str,
    hostnames: tuple[str, ...],
    ways: list[RouteVariant],
    copies: Manifest | None,
) -> Manifest:
    return render(
        "http_route",
        metadata=names.metadata(md, name),
        parents=[parent.to_manifest() for parent in gateway.parent_refs or ()],
        hostnames=list(hostnames),
        header=names.REVISION_HEADER,
        ways=ways,
        copies=copies,
    )


def _ingresses(
    md: ModelDeployment,
    ingress: IngressExposure,
    backends: tuple[Backend, ...],
    beside: CanaryExtras,
) -> tuple[Manifest, ...]:
    """Render the main Ingress, and a canary beside it while a second revision has requests.

    gRPC gets a pair of its own, because ingress-nginx takes the protocol per Ingress, and only
    where there is TLS: without it ingress-nginx speaks no HTTP/2 to clients. The two canaries
    are two objects, so that the weights of HTTP and gRPC move in two writes; a Gateway moves them
    in one.
    """
    entry, others = md.metadata.name, backends[1:]
    pairs = [("", "/", 8000)]
    if ingress.tls_secret_name is not None:
        pairs.append(("-grpc", GRPC_PATH, 8001))
    rendered = []
    for suffix, path, port in pairs:
        protocol = {f"{NGINX}/backend-protocol": "GRPC"} if suffix else {}
        rendered.append(_ingress(md, ingress, entry, suffix, path, port, protocol))
        for other in others:
            if other.weight > 0 or beside.match:
                own = names.revision_name(entry, other.revision)
                share = protocol | _share(other.weight, beside.match)
                rendered.append(_ingress(md, ingress, own, f"{suffix}-canary", path, port, share))
    return tuple(rendered)


def _share(weight: int, match: Match | None) -> dict[str, str]:
    """Write the annotations that make an Ingress a canary; a header comes before the weight."""
    share = {
        f"{NGINX}/canary": "true",
        f"{NGINX}/canary-weight": str(weight),
        f"{NGINX}/canary-weight-total": "100",
    }
    if match is None:
        return share
    header = match.headers[0]
    return share | {
        f"{NGINX}/canary-by-header": header.name,
        f"{NGINX}/canary-by-header-value": header.value,
    }


def _ingress(
    md: ModelDeployment,
    ingress: IngressExposure,
    service: str,
    suffix: str,
    path: str,
    port: int,
    annotations: dict[str, str],
) -> Manifest:
    metadata = names.metadata(md, md.metadata.name + suffix)
    metadata["annotations"] = ingress.annotations | annotations
    return render(
        "ingress",
        metadata=metadata,
        ingress=ingress,
        service=service,
        path=path,
        port=port,
    )
