"""What one pass saw, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.source import Inputs
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.reading import Reading


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that `decide` may know besides the time."""

    deployment: ModelDeployment
    children: tuple[Manifest, ...]
    """Live objects with our labels and the owner's uid: Deployments, Services, ConfigMaps, routes,
    Ingresses, HPAs, PodDisruptionBudgets."""
    pods: tuple[Manifest, ...]
    """Live pods of all its revisions."""
    endpoint_slices: tuple[Manifest, ...]
    """EndpointSlices of all its revisions' Services."""
    inputs: Inputs
    """The ConfigMaps that the spec reads (`api.source.config_maps` names them)."""
    routes: Mapping[str, Manifest | None]
    """The users' HTTPRoutes that it leads to its revisions or did (`user_routes.concerned`)."""
    reading: Reading | None
    """What Prometheus answered; None: it was not asked in this pass (nothing is judged now)."""
    apply_errors: Mapping[str, str]
    """Messages of applies that failed in the last pass, by `Kind/name`."""
    refused: frozenset[str] = frozenset()
    """Those of them that the API server refuses as they are, so that waiting cures nothing."""
