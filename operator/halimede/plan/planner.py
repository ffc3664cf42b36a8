"""Decide from the observed state what one reconcile writes. Pure; the time is an argument."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from halimede.api.base import Manifest, RevisionHash
from halimede.api.conditions import Condition, ConditionType
from halimede.api.expose import ExposeType
from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.api.status import RevisionStatus, Status
from halimede.api.v1alpha1 import COMMAND_ANNOTATION, COMMANDER_ANNOTATION
from halimede.plan import user_routes
from halimede.plan.cluster_state import pod_start_times, revision_of, summarise
from halimede.plan.conditions import ConditionInput, build_conditions
from halimede.plan.desired import (
    ChildDiff,
    desired_children,
    diff_children,
    traffic_objects,
    weighted_backends,
)
from halimede.plan.foreign import (
    NAME_TAKEN_REQUEUE_SECONDS,
    ChildKey,
    child_key,
    with_names,
)
from halimede.plan.observed import Observed
from halimede.plan.plan import Plan
from halimede.plan.records import (
    Records,
    Target,
    choose_target,
    collision_events,
    read_records,
    store_target,
    without_lost_records,
)
from halimede.plan.renderer import Renderer, RenderKey, render_key
from halimede.plan.source_resolution import (
    Resolution,
    resolve_source,
    running_resolvers,
    source_events,
)
from halimede.plan.status_limits import trim
from halimede.plan.user_routes import RouteChanges, plan_route_changes
from halimede.plan.vulnerable_version import acceptance_events
from halimede.render.platform import Platform
from halimede.rollout.analysis_schedule import analyse, is_due
from halimede.rollout.checks.safety import REJECTED_GRACE_SECONDS
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.command import pending
from halimede.rollout.context import Decision, Goal, RolloutContext
from halimede.rollout.events import Event, warning
from halimede.rollout.facts import NEEDS_HELP
from halimede.rollout.machine import advance, advance_unresolved
from halimede.rollout.requeue import requeue_after
from halimede.rollout.sizing import traffic
from halimede.rollout.sizing.first_weight import (
    choose_first_weight,
    effective_settings,
    report_first_weight,
)
from halimede.rollout.traffic_advice import report_shortage

AFTER_WRITES_SECONDS = 1.0
"""Seconds until the next reconcile after writes, while Ready is not True: the writes may cause no
watch event."""
WARN_ON: frozenset[Reason | NotReadyReason] = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.UNRESOLVED,
        Reason.NAME_TAKEN,
        Reason.INVALID_RECORD,
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
"""Reasons of Ready for which an Event is created when they begin."""


@dataclass(frozen=True, slots=True)
class _Situation:
    """What one decision starts from."""

    observed: Observed
    renderer: Renderer
    key: RenderKey
    records: Records
    invalid: str | None
    """What is wrong with the spec."""
    resolution: Resolution
    now: float


def decide(observed: Observed, renderer: Renderer, platform: Platform, now: float) -> Plan:
    """Plan one reconcile of a ModelDeployment."""
    md = observed.deployment
    key = render_key(md)
    records = read_records(renderer, key, observed)
    invalid = _invalid_message(renderer, key, platform, observed)
    resolution, target = _find_target(records, platform, invalid, now)
    situation = _Situation(observed, renderer, key, records, invalid, resolution, now)
    hash_ = target.hash if target else _last_target(md.status)
    if hash_ is None:
        return _nothing_to_serve(situation)
    ctx, decision = _run_machine(situation, hash_)
    foreign = frozenset(map(child_key, observed.foreign))
    route_changes = plan_route_changes(
        md, decision.status, observed.routes, weighted_backends(decision.status), foreign, now
    )
    status = decision.status.evolve(user_routes=route_changes.routes)
    status = store_target(status, records, target)
    decision = replace(
        decision, status=status, events=(*collision_events(records, target), *decision.events)
    )
    new_ctx = replace(ctx, status=status)
    revisions = records.load_all(traffic.revisions_with_workloads(status))
    if target is not None and target.revision is not None:
        revisions[target.hash] = target.revision
    children = desired_children(
        renderer,
        key,
        new_ctx,
        revisions,
        traffic_objects(renderer, key, decision.status),
        platform.network,
    ) + resolution.desired_objects(status)
    lost = traffic.revisions_with_workloads(decision.status) - revisions.keys()
    taken = with_names(observed.foreign, map(child_key, children))
    status = _final_status(situation, new_ctx, decision, lost, taken)
    diff = diff_children(
        renderer,
        observed.children,
        children,
        frozenset(map(records.name, lost)),
        frozenset(map(records.name, traffic.revisions_to_keep(decision.status))),
        frozenset(map(records.name, filter(None, map(revision_of, observed.pods))))
        | running_resolvers(observed),
        foreign,
    )
    plan = _plan(situation, status, decision, diff, new_ctx)
    return _with_route_changes(plan, route_changes, frozenset(map(child_key, taken)))


def _with_route_changes(plan: Plan, changes: RouteChanges, taken: frozenset[ChildKey]) -> Plan:
    """Add the changes of the user's routes, and the names that others have taken."""
    plan = _with_taken_names(plan, taken)
    return replace(
        plan,
        patches=changes.patches,
        finalizer=changes.finalizer,
        requeue_after=_earliest(plan.requeue_after, changes.requeue_after),
    )


