"""How the requests are split between revisions: the entry Service and the route.

The Ingresses depend on the behaviour of ingress-nginx, according to its sources and issues:

- Another backend Service in an Ingress causes a reload, during which requests get 503 (its issues
  6557, 4469). Endpoints and canary annotations change without a reload.
- Without endpoints of the main Ingress all requests get 503, even at canary-weight 100 (8212,
  13086). Without endpoints of the canary, its requests go to the main Ingress.
- One Service behind both a main and a canary Ingress does not work in some versions (3952, 8004).
- A main Ingress may have one canary.

So the main Ingresses, for HTTP and for gRPC, always name the entry Service, and the traffic moves
with its selector, in one write for both; a canary Ingress names the Service of its revision. The
order of the writes is:

| | entry Service selects | canary Ingresses |
|---|---|---|
| during the steps | stable | name the canary, with its weight |
| bake with a control share | stable, unchanged | all but that share |
| commit after that, first write | canary, now at full scale | still all but that share |
| second write, in the same reconcile | canary | deleted |
| bake without a control share, first write | canary, now at full scale | still the last weight |
| second write, in the same reconcile | canary | weight 100 |
| all that is live and settled, and the bake is over | canary | deleted |
| abort before the selector has moved | stable, unchanged | deleted |
| abort after that, first write | stable, still running | still weight 100 |
| second write, in the same reconcile | stable | deleted |

If the control share is dropped because the stable revision lost its pods, the writes are those at
the start of a bake without a control share. The old revision keeps its pods for at least
`settleSeconds` after the commit, as a controller may drop the canary before it has the entry
Service's new endpoints.

The stable revision has ready pods throughout, and the canary from before its first weight until it
has had none for some time, so that each of these rows may last.
"""

from dataclasses import dataclass

from halimede.api.analysis import MetricsProvider
from halimede.api.base import Manifest, RevisionHash
from halimede.api.expose import (
    BACKEND_PROTOCOL,
    CANARY,
    ExposeType,
    GatewayExposure,
    IngressExposure,
)
from halimede.api.match import Match
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render
from halimede.render.paths import GRPC, GRPC_HEALTH, HTTP, Path

_RULES = ((8001, GRPC), (8000, HTTP), (8001, GRPC_HEALTH))
"""Ports and paths of an HTTPRoute. Two rules are for gRPC, because in older versions of the
Gateway API a rule has at most eight matches."""
CANARY_SUFFIX = "-canary"
"""At the end of the name of a canary Ingress, after the name of its main Ingress."""
FULL_WEIGHT = 100
"""Percent."""
RouteVariant = tuple[list[Manifest], list[Manifest]]
"""Headers that requests must have, and the weighted backends of those requests."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision and its weight."""

    revision: RevisionHash
    """The revision's hash."""
    weight: int
    """Percentage of the requests; with 0 the proxies have its endpoints, but send it none."""


