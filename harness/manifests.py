"""What the demo applies: the ModelDeployment, and perhaps a ConfigMap per model version."""

import base64

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import API_VERSION, KIND
from harness.models import Version

NAMESPACE = "demo"
NAME = "digits"
HOSTNAME = "digits.example.com"
WEIGHTS = (10, 30, 60)
"""The steps of a rollout, in percent of the requests."""

PROGRESS_DEADLINE_SECONDS = 30
"""Seconds that a revision may take to become ready; Triton takes about five here."""


def namespace() -> Manifest:
    """Return the namespace of the demo."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def config_map(version: Version) -> Manifest:
    """Return the ConfigMap with a version's files."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _config_map_name(version.name), "namespace": NAMESPACE},
        "binaryData": {
            name: base64.b64encode(content).decode() for name, content in version.files.items()
        },
    }


def in_config_map(version: str) -> Manifest:
    """Return the fields of `spec.model` for a version whose files are in its ConfigMap."""
    return {"storageUri": f"configMap://{_config_map_name(version)}"}


def model_deployment(version: str, source: Manifest | None = None) -> Manifest:
    """Return the ModelDeployment that asks for ``version``; nothing else in it varies.

    ``source`` has the fields of `spec.model` that name its files; None: it is in its ConfigMap.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "model": {
                **(source or in_config_map(version)),
                "config": {"backend": "python", "maxBatchSize": 32, "dynamicBatching": {}},
            },
            # The only version that the local cluster has.
            "runtime": {"version": "24.10", "allowVulnerableVersion": True},
            "expose": {
                "type": "Gateway",
                "gateway": {
                    "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                    "hostnames": [HOSTNAME],
                },
            },
            "drain": {"preStopSeconds": 5, "exitTimeoutSeconds": 10},
            "rollout": _rollout(),
        },
    }


def _rollout() -> Manifest:
    """Return short times, so that five minutes are enough; the defaults suit real traffic."""
    return {
        "strategy": "Canary",
        "canary": {
            "steps": [{"weight": weight, "minSeconds": 4, "maxSeconds": 90} for weight in WEIGHTS],
            "bakeSeconds": 6,
        },
        "analysis": {"intervalSeconds": 2, "warmupSeconds": 2, "settleSeconds": 2},
        "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
        "scaleDownDelaySeconds": 5,
    }


def _config_map_name(version: str) -> str:
    return f"digits-{version}"