def _with_taken_names(plan: Plan, taken: frozenset[ChildKey]) -> Plan:
    """Add the names that others have taken; no event tells when they are free."""
    wait = NAME_TAKEN_REQUEUE_SECONDS if taken else None
    return replace(plan, requeue_after=_earliest(plan.requeue_after, wait), taken=taken)


def _earliest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _invalid_message(
    renderer: Renderer, key: RenderKey, platform: Platform, observed: Observed
) -> str | None:
    """Describe everything that is wrong with the spec: the field, the fault, and what to do."""
    violations = renderer.find_violations(key, platform, observed.inputs)
    return " ".join(f"{violation}." for violation in violations) or None


def _find_target(
    records: Records, platform: Platform, invalid: str | None, now: float
) -> tuple[Resolution, Target | None]:
    """Find the revision that the spec asks for; None: it is invalid, or its digest is not known.

    An invalid spec leads nowhere, so what is known of the source of the last valid one stays.
    """
    observed = records.observed
    if invalid is not None:
        return Resolution(observed.deployment.status.model), None
    resolution = resolve_source(observed, records, platform, now)
    if resolution.unresolved is not None:
        return resolution, None
    rendered = records.renderer.render_revision(
        records.key, platform, observed.inputs, resolution.files
    )
    return resolution, choose_target(rendered, platform, records)


def _last_target(status: Status) -> RevisionHash | None:
    """Return the revision to keep while the spec is invalid; None: there is none."""
    fallback = status.target or status.stable
    return fallback.revision if fallback else None


def _run_machine(situation: _Situation, target: RevisionHash) -> tuple[RolloutContext, Decision]:
    observed, renderer, key = situation.observed, situation.renderer, situation.key
    records, now = situation.records, situation.now
    md = observed.deployment
    status = md.status.evolve(model=situation.resolution.model)
    if status.target is None and status.stable is None:
        first = RevisionStatus(revision=target, since=now)
        status = status.evolve(target=first)
    status = without_lost_records(status, records)
    facts = replace(
        summarise(
            observed,
            renderer,
            traffic_objects(renderer, key, status),
            weighted_backends(status),
        ),
        invalid_records=records.invalid,
    )
    status, verdict = _analyse(observed, status)
    ctx = RolloutContext(
        goal=Goal(
            target=target,
            settings=effective_settings(md.spec.rollout, status.rollout),
            identity=f"{md.metadata.uid}:{md.metadata.generation}",
            generation=md.metadata.generation,
            invalid=situation.invalid,
            unresolved=situation.resolution.unresolved,
            no_router=md.spec.expose.type is ExposeType.SERVICE,
        ),
        facts=facts,
        status=status,
        command=pending(
            md.metadata.annotations.get(COMMAND_ANNOTATION),
            status,
            md.metadata.annotations.get(COMMANDER_ANNOTATION),
        ),
        verdict=verdict,
        now=now,
    )
    return ctx, report_shortage(advance(ctx), ctx)


def _analyse(observed: Observed, status: Status) -> tuple[Status, Verdict | None]:
    """Judge the answers of Prometheus, if there are any, as of the time when it was queried."""
    if status.rollout is None or observed.reading is None:
        return status, None
    analysis = observed.deployment.spec.rollout.analysis
    rollout, verdict = analyse(
        status.rollout,
        observed.reading,
        analysis,
        observed.reading.request.now,
        pod_start_times(observed),
    )
    rollout = choose_first_weight(rollout, observed.deployment.spec.rollout)
    return status.evolve(rollout=rollout), verdict


def _final_status(
    situation: _Situation,
    ctx: RolloutContext,
    decision: Decision,
    lost: frozenset[str],
    taken: tuple[Manifest, ...],
) -> Status:
    observed = situation.observed
    md = observed.deployment
    status = decision.status.evolve(observed_generation=md.metadata.generation, url=_url(observed))
    conditions = ConditionInput(
        deployment=md,
        status=status,
        facts=ctx.facts,
        wait=decision.wait,
        invalid=situation.invalid,
        unresolved=situation.resolution.unresolved,
        apply_errors=observed.apply_errors,
        taken=taken,
        lost=tuple(sorted(lost)),
        now=ctx.now,
    )
    return trim(status.evolve(conditions=build_conditions(conditions)))


