"""The evidence behind the current verdict, as text, from the status."""

from collections.abc import Iterator
from dataclasses import dataclass

from halimede.api.analysis import Analysis, ClientErrors
from halimede.api.base import RevisionHash, rfc3339
from halimede.api.rollout import Rollout, Strategy
from halimede.api.status import Evidence, FinishedRollout, RolloutStatus, SourceEvidence, State
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.certify import log_odds_pass
from halimede.judge.evidence import ceiling_of, log_odds_against
from halimede.judge.judge import demanded
from halimede.judge.martingales import BETTER, log_mixture
from halimede.judge.messages import failure_noun, odds, percent, plural, where
from halimede.judge.rule import combine
from halimede.judge.thresholds import (
    BAKE_HOLD,
    CLIENT_ERRORS,
    CONFIRMATION,
    STEP_HOLD,
    Limits,
    limits,
)
from halimede.rollout.analysis_schedule import is_doubtful
from halimede.rollout.checks.pod_loss import describe_weight
from halimede.rollout.commands.available import available_commands
from halimede.rollout.formatting import about_rate
from halimede.rollout.pace import describe_defaults
from halimede.rollout.remaining import clean_requests, level_due, time_for
from halimede.rollout.sizing.first_weight import effective_settings
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import current_step, is_stepwise
from halimede.rollout.traffic_advice import advice_for_step

AWAITED = {
    State.STOPPING: "the old revision's pods to terminate",
    State.STARTING: "ready pods of the new revision",
    State.PRIMING: "the route to be accepted and proxies to discover the new revision's pods",
    State.MIRRORING: "evidence from mirrored requests, and the end of the mirror's minSeconds",
    State.SHIFTING: "the route with the step's weight to be accepted and proxies to follow it",
    State.ANALYSING: "evidence for the step, and the end of its minSeconds",
    State.STEP_PAUSED: "the end of the step's pause",
    State.AWAITING_PROMOTION: "the command promote",
    State.SCALING_UP: "all pods of the new revision to be ready",
    State.PROMOTING: "the route to give the new revision all requests",
    State.BAKING: "the end of the bake",
    State.DRAINING: "the old revision to leave the route",
    State.ABORTING: "the route to give the stable revision all requests",
    State.ABORT_DRAINING: "the aborted revision to leave the route and its last requests to end",
}
"""What a rollout waits for in each state."""


@dataclass(frozen=True, slots=True)
class _EvidenceView:
    """Evidence, with its revisions and the settings by which it is judged."""

    evidence: Evidence
    settings: Rollout
    canary: RevisionHash
    stable: RevisionHash
    stepwise: bool
    """Whether certificates let steps pass."""
    step: int | None = None
    """Index of the level that the step under way must show; None: no step is under way."""
    rollout: RolloutStatus | None = None
    """The rollout, if it is under way."""

    @property
    def analysis(self) -> Analysis:
        """The settings of the analysis."""
        return self.settings.analysis


def explain_rollout(md: ModelDeployment) -> str:
    """Describe the rollout under way, or else the last one, from the status."""
    status = md.status
    lines = [f"{md.metadata.namespace}/{md.metadata.name}"]
    if status.rollout is not None:
        lines += _describe_rollout(md, status.rollout)
    elif status.last_rollout is not None:
        lines += _describe_finished(md, status.last_rollout)
    else:
        lines += ["No rollout is under way, and none has ended yet: there is nothing to judge."]
    commands = list(available_commands(md))
    return (
        "\n".join([*lines, *(("", *commands) if commands else ()), *_describe_conditions(md)])
        + "\n"
    )


def _describe_rollout(md: ModelDeployment, rollout: RolloutStatus) -> Iterator[str]:
    settings = effective_settings(md.spec.rollout, rollout)
    step = f", step {rollout.step + 1} of {rollout.steps}" if is_stepwise(rollout) else ""
    yield (
        f"{rollout.strategy} rollout of {rollout.revision}, replacing {rollout.base}:"
        f" {describe_weight(rollout)} of the requests{step}"
    )
    yield f"State: {rollout.state} since {rfc3339(rollout.state_since)}"
    yield f"Waiting for: {_awaited_text(settings, rollout)}"
    if rollout.paused_since is not None:
        yield f"Paused: by command since {rfc3339(rollout.paused_since)}, until the command resume"
    if rollout.spec_paused_since is not None:
        yield (
            f"Paused: by spec.rollout.paused since {rfc3339(rollout.spec_paused_since)}, until"
            " it is false"
        )
    if rollout.outcome is not None:
        yield f"Outcome: {rollout.outcome} ({rollout.reason}): {rollout.message}"
    view = (
        None
        if rollout.evidence is None
        else _EvidenceView(
            evidence=rollout.evidence,
            settings=settings,
            canary=rollout.revision,
            stable=rollout.base,
            stepwise=is_stepwise(rollout),
            step=level_due(rollout),
            rollout=rollout,
        )
    )
    if defaults := describe_defaults(settings, steps=not md.spec.rollout.canary.steps):
        yield defaults
    yield from _describe_traffic(rollout, settings)
    yield from _describe_evidence(view)


