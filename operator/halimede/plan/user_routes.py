"""Plan the changes of the user's HTTPRoutes: route them to the revisions, and restore them."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from halimede.api.base import Manifest
from halimede.api.expose import ExposeType
from halimede.api.status import MOST_USER_ROUTES, Status, UserRoute
from halimede.api.v1alpha1 import ROUTE_FINALIZER, ModelDeployment
from halimede.plan.field_managers import foreign_write
from halimede.plan.foreign import ChildKey
from halimede.plan.plan import RoutePatch
from halimede.plan.route_status import httproute_status
from halimede.render.names import revision_name
from halimede.render.traffic import Backend
from halimede.render.user_route import (
    awaiting_weights,
    json_patch,
    names_revision,
    restored,
    unusable_reason,
    with_revisions,
    without_weights,
)
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import Route

AFTER_PATCH_SECONDS = 1.0
"""Seconds until the next reconcile after a patch, which may cause no watch event."""
_FIELD = "spec.expose.gateway.routeRef.name"

Routes = Mapping[str, Manifest | None]
"""Live HTTPRoutes by name; None: the route does not exist."""


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """The changes of the user's routes in one reconcile."""

    routes: tuple[UserRoute, ...]
    """The routes to record in the status, which is written before all other changes."""
    patches: tuple[RoutePatch, ...] = ()
    finalizer: bool | None = None
    """Whether to add (True) or remove (False) the finalizer; None: neither."""
    requeue_after: float | None = None
    """Seconds until the next reconcile."""


def referenced_route(md: ModelDeployment) -> str | None:
    """Return the name of the route that the spec refers to; None: it refers to none."""
    gateway = md.spec.expose.gateway
    if md.spec.expose.type is not ExposeType.GATEWAY or gateway is None:
        return None
    return gateway.route_ref.name if gateway.route_ref else None


def tracked_routes(md: ModelDeployment) -> tuple[str, ...]:
    """Return the names of all routes that a reconcile must read."""
    recorded = {route.name for route in md.status.user_routes}
    return tuple(sorted(recorded | {name for name in (referenced_route(md),) if name}))


def merge_route_status(
    own: Route, md: ModelDeployment, routes: Routes, backends: tuple[Backend, ...]
) -> Route:
    """Return the state of the user's route, or *own* if the spec refers to none.

    Args:
        own: The state of our own Services and routes.
        md: The ModelDeployment.
        routes: The user's live HTTPRoutes.
        backends: The desired weights of the revisions.
    """
    name = referenced_route(md)
    if name is None:
        return own
    live = routes.get(name)
    if message := _unusable_message(md, name, live):
        return replace(own, applied=False, rejected=True, blocked=True, message=message)
    if live is None:
        raise LookupError("the missing route has no message")
    state = httproute_status(live)
    led = names_revision(live, md.metadata.name)
    if own.blocked:
        # A route that names revisions serves without the entry Service.
        state = replace(
            state,
            blocked=True,
            rejected=state.rejected or (own.rejected and not led),
            message=own.message,
        )
    recorded = next((route for route in md.status.user_routes if route.name == name), None)
    desired = with_revisions(live, md.metadata.name, backends)
    return replace(
        state,
        applied=own.applied and not json_patch(live, desired, md.metadata.name),
        since=recorded.since if recorded else None,
        # Before its first use, the backends of its owner are no conflict.
        foreign_write=foreign_write(live, desired) if recorded else None,
    )


