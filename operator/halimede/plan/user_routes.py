"""HTTPRoutes of the user's: which of them lead to the revisions, and how they are given back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from halimede.api.base import Manifest
from halimede.api.expose import ExposeType
from halimede.api.status import MOST_USER_ROUTES, Status, UserRoute
from halimede.api.v1alpha1 import ROUTE_FINALIZER, ModelDeployment
from halimede.plan.field_managers import foreign_write
from halimede.plan.plan import RoutePatch
from halimede.plan.route_status import httproute_status
from halimede.render.traffic import Backend
from halimede.render.user_route import (
    awaiting_weights,
    json_patch,
    names_revision,
    restored,
    unusable_reason,
    with_revisions,
)
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import Route

AFTER_PATCH_SECONDS = 1.0
"""How soon to look at what was patched: nothing else may wake us."""
_FIELD = "spec.expose.gateway.routeRef.name"

Routes = Mapping[str, Manifest | None]
"""Live HTTPRoutes by name; None: there is none of the name."""


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """What a pass does about users' routes."""

    routes: tuple[UserRoute, ...]
    """What the status is to say of them; written before anything else is done."""
    patches: tuple[RoutePatch, ...] = ()
    finalizer: bool | None = None
    """Whether the finalizer is to be put on or taken off; None: neither."""
    requeue_after: float | None = None
    """Seconds until the next look."""


def referenced_route(md: ModelDeployment) -> str | None:
    """Name the route that the spec refers to, if it refers to one."""
    gateway = md.spec.expose.gateway
    if md.spec.expose.type is not ExposeType.GATEWAY or gateway is None:
        return None
    return gateway.route_ref.name if gateway.route_ref else None


def tracked_routes(md: ModelDeployment) -> tuple[str, ...]:
    """Name every route that a pass must look at."""
    known = {one.name for one in md.status.user_routes}
    return tuple(sorted(known | {name for name in (referenced_route(md),) if name}))


def merge_route_status(
    entrance: Route, md: ModelDeployment, routes: Routes, backends: tuple[Backend, ...]
) -> Route:
    """Tell of the user's route as of one of ours, besides the Services that lead to it."""
    name = referenced_route(md)
    if name is None:
        return entrance
    live = routes.get(name)
    if unfit := _unfit(md, name, live):
        return replace(entrance, applied=False, refused=True, blocked=True, message=unfit)
    if live is None:
        raise LookupError("a route that is not there is unfit")
    told = httproute_status(live)
    known = next((one for one in md.status.user_routes if one.name == name), None)
    led = with_revisions(live, md.metadata.name, backends)
    return replace(
        told,
        applied=entrance.applied and not json_patch(live, led, md.metadata.name),
        since=known.since if known else None,
        # Before it was used the first time, its owner's backends are no conflict.
        foreign_write=foreign_write(live, led) if known else None,
    )


def plan_route_changes(
    md: ModelDeployment, status: Status, routes: Routes, backends: tuple[Backend, ...], now: float
) -> RouteChanges:
    """Lead the route of the spec to the revisions, and give back those that it names no more.

    The finalizer is on the object before a route is touched, and off it when the last one has
    been given back. A first revision that is not ready yet leaves the route as it is. Revisions
    that the route names anew have their shares when proxies have had the time to follow.
    """
    name, held = referenced_route(md), ROUTE_FINALIZER in md.metadata.finalizers
    others = [one for one in status.user_routes if one.name != name]
    back = plan_restore(md.metadata.name, others, routes, _settle_seconds(md), now)
    if name is None:
        return replace(back, finalizer=False if held and not back.routes else None)
    live = routes.get(name)
    known = [one for one in status.user_routes if one.name == name and live is not None]
    ready = status.stable is not None and len(back.routes) < MOST_USER_ROUTES
    if live is None or not ready or _unfit(md, name, live):
        return replace(back, routes=(*back.routes, *known))
    if not held:
        return replace(
            back, routes=(*back.routes, *known), finalizer=True, requeue_after=AFTER_PATCH_SECONDS
        )
    begun = known[0].since if known and names_revision(live, md.metadata.name) else now
    back = replace(back, routes=(*back.routes, UserRoute(name=name, since=begun)))
    settling = begun + _settle_seconds(md) - now
    if settling > 0 and awaiting_weights(live, md.metadata.name):
        return replace(back, requeue_after=min(settling, back.requeue_after or settling))
    led = json_patch(live, with_revisions(live, md.metadata.name, backends), md.metadata.name)
    if not led:
        return back
    patches = (*back.patches, RoutePatch(name, led))
    return replace(back, patches=patches, requeue_after=AFTER_PATCH_SECONDS)


def plan_restore(
    name: str, known: Iterable[UserRoute], routes: Routes, settle_seconds: float, now: float
) -> RouteChanges:
    """Give routes back, and forget each when proxies have had the time to follow."""
    kept, patches, waits = [], [], []
    for one in known:
        live = routes.get(one.name)
        if live is None:
            continue
        led = json_patch(live, restored(live, name), name)
        if led:
            patches.append(RoutePatch(one.name, led))
            kept.append(one.evolve(returned_at=None))
            waits.append(AFTER_PATCH_SECONDS)
            continue
        since = now if one.returned_at is None else one.returned_at
        if since + settle_seconds > now:
            kept.append(one.evolve(returned_at=since))
            waits.append(since + settle_seconds - now)
    return RouteChanges(tuple(kept), tuple(patches), requeue_after=min(waits, default=None))


def _unfit(md: ModelDeployment, name: str, live: Manifest | None) -> str | None:
    """Say why the route cannot be used: the field, what is wrong, and the cure."""
    if live is None:
        return (
            f"{_FIELD}: there is no HTTPRoute {name!r} in namespace {md.metadata.namespace!r};"
            f" create it with a backendRef to the Service {md.metadata.name!r}, or correct the"
            " name."
        )
    why = unusable_reason(live, md.metadata.name)
    return (
        None if why is None else join_sentences(f"{_FIELD}: HTTPRoute {name!r}: {'; '.join(why)}")
    )


def _settle_seconds(md: ModelDeployment) -> float:
    return md.spec.rollout.analysis.settle_seconds
