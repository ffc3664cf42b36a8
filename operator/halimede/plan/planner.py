"""Decide: what was observed in, what is to be done out. Pure; the time is an argument."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from halimede.api.analysis import MetricsProvider
from halimede.api.base import Manifest, RevisionHash
from halimede.api.conditions import Condition, ConditionType
from halimede.api.expose import ExposeType
from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.api.status import RevisionStatus, Status
from halimede.api.v1alpha1 import COMMAND_ANNOTATION, ModelDeployment
from halimede.judge.custom_queries import due_queries
from halimede.judge.reading import BackendPosition, MetricsRequest, counted_since, watched
from halimede.plan import user_routes
from halimede.plan.backend_positions import backend_positions
from halimede.plan.cluster_state import pod_start_times, summarise
from halimede.plan.conditions import ConditionInput, build_conditions
from halimede.plan.desired import (
    ChildDiff,
    desired_children,
    diff_children,
    load_revisions,
    revision_configmaps,
    traffic_objects,
    weighted_backends,
)
from halimede.plan.observed import Observed
from halimede.plan.plan import Plan
from halimede.plan.renderer import RenderKey, find_violations, render_key, render_revision
from halimede.plan.status_limits import trim
from halimede.plan.user_routes import Routes, plan_route_changes
from halimede.render.images import Platform
from halimede.render.revision import Revision
from halimede.render.view import model_name
from halimede.rollout.analysis_schedule import analyse, is_due
from halimede.rollout.checks.safety import REFUSED_GRACE_SECONDS
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.command import pending
from halimede.rollout.context import Decision, Goal, RolloutContext
from halimede.rollout.events import Event, warning
from halimede.rollout.facts import NEEDS_HELP
from halimede.rollout.machine import advance
from halimede.rollout.requeue import requeue_after
from halimede.rollout.sizing import traffic
from halimede.rollout.sizing.first_weight import (
    choose_first_weight,
    effective_settings,
    report_first_weight,
)
from halimede.rollout.traffic_advice import report_shortage

AFTER_WRITES_SECONDS = 1.0
"""How soon to look at what was written while something is awaited: nothing else may wake us."""
WARN_ON: frozenset[Reason | NotReadyReason] = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.APPLY_FAILED,
        Reason.UNAVAILABLE,
        Reason.ROUTE_NOT_ACCEPTED,
        Reason.METRICS_HOLD,
        Reason.ROUTE_CONFLICT,
        Reason.STABLE_UNHEALTHY,
        Reason.CAPACITY_HOLD,
        *NEEDS_HELP,
    }
)
"""Reasons of Ready that are worth an Event when they come."""


def metrics_request(md: ModelDeployment, routes: Routes, now: float) -> MetricsRequest | None:
    """Say what Prometheus is to be asked in this pass; None: nothing is judged now.

    Args:
        md: The ModelDeployment.
        routes: The users' HTTPRoutes, as in `Observed`.
        now: UNIX time.
    """
    rollout, analysis = md.status.rollout, md.spec.rollout.analysis
    if rollout is None or not is_due(rollout, analysis, now):
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
        backends=_backend_positions(md, routes),
        indicators=due_queries(analysis, rollout.evidence, now),
        slow_after=analysis.latency.threshold_milliseconds if analysis.latency else None,
        client_errors=bool(watched(analysis)),
    )


def _backend_positions(md: ModelDeployment, routes: Routes) -> tuple[BackendPosition, ...]:
    if md.spec.rollout.analysis.provider is not MetricsProvider.ENVOY_GATEWAY:
        return ()
    used = routes.get(user_routes.referenced_route(md) or "")
    return backend_positions(
        (used | {"kind": "HTTPRoute"},) if used else traffic_objects(render_key(md), md.status),
        md.metadata.name,
    )


def decide(observed: Observed, platform: Platform, now: float) -> Plan:
    """Decide what one pass does about a ModelDeployment."""
    md = observed.deployment
    whose, known = render_key(md), revision_configmaps(observed.children)
    invalid = _invalid_message(whose, observed)
    target = _target(observed, whose, known, platform) if invalid is None else None
    hash_ = target.hash if target else _last_target(md.status)
    if hash_ is None:
        return _nothing_to_serve(observed, invalid, now)
    ctx, moved = _run_machine(observed, hash_, invalid, whose, now)
    task = plan_route_changes(
        md, moved.status, observed.routes, weighted_backends(moved.status), now
    )
    moved = replace(moved, status=moved.status.evolve(user_routes=task.routes))
    after = replace(ctx, status=moved.status)
    revisions = load_revisions(known, traffic.revisions_with_workloads(moved.status))
    if target is not None:
        revisions[target.hash] = target
    wanted = desired_children(whose, after, revisions, traffic_objects(whose, moved.status))
    lost = traffic.revisions_with_workloads(moved.status) - revisions.keys()
    status = _final_status(observed, after, moved, invalid, lost)
    todo = diff_children(observed.children, wanted, lost, traffic.revisions_to_keep(moved.status))
    plan = _plan(observed, status, moved, todo, after)
    waits = (wait for wait in (plan.requeue_after, task.requeue_after) if wait is not None)
    return replace(
        plan,
        patches=task.patches,
        finalizer=task.finalizer,
        requeue_after=min(waits, default=None),
    )


def _invalid_message(whose: RenderKey, observed: Observed) -> str | None:
    """Say everything that is wrong with the spec: field, what, and the cure."""
    wrong = find_violations(whose, observed.inputs)
    return " ".join(f"{one}." for one in wrong) or None


def _target(
    observed: Observed, whose: RenderKey, known: Mapping[str, Manifest], platform: Platform
) -> Revision:
    """Render the revision that the spec asks for, as it was recorded if it is not new."""
    rendered = render_revision(whose, platform, observed.inputs)
    return load_revisions(known, {rendered.hash}).get(rendered.hash, rendered)


def _last_target(status: Status) -> RevisionHash | None:
    """Find what a spec that cannot be understood falls back to."""
    known = status.target or status.stable
    return known.revision if known else None


def _run_machine(
    observed: Observed, target: RevisionHash, invalid: str | None, whose: RenderKey, now: float
) -> tuple[RolloutContext, Decision]:
    md, status = observed.deployment, observed.deployment.status
    if status.target is None and status.stable is None:
        first = RevisionStatus(revision=target, since=now)
        status = status.evolve(target=first)
    status = _without_lost_records(status, observed)
    seen = summarise(observed, traffic_objects(whose, status), weighted_backends(status))
    status, verdict = _analyse(observed, status, now)
    ctx = RolloutContext(
        goal=Goal(
            target=target,
            settings=effective_settings(md.spec.rollout, status.rollout),
            identity=f"{md.metadata.uid}:{md.metadata.generation}",
            generation=md.metadata.generation,
            invalid=invalid,
            no_router=md.spec.expose.type is ExposeType.SERVICE,
        ),
        facts=seen,
        status=status,
        command=pending(md.metadata.annotations.get(COMMAND_ANNOTATION), status),
        verdict=verdict,
        now=now,
    )
    return ctx, report_shortage(advance(ctx), ctx)


def _without_lost_records(status: Status, observed: Observed) -> Status:
    """Forget the way back to revisions whose records somebody has deleted."""
    there = revision_configmaps(observed.children).keys()
    history = tuple(one for one in status.history if one.revision in there)
    return status if history == status.history else status.evolve(history=history)


def _analyse(observed: Observed, status: Status, now: float) -> tuple[Status, Verdict | None]:
    """Let the judge see what Prometheus answered, if it was asked."""
    if status.rollout is None or observed.reading is None:
        return status, None
    analysis = observed.deployment.spec.rollout.analysis
    rollout, verdict = analyse(
        status.rollout, observed.reading, analysis, now, pod_start_times(observed)
    )
    rollout = choose_first_weight(rollout, observed.deployment.spec.rollout)
    return status.evolve(rollout=rollout), verdict


def _final_status(
    observed: Observed,
    after: RolloutContext,
    moved: Decision,
    invalid: str | None,
    lost: frozenset[str],
) -> Status:
    md = observed.deployment
    status = moved.status.evolve(observed_generation=md.metadata.generation, url=_url(observed))
    situation = ConditionInput(
        deployment=md,
        status=status,
        facts=after.facts,
        wait=moved.wait,
        invalid=invalid,
        apply_errors=observed.apply_errors,
        lost=tuple(sorted(lost)),
        now=after.now,
    )
    return trim(status.evolve(conditions=build_conditions(situation)))


def _nothing_to_serve(observed: Observed, invalid: str | None, now: float) -> Plan:
    """The very first spec is invalid: there is nothing to keep and nothing to start."""
    md = observed.deployment
    ctx = RolloutContext(
        goal=Goal(
            RevisionHash(""),
            effective_settings(md.spec.rollout, None),
            md.metadata.uid,
            invalid=invalid,
        ),
        facts=summarise(observed, (), ()),
        status=md.status,
        command=None,
        verdict=None,
        now=now,
    )
    moved = Decision(md.status)
    status = _final_status(observed, ctx, moved, invalid, frozenset())
    return _plan(observed, status, moved, ChildDiff((), (), ()), ctx)


def _plan(
    observed: Observed, status: Status, moved: Decision, todo: ChildDiff, ctx: RolloutContext
) -> Plan:
    md = observed.deployment
    return Plan(
        status=None if status == md.status else status,
        applies=todo.applies,
        deletes=todo.deletes,
        events=(
            *moved.events,
            *_warnings(md.status, status),
            *report_first_weight(md.status.rollout, status.rollout),
        ),
        requeue_after=_requeue_after(observed, status, todo, ctx),
        handovers=todo.handovers,
    )


def _requeue_after(
    observed: Observed, status: Status, todo: ChildDiff, ctx: RolloutContext
) -> float | None:
    """Say when to look again. Our own writes wake nobody, so a step on is followed up at once."""
    md = observed.deployment
    if _position(md.status) != _position(status):
        return 0.0
    waits = [
        *_deadlines(status, ctx),
        requeue_after(status, ctx.settings, ctx.now),
        AFTER_WRITES_SECONDS if _follows_writes(observed, status, todo) else None,
    ]
    return min((wait for wait in waits if wait is not None), default=None)


def _follows_writes(observed: Observed, status: Status, todo: ChildDiff) -> bool:
    """Whether to look after the writes; what was refused is left to the queue's back-off."""
    unready = _ready(status).status != "True"
    return bool(todo.applies) and unready and not observed.apply_errors


