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
| promotion, first write | new, at full scale by now | still with the last step's weight |
| then, in the same pass | new | weight 100 |
| once all that is live and settled | new | deleted |
| abort on the way | stable, untouched | deleted |
| abort of a promotion, first write | stable, still up | still with weight 100 |
| then, in the same pass | stable | deleted |

The stable revision has ready pods all the while, and the new one from before its first weight
until it has had none for a while, so that each of these lines may last.
"""

from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.expose import ExposeType, GatewayExposure, IngressExposure
from halimede.api.rollout import Match
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render

GRPC_PATH = "/inference.GRPCInferenceService"
NGINX = "nginx.ingress.kubernetes.io"


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision and its share."""

    revision: str
    """The revision's hash."""
    weight: int
    """Percentage of the requests; 0 keeps the proxies ready for it."""


def traffic(
    md: ModelDeployment,
    backends: tuple[Backend, ...],
    preview: str | None = None,
    *,
    testers: bool = False,
    by_pods: bool = False,
) -> tuple[Manifest, ...]:
    """Render the entry Service, the preview Service, and what `spec.expose` asks for.

    Args:
        md: The owner.
        backends: The stable revision first; the one that is rolled out second.
        preview: Hash of the revision that the Service `<name>-preview` selects; None: no preview.
        testers: Requests that `canary.match` tells go to the last backend, whatever its weight.
        by_pods: Where no router shares requests out, let the pods of both revisions do it.
    """
    match = md.spec.rollout.canary.match if testers else None
    serving = [backend for backend in backends if backend.weight > 0]
    together = by_pods and md.spec.expose.type is ExposeType.SERVICE and len(serving) > 1
    entry = None if together else entry_revision(backends)
    services = [_entry(md, md.metadata.name, entry)]
    if preview is not None:
        services.append(_entry(md, f"{md.metadata.name}-preview", preview))
    return (*services, *_routes(md, backends, match))


def entry_revision(backends: tuple[Backend, ...]) -> str:
    """Choose the revision that the entry Service selects: the first one that has requests.

    A Service has no shares. Its clients, inside the cluster and behind a main Ingress, stay with
    the stable revision until the other one has everything, as after the switch of blue-green.
    """
    serving = [backend for backend in backends if backend.weight > 0]
    return (serving or list(backends))[0].revision


def _routes(
    md: ModelDeployment, backends: tuple[Backend, ...], match: Match | None
) -> tuple[Manifest, ...]:
    expose = md.spec.expose
    match expose.type:
        case ExposeType.GATEWAY if expose.gateway is not None and expose.gateway.parent_refs:
            return (_http_route(md, expose.gateway, backends, match),)
        case ExposeType.INGRESS if expose.ingress is not None:
            return _ingresses(md, expose.ingress, backends, match)
        case _:
            return ()


def _entry(md: ModelDeployment, name: str, revision: str | None) -> Manifest:
    """Render a Service that selects one revision; None: every pod of the model there is."""
    return render(
        "service",
        metadata=names.metadata(md, name),
        selector=names.selector(md.metadata.name, revision),
    )


def _http_route(
    md: ModelDeployment,
    gateway: GatewayExposure,
    backends: tuple[Backend, ...],
    match: Match | None,
) -> Manifest:
    """Render the one route of HTTP and gRPC.

    Testers' rules are the last ones, so that the others keep their places, by which some gateways
    count; a request is led by the rule that says most of it, wherever that stands.
    """
    name = md.metadata.name
    shares = [
        {
            "service": names.child(name, backend.revision),
            "weight": backend.weight,
            "revision": backend.revision,
        }
        for backend in backends
    ]
    headers = [one.to_manifest() for one in match.headers] if match else []
    return render(
        "http_route",
        metadata=names.metadata(md, name),
        parents=[parent.to_manifest() for parent in gateway.parent_refs or ()],
        hostnames=list(gateway.hostnames),
        header=names.REVISION_HEADER,
        ways=[([], shares), *([(headers, shares[-1:])] if headers else [])],
    )


def _ingresses(
    md: ModelDeployment,
    ingress: IngressExposure,
    backends: tuple[Backend, ...],
    match: Match | None,
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
            if other.weight > 0 or match:
                own = names.child(entry, other.revision)
                share = protocol | _share(other.weight, match)
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
