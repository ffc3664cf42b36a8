"""Estimate how many further requests a step needs to pass."""

from dataclasses import dataclass
from functools import lru_cache

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.status import SourceEvidence
from halimede.judge.counts import WindowCounts
from halimede.judge.dispersion import phi_of
from halimede.judge.evidence import update_evidence
from halimede.judge.martingales import certificate
from halimede.judge.reading import Counts, MetricsRequest
from halimede.judge.rule import Poll, SourceView, decide_verdict
from halimede.judge.thresholds import MIN_POLLS, limits

MAX_REQUESTS = 1 << 24
"""Upper bound of the estimates."""


@dataclass(frozen=True, slots=True)
class StepTest:
    """A step, and the evidence of one source for it."""

    evidence: SourceEvidence
    levels: tuple[float, ...]
    """The level of each step."""
    step: int
    """Index of the step, from 0."""
    analysis: Analysis
    request: MetricsRequest


def requests_to_pass(exam: StepTest, errors: float = 0.0) -> int | None:
    """Estimate the number of further requests of the canary after which the step would pass.

    The estimate uses `decide_verdict`. It assumes enough polls and evenly spread errors, so it is
    about right for every order.

    Args:
        exam: The step and the evidence.
        errors: The error rate of these requests.

    Returns:
        None if the odds against the canary would still hold it, or if more than `MAX_REQUESTS`
        are needed.
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


def requests_to_certify(level: float, evidence: SourceEvidence, analysis: Analysis) -> int | None:
    """Estimate the number of requests with which a step could pass if the canary had none so far.

    Their error rate is that of the baseline. Only the certificate is computed, which is much
    faster than the whole rule.

    Args:
        level: The level of the step.
        evidence: A source's evidence, which has the baseline.
        analysis: The rollout's settings.

    Returns:
        None if more than `MAX_REQUESTS` are needed.
    """
    errors = evidence.past_errors / evidence.past_requests if evidence.past_requests else 0.0
    requests = _search_requests(level, errors, phi_of(evidence), limits(analysis).certify)
    return None if requests is None else max(requests, analysis.min_requests)


@lru_cache(maxsize=1024)
def _search_requests(level: float, errors: float, phi: float, bar: float) -> int | None:
    """Search by bisection; cached because every reconcile of a rollout computes the same."""

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
    reset = {"recent_requests": 0.0, "recent_errors": 0.0}
    evidence, bounds = exam.evidence.evolve(**reset), limits(exam.analysis)
    seen = WindowCounts(
        canary=Counts(requests, round(requests * errors)),
        stable=Counts(),
        watermark=evidence.watermark,
        canary_seen_at=evidence.watermark,
        interval=0.0,
    )
    tolerated = float(exam.analysis.max_error_ratio)
    after = update_evidence(evidence, seen, bounds, exam.levels, tolerated=tolerated)
    if requests:
        after = after.evolve(polls=max(after.polls, MIN_POLLS))
    case = Poll(
        views=(SourceView(evidence.source, after, seen, exam.levels),),
        request=exam.request,
        limits=bounds,
        analysis=exam.analysis,
        step=exam.step,
        now=evidence.watermark,
    )
    return decide_verdict(case)[0] is Verdict.PASS
