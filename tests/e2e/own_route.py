"""An HTTPRoute of the user's own that leads to the model."""

import json

from halimede.api.base import Manifest
from tests.e2e.user import NAME, User

ROUTE = "shop"
EXPOSED = {"type": "Gateway", "gateway": {"routeRef": {"name": ROUTE}}}
"""`spec.expose` that refers to the route."""


def create_route(user: User) -> Manifest:
    """Create a route to the Service that has the ModelDeployment's name; return its spec."""
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": path}}],
            "backendRefs": [{"name": NAME, "port": port}],
        }
        for path, port in (("/inference.GRPCInferenceService", 8001), ("/", 8000))
    ]
    user.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": ROUTE, "namespace": user.namespace},
            "spec": {
                "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                "hostnames": [user.hostname],
                "rules": rules,
            },
        }
    )
    return read_route(user)


def read_route(user: User) -> Manifest:
    """Return the spec of the route."""
    manifest: Manifest = json.loads(user.kubectl("get", "httproute", ROUTE, "--output", "json"))
    spec: Manifest = manifest["spec"]
    return spec
