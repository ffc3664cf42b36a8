"""When the judge polls the metrics, and what a poll changes in the status."""

from collections.abc import Mapping
from math import floor

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.rollout import Rollout
from halimede.api.status import Evidence, RolloutStatus
from halimede.judge.evidence import log_odds_against, without_comparison
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import Reading
from halimede.judge.rule import rise_of_client_errors
from halimede.judge.thresholds import BAKE_HOLD, MIN_POLLS
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import ALL_TRAFFIC, PRE_TRAFFIC, STARTING_TO_COUNT, USER_TRAFFIC
from halimede.rollout.steps import earliest_pass

MOST_STRETCHED = 1.25
"""The most by which the time between two polls is stretched."""


def warmup_ends_at(rollout: RolloutStatus, analysis: Analysis) -> float | None:
    """Return the end of the warm-up; None if the revision has not been given traffic yet."""
    if rollout.state in PRE_TRAFFIC:
        since = rollout.step_started_at
        return None if since is None else since + analysis.warmup_seconds
    if rollout.state not in STARTING_TO_COUNT:
        return None
    return (rollout.step_started_at or rollout.state_since) + analysis.warmup_seconds


def due_at(rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Return when the next poll is due; None if there is nothing to poll.

    The last poll before a step may pass is due when it may, as only a poll lets it pass.
    """
    before_users = rollout.state in PRE_TRAFFIC and rollout.step_started_at is not None
    if not before_users and (rollout.state not in USER_TRAFFIC or rollout.weight == 0):
        return None
    if rollout.polled_at is None:
        return warmup_ends_at(rollout, settings.analysis)
    passes_at = earliest_pass(rollout, settings)
    remaining = 0.0 if passes_at is None else passes_at - rollout.polled_at
    return rollout.polled_at + seconds_to_poll(settings.analysis.interval_seconds, remaining)


def seconds_to_poll(interval: float, remaining: float) -> float:
    """Return the seconds until the next poll, if a step may pass in *remaining* seconds.

    The polls until then are spread evenly, but never closer than the interval, because a short
    burst of errors must not be seen by more polls than it lasts intervals.

    >>> seconds_to_poll(15.0, 61.0), seconds_to_poll(15.0, 29.0), seconds_to_poll(15.0, -5.0)
    (15.25, 15.0, 15.0)
    """
    polls = floor(remaining / interval)
    even = remaining / polls if polls > 0 else interval
    return even if even <= MOST_STRETCHED * interval else interval


def is_due(rollout: RolloutStatus, settings: Rollout, now: float) -> bool:
    """Whether a poll is due now. After the clock was set back, it is due at once."""
    due = due_at(rollout, settings)
    if due is None:
        return False
    set_back = rollout.polled_at is not None and rollout.polled_at > now
    return set_back or now >= due


def required_polls(bake_seconds: float, analysis: Analysis) -> int:
    """Return how many polls a bake needs before it may end.

    It is the number that finds a revision which only fails, if the bake is long enough for that.
    The time alone does not suffice, as the judge may not have polled during the bake.
    """
    judged = max(0.0, bake_seconds - analysis.warmup_seconds)
    return min(MIN_POLLS, int(judged / analysis.interval_seconds))


def is_doubtful(rollout: RolloutStatus) -> bool:
    """Whether the odds against the revision are `BAKE_HOLD` or more.

    If the stable revision has no requests, the comparison with it is ignored, as it can no longer
    change.
    """
    if rollout.evidence is None:
        return False
    compared, sources = rollout.weight < FULL_WEIGHT, rollout.evidence.sources
    if compared and rise_of_client_errors(rollout.evidence.client_errors):
        return True
    return any(
        log_odds_against(source if compared else without_comparison(source)) >= BAKE_HOLD
        for source in sources
    )


def analyse(
    rollout: RolloutStatus,
    reading: Reading,
    analysis: Analysis,
    now: float,
    pods_started: Mapping[str, float],
) -> tuple[RolloutStatus, Verdict | None]:
    """Add a reading to the evidence; the first reading only sets where to count from."""
    steps = max(1, rollout.steps)
    previous = _evidence_at_weight(rollout, now)
    if previous is None or not previous.sources:
        evidence = begin(analysis, steps, reading.history, now, previous=previous)
        verdict = evidence.verdict
    else:
        judgement = judge_poll(
            previous,
            reading,
            analysis,
            min(rollout.step, steps - 1),
            steps,
            now,
            pods_started=pods_started,
            bake=rollout.state in ALL_TRAFFIC,
            pre_traffic=rollout.state in PRE_TRAFFIC,
            compared=rollout.weight < FULL_WEIGHT,
        )
        evidence, verdict = judgement.evidence, judgement.verdict
    polled = rollout.evolve(evidence=evidence, polled_at=now)
    return polled, verdict


def _evidence_at_weight(rollout: RolloutStatus, now: float) -> Evidence | None:
    """Return the evidence, whose time without requests counts only at the current live weight."""
    evidence, live = rollout.evidence, rollout.weight_applied_at
    if evidence is None or evidence.requested_at is None:
        return evidence
    since = max(evidence.requested_at, now if live is None else live)
    return evidence.evolve(requested_at=since)
