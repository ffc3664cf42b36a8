"""When the judge looks, and what a look changes in the status."""

from collections.abc import Mapping

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.status import Evidence, RolloutStatus, State
from halimede.judge.evidence import log_odds_against, without_comparison
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import Reading
from halimede.judge.rule import rise_of_client_errors
from halimede.judge.thresholds import DOUBT, MIN_POLLS
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import PRE_TRAFFIC

COUNTED = frozenset(
    {
        State.SHIFTING,
        State.ANALYSING,
        State.STEP_PAUSED,
        State.SCALING_UP,
        State.PROMOTING,
        State.BAKING,
    }
)
"""The states in which users may meet the new revision: a bad one is stopped in any of them."""
FIRST_COUNTED = frozenset({State.ANALYSING, State.BAKING})
"""The states whose weight is live, so that the counting can begin."""


def warmup_ends_at(rollout: RolloutStatus, analysis: Analysis) -> float | None:
    """Say when the warm-up is over; None: the revision has not been given traffic yet."""
    if rollout.state in PRE_TRAFFIC:
        since = rollout.step_started_at
        return None if since is None else since + analysis.warmup_seconds
    if rollout.state not in FIRST_COUNTED:
        return None
    return (rollout.step_started_at or rollout.state_since) + analysis.warmup_seconds


def due_at(rollout: RolloutStatus, analysis: Analysis) -> float | None:
    """Say when the judge looks next; None: there is nothing to look at."""
    rehearsed = rollout.state in PRE_TRAFFIC and rollout.step_started_at is not None
    if not rehearsed and (rollout.state not in COUNTED or rollout.weight == 0):
        return None
    if rollout.polled_at is not None:
        return rollout.polled_at + analysis.interval_seconds
    return warmup_ends_at(rollout, analysis)


def is_due(rollout: RolloutStatus, analysis: Analysis, now: float) -> bool:
    """Whether the judge looks now. After the clock was set back it looks at once."""
    due = due_at(rollout, analysis)
    if due is None:
        return False
    set_back = rollout.polled_at is not None and rollout.polled_at > now
    return set_back or now >= due


def required_looks(bake_seconds: float, analysis: Analysis) -> int:
    """Say how often the judge must have looked in a bake before it is over.

    As often as it takes to find a revision that only fails, if the bake has the time for it: the
    bake's time may have gone by while nobody looked.
    """
    judged = max(0.0, bake_seconds - analysis.warmup_seconds)
    return min(MIN_POLLS, int(judged / analysis.interval_seconds))


def is_doubtful(rollout: RolloutStatus) -> bool:
    """Whether the odds against the revision are `DOUBT` or more.

    If the stable revision has no requests, the comparison with it is ignored, as it can no longer
    change.
    """
    if rollout.evidence is None:
        return False
    compared, sources = rollout.weight < FULL_WEIGHT, rollout.evidence.sources
    if compared and rise_of_client_errors(rollout.evidence.client_errors):
        return True
    return any(
        log_odds_against(one if compared else without_comparison(one)) >= DOUBT for one in sources
    )


def analyse(
    rollout: RolloutStatus,
    reading: Reading,
    analysis: Analysis,
    now: float,
    pods_started: Mapping[str, float],
) -> tuple[RolloutStatus, Verdict | None]:
    """Add a reading to the evidence; the first one only tells where to count from."""
    steps = max(1, rollout.steps)
    known = _with_weight(rollout, now)
    if known is None or not known.sources:
        evidence = begin(analysis, steps, reading.history, now, previous=known)
        verdict = evidence.verdict
    else:
        judgement = judge_poll(
            known,
            reading,
            analysis,
            min(rollout.step, steps - 1),
            steps,
            now,
            pods_started=pods_started,
            bake=rollout.state is State.BAKING,
            rehearsal=rollout.state in PRE_TRAFFIC,
            compared=rollout.weight < FULL_WEIGHT,
        )
        evidence, verdict = judgement.evidence, judgement.verdict
    polled = rollout.evolve(evidence=evidence, polled_at=now)
    return polled, verdict


def _with_weight(rollout: RolloutStatus, now: float) -> Evidence | None:
    """Count the time without requests only while the present weight is live."""
    evidence, live = rollout.evidence, rollout.weight_applied_at
    if evidence is None or evidence.requested_at is None:
        return evidence
    since = max(evidence.requested_at, now if live is None else live)
    return evidence.evolve(requested_at=since)