def _deadlines(status: Status, ctx: RolloutContext) -> Iterator[float]:
    """Say when conditions turn worse by time alone."""
    moments = []
    if status.stable is None and status.target is not None and status.target.since is not None:
        moments.append(status.target.since + ctx.settings.progress_deadline_seconds)
    if not ctx.facts.route.accepted and ctx.facts.route.since is not None:
        moments.append(ctx.facts.route.since + ROUTE_WAIT_SECONDS)
    if status.rollout is not None and ctx.facts.workload(status.rollout.revision).refused:
        moments.append(status.rollout.last_progress_at + REFUSED_GRACE_SECONDS)
    return (moment - ctx.now for moment in moments if moment > ctx.now)


def _position(status: Status) -> tuple[object, ...]:
    rollout = status.rollout
    stable = status.stable and status.stable.revision
    if rollout is None:
        return (stable, None)
    return (stable, rollout.id, rollout.state, rollout.step, rollout.weight)


def _warnings(before: Status, after: Status) -> tuple[Event, ...]:
    """Tell of a Ready that has turned to a reason that somebody should look at."""
    old = {one.type: one.reason for one in before.conditions}
    new: Condition = _ready(after)
    reason = next((one for one in WARN_ON if one == new.reason), None)
    if reason is None or old.get(ConditionType.READY) == reason:
        return ()
    return (warning(reason, new.message),)


def _ready(status: Status) -> Condition:
    return next(one for one in status.conditions if one.type is ConditionType.READY)


def _url(observed: Observed) -> str | None:
    """Say where clients reach the model; only hostnames are known here."""
    md = observed.deployment
    if (name := user_routes.referenced_route(md)) is not None:
        spec = (observed.routes.get(name) or {}).get("spec") or {}
        return next((f"http://{host}" for host in spec.get("hostnames") or ()), None)
    match md.spec.expose.type:
        case ExposeType.GATEWAY if md.spec.expose.gateway and md.spec.expose.gateway.hostnames:
            return f"http://{md.spec.expose.gateway.hostnames[0]}"
        case ExposeType.INGRESS if md.spec.expose.ingress:
            tls = md.spec.expose.ingress.tls_secret_name
            return f"http{'s' if tls else ''}://{md.spec.expose.ingress.host}"
        case _:
            return None