def _describe_traffic(rollout: RolloutStatus, settings: Rollout) -> Iterator[str]:
    """Describe the traffic, and the first step that gets too few requests."""
    evidence = rollout.evidence
    if evidence is not None and evidence.requests_per_second is not None:
        yield f"Traffic: {about_rate(evidence.requests_per_second)} requests/s to both revisions"
    if rollout.first_weight is not None:
        yield f"First weight: {rollout.first_weight} %, chosen from the traffic"
    if short := advice_for_step(rollout, settings):
        yield short


def _awaited_text(settings: Rollout, rollout: RolloutStatus) -> str:
    step = current_step(rollout, settings)
    preview = settings.blue_green
    if rollout.state is State.AWAITING_PROMOTION and preview.auto_promote:
        return "evidence from requests to the preview, and the end of previewAnalysis.minSeconds"
    if rollout.state is State.ANALYSING and rollout.weight == 0:
        return "the end of the step's minSeconds; nothing is judged at weight 0"
    if rollout.state is not State.STEP_PAUSED or step is None or step.pause is None:
        return _awaited_in_bake(rollout) or AWAITED[rollout.state]
    if step.pause.seconds is None:
        return "the command promote; the step has passed, and its pause has no end"
    return f"the end of the step's pause of {step.pause.seconds} s, and the verdict Pass"


def _awaited_in_bake(rollout: RolloutStatus) -> str | None:
    """Return what the rollout waits for in the bake, if it is not the usual text of its state."""
    if rollout.state is State.PROMOTING and rollout.weight < FULL_WEIGHT:
        return f"the route to give the new revision {rollout.weight} %, its weight in the bake"
    if rollout.state is State.BAKING and is_doubtful(rollout):
        return f"the end of the bake, and odds against the revision of less than {odds(BAKE_HOLD)}"
    return None


def _describe_finished(md: ModelDeployment, rollout: FinishedRollout) -> Iterator[str]:
    yield f"No rollout is under way. The last one, {rollout.strategy} of {rollout.revision}:"
    yield (
        f"{rollout.outcome} ({rollout.reason}) at {rfc3339(rollout.ended_at)}: {rollout.message}"
    )
    view = (
        None
        if rollout.evidence is None
        else _EvidenceView(
            evidence=rollout.evidence,
            settings=md.spec.rollout,
            canary=rollout.revision,
            stable=RevisionHash("stable"),
            stepwise=rollout.strategy is Strategy.CANARY,
        )
    )
    yield from _describe_evidence(view)


def _describe_evidence(view: _EvidenceView | None) -> Iterator[str]:
    yield ""
    if view is None:
        yield "The judge has not polled yet: it starts after the warm-up at the first weight."
        return
    evidence = view.evidence
    yield f"The judge says {evidence.verdict or 'nothing yet'}: {evidence.message or '-'}"
    if evidence.no_data_since is not None:
        yield f"There has been no data since {rfc3339(evidence.no_data_since)}."
    if evidence.metrics_down_since is not None:
        yield f"Prometheus has not responded since {rfc3339(evidence.metrics_down_since)}."
    for source_evidence in evidence.sources:
        yield ""
        yield from _describe_source(view, source_evidence)
    yield from _describe_client_errors(view)
    if evidence.sources:
        yield ""
        yield _describe_all_tests(view)