def plan_route_changes(
    md: ModelDeployment,
    status: Status,
    routes: Routes,
    backends: tuple[Backend, ...],
    taken: AbstractSet[ChildKey],
    now: float,
) -> RouteChanges:
    """Route the spec's HTTPRoute to the revisions, and restore those that it no longer names.

    The finalizer is added before a route is changed, and removed when the last one has been
    restored. Until the first revision is ready, the route is left unchanged. Revisions that are
    added to the route get their weights after `settleSeconds`, when proxies have the endpoints.
    No request is routed to a Service whose name is *taken* by a foreign object. A route that names
    the entry Service while that name is taken leads to the foreign object: it is left unchanged.
    """
    name, has_finalizer = referenced_route(md), ROUTE_FINALIZER in md.metadata.finalizers
    others = [route for route in status.user_routes if route.name != name]
    changes = plan_restore(md.metadata.name, others, routes, _settle_seconds(md), now)
    if name is None:
        return replace(changes, finalizer=False if has_finalizer and not changes.routes else None)
    live = routes.get(name)
    recorded = [route for route in status.user_routes if route.name == name and live is not None]
    ready = status.stable is not None and len(changes.routes) < MOST_USER_ROUTES
    usable = live is not None and not _unusable_message(md, name, live)
    if live is None or not (ready and usable) or _needs_taken_service(md, live, backends, taken):
        return replace(changes, routes=(*changes.routes, *recorded))
    if not has_finalizer:
        return replace(
            changes,
            routes=(*changes.routes, *recorded),
            finalizer=True,
            requeue_after=AFTER_PATCH_SECONDS,
        )
    since = recorded[0].since if recorded and names_revision(live, md.metadata.name) else now
    changes = replace(changes, routes=(*changes.routes, UserRoute(name=name, since=since)))
    settling = since + _settle_seconds(md) - now
    if settling > 0 and awaiting_weights(live, md.metadata.name):
        return replace(changes, requeue_after=min(settling, changes.requeue_after or settling))
    operations = json_patch(
        live, with_revisions(live, md.metadata.name, backends), md.metadata.name
    )
    if not operations:
        return changes
    patches = (*changes.patches, RoutePatch(name, operations))
    return replace(changes, patches=patches, requeue_after=AFTER_PATCH_SECONDS)


def plan_restore(
    name: str, known: Iterable[UserRoute], routes: Routes, settle_seconds: float, now: float
) -> RouteChanges:
    """Restore routes, and drop each from the status afterwards.

    The entry Service gets all weight first. The revisions leave the route *settle_seconds* later,
    when requests that were under way to them have ended.
    """
    kept, patches, waits = [], [], []
    for route in known:
        live = routes.get(route.name)
        if live is None:
            continue
        if operations := json_patch(live, without_weights(live, name), name):
            patches.append(RoutePatch(route.name, operations))
            kept.append(route.evolve(returned_at=None))
            waits.append(AFTER_PATCH_SECONDS)
            continue
        since = now if route.returned_at is None else route.returned_at
        if since + settle_seconds > now:
            kept.append(route.evolve(returned_at=since))
            waits.append(since + settle_seconds - now)
        elif operations := json_patch(live, restored(live, name), name):
            patches.append(RoutePatch(route.name, operations))
            kept.append(route.evolve(returned_at=since))
            waits.append(AFTER_PATCH_SECONDS)
    return RouteChanges(tuple(kept), tuple(patches), requeue_after=min(waits, default=None))


def _needs_taken_service(
    md: ModelDeployment,
    live: Manifest,
    backends: tuple[Backend, ...],
    taken: AbstractSet[ChildKey],
) -> bool:
    """Whether a Service that the route would give requests to belongs to others."""
    name = md.metadata.name
    services = {revision_name(name, backend.revision) for backend in backends if backend.weight}
    if not names_revision(live, name):
        services.add(name)
    return not taken.isdisjoint(("Service", service) for service in services)


def _unusable_message(md: ModelDeployment, name: str, live: Manifest | None) -> str | None:
    """Describe why the route cannot be used: the field, the fault, and what to do."""
    if live is None:
        return (
            f"{_FIELD}: there is no HTTPRoute {name!r} in namespace {md.metadata.namespace!r};"
            f" create it with a backendRef to the Service {md.metadata.name!r}, or correct the"
            " name."
        )
    reasons = unusable_reason(live, md.metadata.name)
    return (
        None
        if reasons is None
        else join_sentences(f"{_FIELD}: HTTPRoute {name!r}: {'; '.join(reasons)}")
    )


def _settle_seconds(md: ModelDeployment) -> float:
    return md.spec.rollout.analysis.settle_seconds
