"""The observed state of one reconcile, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.source import Inputs
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.reading import Reading


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that `decide` depends on besides the time and the platform."""

    deployment: ModelDeployment
    children: tuple[Manifest, ...]
    """Live objects with our labels and the owner's uid: Deployments, Services, ConfigMaps, routes,
    Ingresses, HPAs, PodDisruptionBudgets, NetworkPolicies, Jobs. None of them has the kind and
    name of one in `foreign`."""
    pods: tuple[Manifest, ...]
    """Live pods of all its revisions."""
    endpoint_slices: tuple[Manifest, ...]
    """EndpointSlices of all its revisions' Services."""
    inputs: Inputs
    """The ConfigMaps that the spec reads (`api.source.config_maps` names them)."""
    routes: Mapping[str, Manifest | None]
    """The user's HTTPRoutes that route to its revisions or did, by name; see
    `user_routes.tracked_routes`."""
    reading: Reading | None
    """The answers of Prometheus to the poll that is due; None: none is due, or they are not
    there yet."""
    apply_errors: Mapping[str, str]
    """Messages of applies that failed in the last reconcile, by `Kind/name`."""
    rejected: frozenset[str] = frozenset()
    """Those of them that the API server rejects as invalid, so that a retry cannot succeed."""
    resolvers: tuple[Manifest, ...] = ()
    """Live pods of the Jobs that resolve its source."""
    foreign: tuple[Manifest, ...] = ()
    """The kind and the metadata of foreign objects that have names of children."""
