"""Observe everything that one decision depends on, from the store where possible."""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.adapters.errors import OperatorError, RejectedError
from halimede.adapters.kinds import CHILDREN, ENDPOINT_SLICE, POD
from halimede.adapters.prometheus import MetricsReader
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.source import config_maps
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.queries import plan_queries
from halimede.plan.metrics_request import build_request
from halimede.plan.observed import Observed
from halimede.plan.renderer import Renderer
from halimede.plan.user_routes import tracked_routes
from halimede.reconcile.references import ReferencedObjects


@dataclass(frozen=True, slots=True)
class Readers:
    """The sources that a reconcile reads."""

    store: Store
    inputs: ReferencedObjects
    """Users' ConfigMaps."""
    routes: ReferencedObjects
    """Users' HTTPRoutes."""
    metrics: MetricsReader


async def observe(
    key: Key,
    deployment: ModelDeployment,
    senses: Readers,
    renderer: Renderer,
    errors: Mapping[str, OperatorError],
    now: float,
) -> Observed:
    """Return what one decision about *deployment* depends on.

    Args:
        key: The ModelDeployment's key.
        deployment: The ModelDeployment.
        senses: The sources to read.
        renderer: It renders the route whose backends are counted.
        errors: The errors of the last reconcile's failed writes, by `Kind/name`.
        now: UNIX time.
    """
    routes = await senses.routes.read(key, tracked_routes(deployment))
    request = build_request(deployment, routes, renderer, now)
    owned = senses.store.owned
    uid = deployment.metadata.uid
    return Observed(
        deployment=deployment,
        children=tuple(
            child for kind in CHILDREN for child in owned(kind, key) if _is_owned_by(child, uid)
        ),
        pods=owned(POD, key),
        endpoint_slices=owned(ENDPOINT_SLICE, key),
        inputs=await senses.inputs.read(key, _config_maps(deployment)),
        routes=routes,
        reading=await senses.metrics.read(plan_queries(request)) if request else None,
        apply_errors={what: str(error) for what, error in errors.items()},
        rejected=frozenset(
            what for what, error in errors.items() if isinstance(error, RejectedError)
        ),
    )


def _config_maps(deployment: ModelDeployment) -> tuple[str, ...]:
    try:
        return config_maps(deployment.spec)
    except ValueError:
        return ()  # validation reports what is wrong with the address


def _is_owned_by(child: Manifest, uid: str) -> bool:
    owners = child["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid for owner in owners)
