"""Valid ModelDeployments that together have every field, and helpers to change them."""

from copy import deepcopy
from typing import Any

from halimede.api.base import Manifest

TENSOR = {"name": "X", "dataType": "TYPE_FP32", "dims": [-1]}
LIMITS = {"cpu": "2", "memory": "2Gi"}


def model_deployment(spec: Manifest, name: str = "digits") -> Manifest:
    """Return a ModelDeployment with this spec."""
    return {
        "apiVersion": "halimede.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


BY_GATEWAY: Manifest = {
    "model": {
        "name": "digits",
        "storageUri": "https://models.example.com/digits.onnx",
        "sha256": "ab" * 32,
        "supply": {
            "include": ["*.onnx", "data/"],
            "exclude": ["*_old.onnx"],
            "allowedFormats": ["onnx", "txt"],
            "cache": {"kind": "Volume", "volume": {"claimName": "models"}},
        },
        "maxSize": "2Gi",
        "fetchTimeoutSeconds": 600,
        "allowNativeCode": True,
        "secretName": "token",
        "config": {
            "backend": "onnxruntime",
            "maxBatchSize": 8,
            "inputs": [TENSOR],
            "outputs": [TENSOR],
            "dynamicBatching": {
                "maxQueueDelayMicroseconds": 1,
                "preferredBatchSizes": [4, 8],
                "maxQueueSize": 8,
            },
            "responseCache": True,
            "instances": 1,
            "parameters": {"threads": "2"},
        },
    },
    "runtime": {
        "version": "24.10",
        "allowVulnerableVersion": True,
        "image": "registry.example/triton:1",
        "args": ["--log-info=1"],
    },
    "autoscaling": {
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [{"type": "Resource"}],
        "behavior": {"scaleUp": {}},
    },
    "resources": {"limits": LIMITS, "requests": LIMITS},
    "gpu": {"count": 1, "resourceName": "nvidia.com/gpu"},
    "expose": {
        "type": "Gateway",
        "gateway": {
            "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "http"}],
            "hostnames": ["digits.example.com", "*.example.org"],
        },
    },
    "probes": {"startupTimeoutSeconds": 600},
    "drain": {"preStopSeconds": 15, "exitTimeoutSeconds": 30},
    "rollout": {
        "strategy": "Canary",
        "canary": {
            "steps": [
                {
                    "weight": 0,
                    "minSeconds": 1,
                    "maxSeconds": 2,
                    "pause": {"seconds": 1},
                    "scale": {"replicas": 2},
                },
                {"weight": 100, "pause": {}},
            ],
            "match": {"headers": [{"name": "X-Tester", "value": "yes"}]},
            "mirror": {"percent": 100, "minSeconds": 1, "maxSeconds": 2},
            "bakeSeconds": 30,
            "controlPercent": 10,
        },
        "blueGreen": {
            "autoPromote": True,
            "previewHostnames": ["cli.render.example.com"],
            "previewAnalysis": {"mirrorPercent": 100, "minSeconds": 1, "maxSeconds": 2},
            "bakeSeconds": 60,
            "controlPercent": 0,
        },
        "recreate": {"bakeSeconds": 60},
        "analysis": {
            "provider": "Contour",
            "metrics": [
                {
                    "name": "accuracy",
                    "requests": "sum(increase(labelled{rev='{{ revision }}'}[{{ window }}]))",
                    "errors": "sum(increase(wrong{rev='{{ revision }}'}[{{ window }}]))",
                    "windowSeconds": 120,
                    "maxErrorPercent": "20",
                }
            ],
            "maxErrorPercent": "5",
            "maxErrorRatio": "3",
            "onBetterThanStable": "Hold",
            "onClientErrors": "Abort",
            "latency": {"thresholdMilliseconds": 250, "maxSlowPercent": "5"},
            "pace": "Swift",
            "intervalSeconds": 15,
            "warmupSeconds": 30,
            "settleSeconds": 15,
            "minRequests": 20,
            "onNoData": "Pause",
            "noDataTimeoutSeconds": 1800,
            "onMetricsDown": "Abort",
            "metricsTimeoutSeconds": 900,
            "onInconclusive": "Abort",
        },
        "paused": False,
        "pauseTimeoutSeconds": 86400,
        "progressDeadlineSeconds": 1800,
        "capacityMode": "Wait",
        "capacityTimeoutSeconds": 600,
        "onStableDown": "ShiftToCanary",
        "scaleDownDelaySeconds": 300,
        "abortScaleDownDelaySeconds": 30,
        "revisionHistoryLimit": 10,
        "rollbackWindowRevisions": 0,
    },
    "serviceAccountName": "models.digits",
    "podTemplate": {"spec": {"nodeSelector": {"zone": "a"}}},
}
"""All fields that are valid with a Gateway."""

BY_ROUTE: Manifest = {
    "model": {"storageUri": "pvc://models/digits", "config": {"backend": "python"}},
    "expose": {"type": "Gateway", "gateway": {"routeRef": {"name": "shop"}}},
}
"""A spec with the user's own HTTPRoute."""

BY_INGRESS: Manifest = {
    "model": {
        "storageUri": "s3://models/digits",
        "supply": {
            "endpoint": "https://s3.example.com",
            "region": "eu-central-1",
            "resolve": "OnChange",
            "resolveIntervalSeconds": 600,
        },
        "configPbtxt": 'backend: "python"',
    },
    "replicas": 2,
    "expose": {
        "type": "Ingress",
        "ingress": {
            "className": "nginx",
            "host": "digits.example.com",
            "tlsSecretName": "tls",
            "annotations": {"a": "b"},
        },
    },
    "rollout": {
        "canary": {"steps": [{"weight": 5, "scale": {"percent": 50}}]},
        "analysis": {"provider": "None"},
    },
}
"""Fields that exclude fields of `BY_GATEWAY`."""

BY_SERVICE: Manifest = {
    "model": {"storageUri": "configMap://digits", "config": {"backend": "python"}},
    "expose": {"type": "Service"},
    "rollout": {
        "strategy": "BlueGreen",
        "analysis": {
            "provider": "Custom",
            "router": {
                "requests": "sum(increase(seen{service='{{ service }}'}[{{ window }}]))",
                "errors": "sum(increase(failed{service='{{ service }}'}[{{ window }}]))",
                "windowSeconds": 60,
            },
        },
    },
}
"""The minimal spec."""

ABSENT: Any = object()
"""Marks a field to be removed."""


def changed(spec: Manifest, **fields: Any) -> Manifest:
    """Copy a spec and set fields of it by their path: `changed(spec, model__name="x")`."""
    copy = deepcopy(spec)
    for path, value in fields.items():
        put(copy, path.split("__"), value)
    return copy


def put(spec: Any, path: list[str], value: Any) -> None:
    """Set the field at *path*, where `0` is a list's first item; create missing parents."""
    for name in path[:-1]:
        spec = spec[int(name)] if isinstance(spec, list) else spec.setdefault(name, {})
    last: Any = int(path[-1]) if isinstance(spec, list) else path[-1]
    if value is ABSENT:
        spec.pop(last, None)
    else:
        spec[last] = value
