"""`spec.expose`: how clients reach the model."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.rules import HOST, LIST_SET, rule, rules

NGINX = "nginx.ingress.kubernetes.io"
"""The prefix of ingress-nginx's annotations."""
CANARY = f"{NGINX}/canary"
"""The annotation of a canary Ingress, and the beginning of those with its settings."""
BACKEND_PROTOCOL = f"{NGINX}/backend-protocol"
"""The annotation with the protocol of an Ingress's backends."""


class ExposeType(StrEnum):
    """What routes requests to the model."""

    GATEWAY = "Gateway"
    INGRESS = "Ingress"
    SERVICE = "Service"


class ParentRef(ApiModel):
    """A Gateway that the HTTPRoute attaches to."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The Gateway's name."""
    namespace: Annotated[str | None, Field(min_length=1, max_length=63)] = None
    """The Gateway's namespace. Defaults to the resource's own."""
    section_name: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """One listener of the Gateway. Defaults to all."""


class RouteRef(ApiModel):
    """An HTTPRoute of your own in the same namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The HTTPRoute's name. Each of its backendRefs to the Service that has the ModelDeployment's
    name, with port 8000 (HTTP) or 8001 (gRPC), gives its weight to the revisions' Services.
    Nothing else in it is changed, and it is restored when it is no longer used."""


class GatewayExposure(ApiModel):
    """Gateway API: one HTTPRoute for HTTP and gRPC, Halimede's or yours."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.parentRefs) != has(self.routeRef)",
                "gateway needs exactly one of parentRefs (the Gateways to attach to) and"
                " routeRef (an HTTPRoute of your own): set one of them",
                ".parentRefs",
            ),
            rule(
                "!has(self.routeRef) || !has(self.hostnames)",
                "hostnames cannot be combined with routeRef, because the HTTPRoute has"
                " its own hostnames: remove hostnames",
                ".hostnames",
            ),
        )
    )

    parent_refs: Annotated[tuple[ParentRef, ...] | None, Field(min_length=1, max_length=8)] = None
    """The Gateways that Halimede's HTTPRoute attaches to."""
    route_ref: RouteRef | None = None
    """Instead: an HTTPRoute of your own, in which only the model's backends are changed."""
    hostnames: Annotated[
        tuple[Annotated[str, Field(pattern=HOST, max_length=253)], ...],
        Field(max_length=16, json_schema_extra=LIST_SET),
    ] = ()
    """Hostnames of the model, such as `digits.example.com`. Defaults to all of the listener's."""


class IngressExposure(ApiModel):
    """An Ingress, with ingress-nginx's canary annotations during a rollout."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.annotations) || !self.annotations.exists(name,"
                f" name.startsWith('{CANARY}') || name == '{BACKEND_PROTOCOL}'"
                " || name.startsWith('halimede.dev/'))",
                f"{CANARY}*, {BACKEND_PROTOCOL} and halimede.dev/* are reserved, because rollouts"
                " set them: remove them",
                ".annotations",
            ),
        )
    )

    class_name: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """The IngressClass. Defaults to the cluster's default."""
    host: Annotated[str, Field(pattern=HOST, max_length=253)]
    """Hostname of the model."""
    tls_secret_name: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """Secret with the certificate. gRPC is served only if this is set: ingress-nginx offers no
    HTTP/2 without TLS."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)
    ] = {}
    """Further annotations of the Ingresses. Those that rollouts set are reserved."""


class Expose(ApiModel):
    """How clients reach the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.type != 'Gateway' || has(self.gateway)",
                "type Gateway requires gateway.parentRefs (the Gateways to attach to) or"
                " gateway.routeRef: set one of them, or set type to Ingress or Service",
                ".gateway",
            ),
            rule(
                "self.type != 'Ingress' || has(self.ingress)",
                "type Ingress requires ingress.host: set it, or set type to Gateway or Service",
                ".ingress",
            ),
            rule(
                "self.type == 'Gateway' || !has(self.gateway)",
                "gateway requires type Gateway: remove it, or set type to Gateway",
                ".gateway",
            ),
            rule(
                "self.type == 'Ingress' || !has(self.ingress)",
                "ingress requires type Ingress: remove it, or set type to Ingress",
                ".ingress",
            ),
        )
    )

    type: ExposeType
    """`Gateway` and `Ingress` accept requests from outside the cluster and split them by weight;
    `Service` is reached inside the cluster only and splits connections by the number of pods."""
    gateway: GatewayExposure | None = None
    """Settings of the type `Gateway`."""
    ingress: IngressExposure | None = None
    """Settings of the type `Ingress`."""