def _describe_source(view: _EvidenceView, evidence: SourceEvidence) -> Iterator[str]:
    bounds = limits(view.analysis)
    yield (
        f"{evidence.source}: {rfc3339(evidence.begun_at)} to {rfc3339(evidence.watermark)},"
        f" {plural(evidence.polls, 'poll')} with requests, dispersion {evidence.dispersion:.3g}"
    )
    thing = failure_noun(evidence.source)
    yield _format_counts(view.canary, evidence.canary_requests, evidence.canary_errors, thing)
    yield _format_counts(view.stable, evidence.stable_requests, evidence.stable_errors, thing)
    yield f"  worse than stable: odds {odds(log_mixture(evidence.log_rel))}"
    ceiling = f"over {percent(ceiling_of(evidence, bounds))} {thing}s"
    yield f"  {ceiling}: odds {odds(log_mixture(evidence.log_abs))}"
    if evidence.bake_ceiling is not None:
        bake = f"over {percent(evidence.bake_ceiling)} {thing}s in the bake"
        yield f"  {bake}: odds {odds(log_mixture(evidence.log_bake))}"
    if evidence.log_confirmation and evidence.confirmation_requests:
        yield _format_threshold(
            "worse than stable since the suspicion",
            log_mixture(evidence.log_confirmation),
            CONFIRMATION,
            "to confirm",
        )
    if view.stepwise:
        yield from _describe_certificates(view, evidence, bounds)
    if view.step is not None:
        yield f"  {_describe_missing(view, evidence, view.step)}"


def _describe_client_errors(view: _EvidenceView) -> Iterator[str]:
    evidence = view.evidence.client_errors
    if evidence is None:
        return
    verb = "to abort" if view.analysis.on_client_errors is ClientErrors.ABORT else "to hold"
    yield ""
    yield f"{evidence.source}: {rfc3339(evidence.begun_at)} to {rfc3339(evidence.watermark)}"
    yield _format_counts(
        view.canary,
        evidence.canary_requests,
        evidence.canary_errors,
        failure_noun(evidence.source),
    )
    yield _format_counts(
        view.stable,
        evidence.stable_requests,
        evidence.stable_errors,
        failure_noun(evidence.source),
    )
    yield _format_threshold(
        "worse than stable", log_mixture(evidence.log_rel), CLIENT_ERRORS, verb
    )


def _describe_all_tests(view: _EvidenceView) -> str:
    """Describe the mean odds of all tests that count now, which decide about an abort."""
    bounds = limits(view.analysis)
    log_odds = list[float]()
    for evidence in view.evidence.sources:
        log_odds.append(log_mixture(evidence.log_rel))
        unconfirmed = (
            evidence.confirmation_requests
            and log_mixture(evidence.log_confirmation) < CONFIRMATION
        )
        if evidence.log_confirmation and unconfirmed:
            continue
        log_odds.append(log_mixture(evidence.log_abs))
        log_odds += [log_mixture(evidence.log_bake)] if evidence.log_bake else []
    value = combine(log_odds, bounds)
    return f"All tests together: odds {odds(value)} against it ({odds(bounds.stop)} to abort)"


def _format_counts(revision: str, requests: int, errors: int, thing: str) -> str:
    share = f" ({percent(errors / requests)})" if requests else ""
    return f"  {revision:8}  {plural(requests, 'request')}, {plural(errors, thing)}{share}"


def _format_threshold(what: str, log_value: float, bar: float, then: str) -> str:
    return f"  {what}: odds {odds(log_value)} ({odds(bar)} {then})"


def _describe_certificates(
    view: _EvidenceView, evidence: SourceEvidence, bounds: Limits
) -> Iterator[str]:
    for index, level in enumerate(demanded(view.evidence, evidence)):
        what = f"under {percent(level)} {failure_noun(evidence.source)}s (step {index + 1})"
        yield _format_threshold(what, log_odds_pass(evidence, level), bounds.certify, "required")
    if evidence.log_better:
        what = f"under {percent(BETTER)} of stable's {failure_noun(evidence.source)}s"
        yield _format_threshold(what, log_mixture(evidence.log_better), bounds.certify, "required")


def _describe_missing(view: _EvidenceView, evidence: SourceEvidence, step: int) -> str:
    more = clean_requests(view.evidence, evidence, step, view.analysis)
    if more == 0:
        return f"Nothing is missing {where(evidence.source)} for step {step + 1}."
    if more is None and log_odds_against(evidence) >= STEP_HOLD:
        return (
            f"The odds against it hold the step ({odds(STEP_HOLD)} or more): clean requests"
            f" alone do not let step {step + 1} pass."
        )
    if more is None:
        return f"Step {step + 1} cannot pass any more; abort the rollout."
    time = time_for(more, view.rollout, view.settings) if view.rollout else ""
    missing = f"Step {step + 1} needs about {plural(more, 'more clean request')}"
    return f"{missing} ({time})." if time else f"{missing}."


def _describe_conditions(md: ModelDeployment) -> Iterator[str]:
    if not md.status.conditions:
        return
    yield ""
    yield "Conditions:"
    for condition in md.status.conditions:
        since = rfc3339(condition.last_transition_time)
        yield (
            f"  {condition.type}={condition.status} {condition.reason} since {since}:"
            f" {condition.message}"
        )
