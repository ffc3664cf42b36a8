"""How many requests a step still needs, and how long they take at the current traffic."""

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.rollout import Rollout
from halimede.api.status import Evidence, RolloutStatus, SourceEvidence
from halimede.judge.evidence import log_odds_against
from halimede.judge.judge import demanded, examined
from halimede.judge.messages import plural
from halimede.judge.reading import MetricsRequest
from halimede.judge.sample_size import StepTest, requests_to_certify, requests_to_pass
from halimede.judge.thresholds import STEP_HOLD
from halimede.rollout.formatting import about, about_rate
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import AWAITING_EVIDENCE
from halimede.rollout.steps import is_stepwise, mirror_due


def level_due(rollout: RolloutStatus) -> int | None:
    """Return the index of the level that the step under way must show; None if no step is."""
    evidence = rollout.evidence
    if evidence is None or not evidence.levels or not is_stepwise(rollout):
        return None
    if rollout.state not in AWAITING_EVIDENCE or rollout.outcome is not None:
        return None
    return examined(evidence, rollout.step, rollout.steps)


def clean_requests(
    evidence: Evidence, source_evidence: SourceEvidence, step: int, analysis: Analysis
) -> int | None:
    """Return how many clean requests would let a step pass by one source.

    Returns:
        None if the odds against the revision would still hold it, or if millions are too few.
    """
    request = MetricsRequest(
        provider=analysis.provider,
        namespace="",
        name="",
        model="",
        stable="",
        canary="",
        now=source_evidence.watermark,
        since=source_evidence.watermark,
    )
    return requests_to_pass(
        StepTest(source_evidence, demanded(evidence, source_evidence), step, analysis, request)
    )


def seconds_for(requests: int, rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Estimate the seconds until the new revision gets *requests*; None for unknown traffic."""
    per_second = rollout.evidence and rollout.evidence.requests_per_second
    mirror = mirror_due(rollout, settings)
    share = rollout.weight if rollout.actual_weight is None else rollout.actual_weight
    if mirror is not None:
        share = mirror.percent
    return requests / (per_second * share / FULL_WEIGHT) if per_second and share else None


def time_for(requests: int, rollout: RolloutStatus, settings: Rollout) -> str:
    """Describe how long the new revision waits for *requests*; empty for unknown traffic."""
    seconds = seconds_for(requests, rollout, settings)
    if seconds is None or rollout.evidence is None:
        return ""
    per_second = rollout.evidence.requests_per_second or 0.0
    return f"{about(seconds)} at {about_rate(per_second)} requests/s"


def time_left(rollout: RolloutStatus, settings: Rollout) -> str:
    """Describe what the step under way still needs and how long that takes; empty if unknown.

    It assumes that the new revision fails as often as the stable one did before the rollout. This
    estimate is cheap enough for every reconcile; `clean_requests` evaluates the rule itself.
    """
    evidence, step = rollout.evidence, level_due(rollout)
    if evidence is None or step is None or evidence.verdict != Verdict.CONTINUE:
        return ""
    counts = [
        _missing_requests(evidence, source_evidence, step, settings.analysis)
        for source_evidence in evidence.sources
    ]
    most = max((count or 0 for count in counts), default=0)
    time = time_for(most, rollout, settings)
    if None in counts or most <= 0 or not time:
        return ""
    return f"The step needs about {plural(most, 'more request')}: {time}"


def _missing_requests(
    evidence: Evidence, source_evidence: SourceEvidence, step: int, analysis: Analysis
) -> int | None:
    """Return how many requests a source still lacks; None if requests alone do not help."""
    enough = requests_to_certify(
        demanded(evidence, source_evidence)[step], source_evidence, analysis
    )
    if enough is None or log_odds_against(source_evidence) >= STEP_HOLD:
        return None
    return enough - source_evidence.usual_requests