@dataclass(frozen=True, slots=True)
class CanaryExtras:
    """How requests reach the canary besides its weight."""

    match: Match | None = None
    """Which requests come from testers."""
    copies: int = 0
    """The percentage of requests that are copied to it."""
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
        testers: Requests that match `canary.match` go to the last backend, whatever its weight.
        copies: The percentage of requests that are copied to the last backend.
        by_pods: Without a router, the entry Service selects the pods of both revisions.
    """
    extras = CanaryExtras(md.spec.rollout.canary.match if testers else None, copies, preview)
    serving = [backend for backend in backends if backend.weight > 0]
    all_pods = by_pods and md.spec.expose.type is ExposeType.SERVICE and len(serving) > 1
    entry = None if all_pods else entry_revision(backends)
    services = [_entry_service(md, md.metadata.name, entry)]
    if preview is not None:
        services.append(_entry_service(md, f"{md.metadata.name}-preview", preview))
    return (*services, *_routes(md, backends, extras))


def entry_revision(backends: tuple[Backend, ...]) -> RevisionHash:
    """Return the revision that the entry Service selects: the first one that has requests.

    A Service has no weights. Its clients, inside the cluster and behind a main Ingress, stay on
    the stable revision until the canary has all requests, which with a control share is after the
    bake.
    """
    serving = [backend for backend in backends if backend.weight > 0]
    return (serving or list(backends))[0].revision


def _routes(
    md: ModelDeployment, backends: tuple[Backend, ...], extras: CanaryExtras
) -> tuple[Manifest, ...]:
    expose = md.spec.expose
    match expose.type:
        case ExposeType.GATEWAY if expose.gateway is not None and expose.gateway.parent_refs:
            return _http_routes(md, expose.gateway, backends, extras)
        case ExposeType.INGRESS if expose.ingress is not None:
            return _ingresses(md, expose.ingress, backends, extras)
        case _:
            return ()


def _entry_service(md: ModelDeployment, name: str, revision: RevisionHash | None) -> Manifest:
    """Render a Service that selects one revision; None: all pods of the model."""
    return render(
        "service",
        metadata=names.metadata(md, name),
        selector=names.selector(md.metadata.name, revision),
    )


def _http_routes(
    md: ModelDeployment,
    gateway: GatewayExposure,
    backends: tuple[Backend, ...],
    extras: CanaryExtras,
) -> tuple[Manifest, ...]:
    """Render the route for HTTP and gRPC, and the preview's route if there is a preview.

    Testers' rules are last, so that the others keep their indices, by which some gateways count;
    the most specific rule applies to a request, whatever its index. The preview's route names the
    revision's own Service, by which the router's requests are counted.
    """
    name, hostnames = md.metadata.name, md.spec.rollout.blue_green.preview_hostnames
    shares = [_weighted_backend(md, backend) for backend in backends]
    variants: list[RouteVariant] = [([], shares)]
    if extras.match:
        variants.append(([header.to_manifest() for header in extras.match.headers], shares[-1:]))
    copies = _mirror(md, backends[-1], extras.copies) if extras.copies else None
    routes = [_http_route(md, gateway, name, gateway.hostnames, variants, copies)]
    if extras.preview and hostnames:
        preview_backend = [_weighted_backend(md, Backend(extras.preview, 1))]
        routes.append(
            _http_route(md, gateway, f"{name}-preview", hostnames, [([], preview_backend)], None)
        )
    return tuple(routes)


def _weighted_backend(md: ModelDeployment, backend: Backend) -> Manifest:
    return {
        "service": names.revision_name(md.metadata.name, backend.revision),
        "weight": backend.weight,
        "revision": backend.revision,
    }


def _mirror(md: ModelDeployment, backend: Backend, percent: int) -> Manifest:
    """Return which requests are copied, and the Service that gets the copies.

    Measured with Contour 1.33.8: it copies every request, whatever `percent` is, and uses HTTP/1.1
    for the copies, so that each copy of a gRPC call fails (101 of 101). With Contour, gRPC calls
    are therefore not copied. Envoy counts copies over HTTP in the Service's `upstream_rq_xx` like
    all requests (200 of 200), so that the router's evidence includes them.
    """
    contour = md.spec.rollout.analysis.provider is MetricsProvider.CONTOUR
    return {
        "service": names.revision_name(md.metadata.name, backend.revision),
        "ports": [8000] if contour else [8000, 8001],
        # Without it all requests are copied, which older gateways support as well.
        "percent": None if percent == FULL_WEIGHT else percent,
    }


def _http_route(
    md: ModelDeployment,
    gateway: GatewayExposure,
    name: str,
    hostnames: tuple[str, ...],
    variants: list[RouteVariant],
    copies: Manifest | None,
) -> Manifest:
    return render(
        "http_route",
        metadata=names.metadata(md, name),
        parents=[parent.to_manifest() for parent in gateway.parent_refs or ()],
        hostnames=list(hostnames),
        header=names.REVISION_HEADER,
        ways=variants,
        rules=_RULES,
        copies=copies,
    )


def _ingresses(
    md: ModelDeployment,
    ingress: IngressExposure,
    backends: tuple[Backend, ...],
    extras: CanaryExtras,
) -> tuple[Manifest, ...]:
    """Render the main Ingress, and a canary Ingress while a second revision has requests.

    gRPC gets a pair of its own, because the protocol is set per Ingress, and only with TLS:
    without it ingress-nginx offers no HTTP/2 to clients. The two canaries are two objects, so the
    weights of HTTP and gRPC move in two writes; a Gateway moves them in one.
    """
    entry, others = md.metadata.name, backends[1:]
    pairs = [("", HTTP, 8000)]
    if ingress.tls_secret_name is not None:
        pairs.append(("-grpc", GRPC + GRPC_HEALTH, 8001))
    rendered = []
    for suffix, paths, port in pairs:
        protocol = {BACKEND_PROTOCOL: "GRPC"} if suffix else {}
        rendered.append(_ingress(md, ingress, entry, suffix, paths, port, protocol))
        for other in others:
            if other.weight > 0 or extras.match:
                own = names.revision_name(entry, other.revision)
                annotations = protocol | _canary_annotations(other.weight, extras.match)
                rendered.append(
                    _ingress(md, ingress, own, suffix + CANARY_SUFFIX, paths, port, annotations)
                )
    return tuple(rendered)


def _canary_annotations(weight: int, match: Match | None) -> dict[str, str]:
    """Return the annotations of a canary Ingress; a header takes precedence over the weight."""
    annotations = {
        CANARY: "true",
        f"{CANARY}-weight": str(weight),
        f"{CANARY}-weight-total": "100",
    }
    if match is None:
        return annotations
    header = match.headers[0]
    return annotations | {
        f"{CANARY}-by-header": header.name,
        f"{CANARY}-by-header-value": header.value,
    }


def _ingress(
    md: ModelDeployment,
    ingress: IngressExposure,
    service: str,
    suffix: str,
    paths: tuple[Path, ...],
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
        paths=paths,
        port=port,
    )