def _nothing_to_serve(situation: _Situation) -> Plan:
    """Plan for a first spec that is invalid or not resolved: there is nothing to keep or start."""
    observed, renderer = situation.observed, situation.renderer
    md, resolution = observed.deployment, situation.resolution
    status = md.status.evolve(model=resolution.model)
    ctx = RolloutContext(
        goal=Goal(
            RevisionHash(""),
            effective_settings(md.spec.rollout, None),
            md.metadata.uid,
            invalid=situation.invalid,
            unresolved=resolution.unresolved,
        ),
        facts=summarise(observed, renderer, (), ()),
        status=status,
        command=pending(
            md.metadata.annotations.get(COMMAND_ANNOTATION),
            status,
            md.metadata.annotations.get(COMMANDER_ANNOTATION),
        ),
        verdict=None,
        now=situation.now,
    )
    decision = advance_unresolved(ctx)
    children = resolution.desired_objects(decision.status)
    foreign = frozenset(map(child_key, observed.foreign))
    taken = with_names(observed.foreign, map(child_key, children))
    status = _final_status(situation, ctx, decision, frozenset(), taken)
    none: frozenset[str] = frozenset()
    running = running_resolvers(observed)
    diff = diff_children(renderer, observed.children, children, none, none, running, foreign)
    plan = _plan(situation, status, decision, diff, ctx)
    return _with_taken_names(plan, frozenset(map(child_key, taken)))


def _plan(
    situation: _Situation,
    status: Status,
    decision: Decision,
    diff: ChildDiff,
    ctx: RolloutContext,
) -> Plan:
    md = situation.observed.deployment
    return Plan(
        status=None if status == md.status else status,
        applies=diff.applies,
        deletes=diff.deletes,
        events=(
            *decision.events,
            *_warnings(md.status, status),
            *acceptance_events(md.status, status),
            *source_events(md.status, status),
            *report_first_weight(md.status.rollout, status.rollout, md.spec.rollout),
        ),
        requeue_after=_requeue_after(situation, status, diff, ctx),
        handovers=diff.handovers,
    )


def _requeue_after(
    situation: _Situation, status: Status, diff: ChildDiff, ctx: RolloutContext
) -> float | None:
    """Return the seconds until the next reconcile.

    A status that we write ourselves queues nothing, so a change of the rollout's position requeues
    immediately.
    """
    observed, deadline = situation.observed, situation.resolution.deadline
    md = observed.deployment
    if _position(md.status) != _position(status) or _next_poll_is_due(observed, status, ctx):
        return 0.0
    return _earliest(
        *_deadlines(status, ctx),
        None if deadline is None else deadline - ctx.now,
        requeue_after(status, ctx.settings, ctx.now),
        AFTER_WRITES_SECONDS if _follows_writes(observed, status, diff) else None,
    )


def _next_poll_is_due(observed: Observed, status: Status, ctx: RolloutContext) -> bool:
    """Whether the answers that were judged took so long that the next poll is due already.

    It has not begun, because an object has one poll at a time.
    """
    if status.rollout is None or observed.reading is None:
        return False
    return is_due(status.rollout, ctx.settings, ctx.now)


def _follows_writes(observed: Observed, status: Status, diff: ChildDiff) -> bool:
    """Whether to requeue after the writes; failed ones are left to the back-off of the queue."""
    unready = _ready(status).status != "True"
    return bool(diff.applies) and unready and not observed.apply_errors


def _deadlines(status: Status, ctx: RolloutContext) -> Iterator[float]:
    """Yield the seconds until conditions get worse by time alone."""
    moments = []
    if status.stable is None and status.target is not None and status.target.since is not None:
        moments.append(status.target.since + ctx.settings.progress_deadline_seconds)
    if not ctx.facts.route.accepted and ctx.facts.route.since is not None:
        moments.append(ctx.facts.route.since + ROUTE_WAIT_SECONDS)
    if status.rollout is not None and ctx.facts.workload(status.rollout.revision).rejected:
        moments.append(status.rollout.last_progress_at + REJECTED_GRACE_SECONDS)
    return (moment - ctx.now for moment in moments if moment > ctx.now)


def _position(status: Status) -> tuple[object, ...]:
    rollout = status.rollout
    stable = status.stable and status.stable.revision
    if rollout is None:
        return (stable, status.model, None)
    return (stable, status.model, rollout.id, rollout.state, rollout.step, rollout.weight)


def _warnings(before: Status, after: Status) -> tuple[Event, ...]:
    """Return a warning Event if the reason of Ready has changed to one in `WARN_ON`."""
    old = {condition.type: condition.reason for condition in before.conditions}
    new: Condition = _ready(after)
    reason = next((reason for reason in WARN_ON if reason == new.reason), None)
    if reason is None or old.get(ConditionType.READY) == reason:
        return ()
    return (warning(reason, new.message),)


def _ready(status: Status) -> Condition:
    return next(one for one in status.conditions if one.type is ConditionType.READY)


def _url(observed: Observed) -> str | None:
    """Return the URL at which clients reach the model; None if no hostname is set."""
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
