"""What a reconcile asks Prometheus for, if a poll is due."""

from dataclasses import dataclass

from halimede.api.analysis import MetricsProvider
from halimede.api.status import State
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.custom_queries import custom_sources, due_queries
from halimede.judge.reading import BackendPosition, MetricsRequest, counted_since, watched
from halimede.plan.desired import traffic_objects
from halimede.plan.renderer import Renderer, render_key
from halimede.plan.route_status import backend_positions
from halimede.plan.user_routes import Routes, referenced_route
from halimede.render.view import model_name
from halimede.rollout.analysis_schedule import is_due
from halimede.rollout.sizing.first_weight import effective_settings


@dataclass(frozen=True, slots=True)
class PollBasis:
    """What a poll is about. Its answers are judged only if this has not changed since."""

    uid: str
    """The ModelDeployment's."""
    generation: int
    custom: bool
    """Whether the spec has custom queries."""
    provider: MetricsProvider
    history: bool
    """Whether it reads the history, because the evidence has not begun."""
    interval: float
    """Seconds from one poll to the next."""
    rollout: str
    """The rollout's id."""
    state: State
    step: int
    step_started_at: float | None
    weight: int
    polled_at: float | None
    """The time of the previous poll."""


def poll_basis(md: ModelDeployment) -> PollBasis | None:
    """Return what a poll is about now; None: there is no rollout."""
    rollout, analysis = md.status.rollout, md.spec.rollout.analysis
    if rollout is None:
        return None
    return PollBasis(
        uid=md.metadata.uid,
        generation=md.metadata.generation,
        custom=bool(custom_sources(analysis)),
        provider=analysis.provider,
        history=counted_since(rollout.evidence) is None,
        interval=float(analysis.interval_seconds),
        rollout=rollout.id,
        state=rollout.state,
        step=rollout.step,
        step_started_at=rollout.step_started_at,
        weight=rollout.weight,
        polled_at=rollout.polled_at,
    )


def build_request(
    md: ModelDeployment, routes: Routes, renderer: Renderer, now: float
) -> MetricsRequest | None:
    """Build the request of this reconcile; None: no poll is due.

    Args:
        md: The ModelDeployment.
        routes: The user's HTTPRoutes, as in `Observed`.
        renderer: It renders the route whose backends are counted.
        now: UNIX time.
    """
    rollout, analysis = md.status.rollout, md.spec.rollout.analysis
    if rollout is None:
        return None
    if not is_due(rollout, effective_settings(md.spec.rollout, rollout), now):
        return None
    return MetricsRequest(
        provider=analysis.provider,
        namespace=md.metadata.namespace,
        name=md.metadata.name,
        model=model_name(md),
        stable=rollout.base,
        canary=rollout.revision,
        now=now,
        since=counted_since(rollout.evidence),
        stable_since=(md.status.stable and md.status.stable.since) or 0.0,
        backends=_backend_positions(md, routes, renderer),
        indicators=due_queries(analysis, rollout.evidence, now),
        slow_after=analysis.latency.threshold_milliseconds if analysis.latency else None,
        client_errors=bool(watched(analysis)),
    )


def _backend_positions(
    md: ModelDeployment, routes: Routes, renderer: Renderer
) -> tuple[BackendPosition, ...]:
    if md.spec.rollout.analysis.provider is not MetricsProvider.ENVOY_GATEWAY:
        return ()
    route = routes.get(referenced_route(md) or "")
    return backend_positions(
        (route | {"kind": "HTTPRoute"},)
        if route
        else traffic_objects(renderer, render_key(md), md.status),
        md.metadata.name,
    )
