"""What evidence lacks: how many requests more would let a step pass."""

from dataclasses import dataclass
from functools import lru_cache

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.status import SourceEvidence
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import update_evidence
from halimede.judge.martingales import certificate
from halimede.judge.reading import Counts, MetricsRequest
from halimede.judge.rule import Poll, SourceView, decide_verdict
from halimede.judge.thresholds import MIN_POLLS, limits

MAX_REQUESTS = 1 << 24
"""More requests than this are not counted out."""


@dataclass(frozen=True, slots=True)
class StepTest:
    """A step, and the evidence of one source that is to pass it."""

    evidence: SourceEvidence
    levels: tuple[float, ...]
    """The error rate that each step's certificate must exclude."""
    step: int
    """Index of the step, from 0."""
    analysis: Analysis
    request: MetricsRequest


def requests_to_pass(exam: StepTest, errors: float = 0.0) -> int | None:
    """Count the further requests of the canary with which the evidence would let the step pass.

    The rule itself is asked; it looks often enough, and where some requests end in an error these
    come evenly, so that the count is about right for every order.

    Args:
        exam: What is to be passed.
        errors: The part of the requests that end in an error.

    Returns:
        None if what speaks against the canary would still hold it, or if millions would not do.
    """
    if _passes(exam, 0, errors):
        return 0
    most = 1
    while not _passes(exam, most, errors):
        most *= 2
        if most > MAX_REQUESTS:
            return None
    least = most // 2
    while least + 1 < most:
        middle = (least + most) // 2
        least, most = (least, middle) if _passes(exam, middle, errors) else (middle, most)
    return most


def requests_to_certify(level: float, held: SourceEvidence, analysis: Analysis) -> int | None:
    """Count the requests with which a step could pass, had the canary had none so far.

    They end in an error as often as the stable revision's did before the rollout. The certificate
    alone is asked, which is much quicker than the whole rule.

    Args:
        level: What the certificate must exclude.
        held: A source's evidence, for what it tells of stable's past.
        analysis: The rollout's settings.

    Returns:
        None if millions would not do.
    """
    errors = held.past_errors / held.past_requests if held.past_requests else 0.0
    requests = _certified_after(level, errors, held.dispersion, limits(analysis).certify)
    return None if requests is None else max(requests, analysis.min_requests)


@lru_cache(maxsize=1024)
def _certified_after(level: float, errors: float, phi: float, bar: float) -> int | None:
    """Search; every pass of a rollout asks the same."""

    def certified(requests: int) -> bool:
        return certificate(Counts(requests, round(requests * errors)), level, phi) >= bar

    most = 1
    while not certified(most):
        most *= 2
        if most > MAX_REQUESTS:
            return None
    least = most // 2
    while least + 1 < most:
        middle = (least + most) // 2
        least, most = (least, middle) if certified(middle) else (middle, most)
    return most


def _passes(exam: StepTest, requests: int, errors: float) -> bool:
    # The estimate assumes that stable's error rate is usual again.
    usual = {"recent_requests": 0.0, "recent_errors": 0.0}
    held, bounds = exam.evidence.evolve(**usual), limits(exam.analysis)
    seen = WindowCounts(
        canary=Counts(requests, round(requests * errors)),
        stable=Counts(),
        watermark=held.watermark,
        canary_seen_at=held.watermark,
        interval=0.0,
    )
    tolerated = float(exam.analysis.max_error_ratio)
    after = update_evidence(held, seen, bounds, exam.levels, tolerated=tolerated)
    if requests:
        after = after.evolve(polls=max(after.polls, MIN_POLLS))
    case = Poll(
        views=(SourceView(held.source, after, seen, exam.levels),),
        request=exam.request,
        limits=bounds,
        analysis=exam.analysis,
        step=exam.step,
        now=held.watermark,
    )
    return decide_verdict(case)[0] is Verdict.PASS
