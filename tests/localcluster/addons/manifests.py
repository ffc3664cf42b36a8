"""Manifests of the tests: Services with hand-written endpoints, and routes to them."""

from typing import Any

from localcluster.addresses import CLUSTER_IP

HTTP, GRPC = 8000, 8001
GRPC_PATH = "/inference.GRPCInferenceService"

Manifest = dict[str, Any]


def service(name: str) -> Manifest:
    """Return a Service without a selector; gRPC needs the application protocol."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "ports": [
                {"name": "http", "port": HTTP},
                {"name": "grpc", "port": GRPC, "appProtocol": "kubernetes.io/h2c"},
            ]
        },
    }


def endpoints(service_name: str, number: int, port: int, *, ready: bool = True) -> Manifest:
    """Return one backend's endpoints: HTTP on ``port``, gRPC on the next one.

    An endpoint that is not ready is terminating and still serves, as that of a deleted pod.
    """
    conditions = {"ready": ready, "serving": True, "terminating": not ready}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{number}",
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [CLUSTER_IP], "conditions": conditions}],
        "ports": [{"name": "http", "port": port}, {"name": "grpc", "port": port + 1}],
    }


def route(name: str, hostname: str, weights: dict[str, int]) -> Manifest:
    """Return one HTTPRoute for HTTP and gRPC that adds the backend's name as response header."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
            "hostnames": [hostname],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": GRPC_PATH}}],
                    "backendRefs": _backends(weights, GRPC),
                },
                {"backendRefs": _backends(weights, HTTP)},
            ],
        },
    }


def _backends(weights: dict[str, int], port: int) -> list[Manifest]:
    return [
        {
            "name": name,
            "port": port,
            "weight": weight,
            "filters": [
                {
                    "type": "ResponseHeaderModifier",
                    "responseHeaderModifier": {"set": [{"name": "x-revision", "value": name}]},
                }
            ],
        }
        for name, weight in weights.items()
    ]


def ingress(name: str, hostname: str, service_name: str) -> Manifest:
    """Return an Ingress of class ``contour`` with one path for gRPC and one for the rest."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {
            "ingressClassName": "contour",
            "rules": [
                {
                    "host": hostname,
                    "http": {
                        "paths": [
                            _path(GRPC_PATH, service_name, GRPC),
                            _path("/", service_name, HTTP),
                        ]
                    },
                }
            ],
        },
    }


def _path(path: str, service_name: str, port: int) -> Manifest:
    backend = {"service": {"name": service_name, "port": {"number": port}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}
