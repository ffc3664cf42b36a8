"""The operator's settings that rendering and validation need."""

from dataclasses import dataclass, field

from halimede.api.base import Manifest
from halimede.render.spec_policy import DEFAULT_POLICY, SpecPolicy

Peers = tuple[Manifest, ...]
"""Peers of a rule (`NetworkPolicyPeer` of `networking.k8s.io/v1`); empty: any address."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Who may connect to the pods of models."""

    gateway: Peers = field(default=(), hash=False)
    """Callers of models that a Gateway or an Ingress exposes."""
    clients: Peers = field(default=(), hash=False)
    """Callers of models of `expose.type: Service`."""
    monitoring: Peers = field(default=(), hash=False)
    """Readers of Triton's metrics."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The images that rendered pods use, and what the operator demands of specs."""

    fetch_image: str
    """The image of the container `fetch`, in pods and in the Jobs that resolve sources."""
    triton_repository: str = "nvcr.io/nvidia/tritonserver"
    """The repository of `runtime.version`'s image `<repository>:<version>-py3`."""
    sha256_required: bool = False
    """Whether specs without `model.sha256` are invalid."""
    network: NetworkSettings | None = None
    """The settings of NetworkPolicies; None: there are none."""
    specs: SpecPolicy = DEFAULT_POLICY
    """What specs may contain."""
