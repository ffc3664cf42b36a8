"""Observe everything that one decision depends on, from the store where possible."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from halimede.adapters.errors import OperatorError, RejectedError
from halimede.adapters.kinds import CHILDREN, CONFIG_MAP, ENDPOINT_SLICE, HTTP_ROUTE, POD, Kind
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.source import config_maps
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.queries import plan_queries
from halimede.judge.reading import MetricsQueries, Reading
from halimede.plan.foreign import child_key, is_owned_by
from halimede.plan.metrics_request import build_request, poll_basis
from halimede.plan.observed import Observed
from halimede.plan.renderer import Renderer
from halimede.plan.source_resolution import is_resolver
from halimede.plan.user_routes import Routes, tracked_routes
from halimede.reconcile.foreign import ForeignObjects
from halimede.reconcile.polls import Polls
from halimede.reconcile.references import ReferencedObjects


@dataclass(frozen=True, slots=True)
class Readers:
    """The sources that a reconcile reads."""

    store: Store
    inputs: ReferencedObjects
    """ConfigMaps: users' and the records of revisions."""
    routes: ReferencedObjects
    """HTTPRoutes: users' and ours."""
    foreign: ForeignObjects
    """Foreign objects that have names of children."""
    polls: Polls

    def put(self, kind: Kind, live: Manifest) -> None:
        """Store an object as the API server returned it after our write."""
        self.store.put(kind, live)
        if kind is CONFIG_MAP:
            self.inputs.put(live)
        elif kind is HTTP_ROUTE:
            self.routes.put(live)


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
    owned, uid = senses.store.owned, deployment.metadata.uid
    foreign = await senses.foreign.read(key, uid)
    # The watch may not have shown yet that a child was deleted and another object has its name.
    replaced = frozenset(map(child_key, foreign))
    children = tuple(
        child
        for kind in CHILDREN
        for child in owned(kind, key)
        if is_owned_by(child, uid) and child_key(child) not in replaced
    )
    _show_children(senses, children)
    source, tracked = _config_maps(deployment), tracked_routes(deployment)
    contents = {
        CONFIG_MAP.name: await senses.inputs.read(key, (*source, *_names(CONFIG_MAP, children))),
        HTTP_ROUTE.name: await senses.routes.read(key, (*tracked, *_names(HTTP_ROUTE, children))),
    }
    routes, pods = {name: contents[HTTP_ROUTE.name][name] for name in tracked}, owned(POD, key)
    return Observed(
        deployment=deployment,
        children=tuple(_with_content(children, contents)),
        pods=tuple(pod for pod in pods if not is_resolver(pod)),
        resolvers=tuple(filter(is_resolver, pods)),
        endpoint_slices=owned(ENDPOINT_SLICE, key),
        inputs={name: contents[CONFIG_MAP.name][name] for name in source},
        routes=routes,
        reading=_take_reading(key, deployment, routes, senses.polls, renderer, now),
        apply_errors={what: str(error) for what, error in errors.items()},
        rejected=frozenset(
            what for what, error in errors.items() if isinstance(error, RejectedError)
        ),
        foreign=foreign,
    )


def _show_children(senses: Readers, children: Iterable[Manifest]) -> None:
    """Show the readers the children of their kinds, some of which a watch has missed."""
    for kind, referenced in ((CONFIG_MAP, senses.inputs), (HTTP_ROUTE, senses.routes)):
        for child in children:
            if child["kind"] == kind.name:
                referenced.on_event(child)


def _take_reading(
    key: Key,
    deployment: ModelDeployment,
    routes: Routes,
    polls: Polls,
    renderer: Renderer,
    now: float,
) -> Reading | None:
    """Return the answers of the poll that is due; None: none is due, or it has just begun."""

    def plan_poll(now: float) -> MetricsQueries | None:
        request = build_request(deployment, routes, renderer, now)
        return plan_queries(request, renderer.policy) if request else None

    basis = poll_basis(deployment)
    if basis is None or plan_poll(now) is None:
        polls.skip(key)
        return None
    return polls.take(key, basis, plan_poll)


def _config_maps(deployment: ModelDeployment) -> tuple[str, ...]:
    try:
        return config_maps(deployment.spec)
    except ValueError:
        return ()  # validation reports what is wrong with the address


def _names(kind: Kind, children: Iterable[Manifest]) -> tuple[str, ...]:
    return tuple(child["metadata"]["name"] for child in children if child["kind"] == kind.name)


def _with_content(
    children: Iterable[Manifest], contents: Mapping[str, Mapping[str, Manifest | None]]
) -> Iterator[Manifest]:
    """Yield the children with the contents that were read; one that is gone is left out."""
    for child in children:
        by_name = contents.get(child["kind"])
        content = child if by_name is None else by_name[child["metadata"]["name"]]
        if content is not None and content["metadata"]["uid"] == child["metadata"]["uid"]:
            yield content
