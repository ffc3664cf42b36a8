"""The rule that turns evidence into a verdict."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf, log

from halimede.api.analysis import Analysis, BetterThanStable, ClientErrors
from halimede.api.reasons import Verdict
from halimede.api.sources import Source, SourceId
from halimede.api.status import SourceEvidence
from halimede.judge import messages
from halimede.judge.certify import in_trouble, log_odds_pass
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import ceiling_of, log_odds_against
from halimede.judge.martingales import log_mixture
from halimede.judge.reading import ERRORS, Counts, MetricsRequest, Unavailable
from halimede.judge.thresholds import (
    CLIENT_ERRORS,
    CONFIRMATION,
    MIN_ERRORS,
    MIN_POLLS,
    MIN_POLLS_AGAINST,
    SEVERE,
    STEP_HOLD,
    Limits,
)
from halimede.judge.traffic import quiet_for

STALE = 120.0
"""Seconds without a scrape of a revision after which it has no data; three scrape intervals if
that is longer."""

Outcome = tuple[Verdict, str]


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source in this poll."""

    source: SourceId
    evidence: SourceEvidence
    """The evidence including this poll."""
    seen: WindowCounts | Unavailable | None
    """The counts of this poll; None: the source's query was not due."""
    levels: tuple[float, ...]
    """The levels of the steps for this source."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Everything that the verdict depends on."""

    views: tuple[SourceView, ...]
    request: MetricsRequest
    limits: Limits
    analysis: Analysis
    step: int
    now: float
    bake: bool = False
    """Whether the rollout is in the bake, which has no step to pass."""
    pre_traffic: bool = False
    """Whether no user gets the canary's answers, so that the router may not count its requests."""
    compared: bool = True
    """Whether the stable revision gets requests at the same time."""
    client_errors: SourceEvidence | None = None
    """Evidence on client errors of the canary and of stable."""
    requested_at: float | None = None
    """When the canary's request count last increased; None: never."""

    @property
    def quiet_for(self) -> float | None:
        """Seconds since the canary's last request, if that is too long; None: it is not."""
        return None if self.pre_traffic else quiet_for(self.requested_at, self.analysis, self.now)

    @property
    def required(self) -> tuple[SourceView, ...]:
        """The sources that must have data."""
        if not self.pre_traffic:
            return self.views
        return tuple(
            view
            for view in self.views
            if view.source is Source.TRITON or view.evidence.canary_requests
        )


@dataclass(frozen=True, slots=True)
class Test:
    """One test against the canary on one source."""

    log_odds: float
    describe: Callable[[], str]
    """Returns the figures of the test as text."""


def decide_verdict(case: Poll) -> Outcome:
    """Return the verdict that the evidence allows, with its message.

    One source is enough to abort; to pass, every source must have data and meet all conditions.
    Missing data is evidence neither for nor against the canary.
    """
    verdict, message = _decide(case)
    rare = None if verdict is Verdict.ABORT else _describe_rare_scrapes(case)
    return verdict, f"{message}. {rare}" if rare else message


def _decide(case: Poll) -> Outcome:
    outcome = (
        _abort(case) or _abort_for_client_errors(case) or _metrics_down(case) or _no_data(case)
    )
    if outcome is None and case.bake:
        return _continue_bake(case)
    return outcome or _continue_step(case) or _pass(case)


def _describe_rare_scrapes(case: Poll) -> str | None:
    """Describe the process whose scrapes delay the counts of a source; None: there is none."""
    for view in case.views:
        if isinstance(view.seen, WindowCounts) and view.seen.rare is not None:
            return messages.rarely_scraped(view.source, view.seen.rare)
    return None


def _abort(case: Poll) -> Outcome | None:
    tests = [test for view in case.views for test in _tests(view, case)]
    if not tests or not any(_seen_often(view) for view in case.views):
        return None
    combined, stop = combine((test.log_odds for test in tests), case.limits), case.limits.stop
    if combined < stop:
        return None
    strongest = max(tests, key=lambda test: test.log_odds).describe()
    return Verdict.ABORT, (
        f"{strongest}; all tests together {messages.odds(combined)} (abort at"
        f" {messages.odds(stop)})"
    )


def combine(log_odds: Iterable[float], limits: Limits) -> float:
    """Compute the logarithm of the mean odds of all tests; tests that are not given count as 0."""
    logs = tuple(log_odds)
    return log_mixture(logs) + log(len(logs) / limits.tests) if logs else -inf


def _abort_for_client_errors(case: Poll) -> Outcome | None:
    evidence = case.client_errors
    if (
        evidence is None
        or case.analysis.on_client_errors is not ClientErrors.ABORT
        or case.pre_traffic
    ):
        return None
    if not rise_of_client_errors(evidence) or evidence.polls_against < MIN_POLLS_AGAINST:
        return None
    worse = log_mixture(evidence.log_rel)
    sentence = messages.worse_than_stable(evidence, case.request, worse)
    return Verdict.ABORT, f"{sentence} (abort at {messages.odds(CLIENT_ERRORS)})"


def rise_of_client_errors(evidence: SourceEvidence | None) -> bool:
    """Whether the canary certainly answers more requests with client errors than stable.

    This test has an alpha of its own and is not part of the mean odds.
    """
    return evidence is not None and log_mixture(evidence.log_rel) >= CLIENT_ERRORS


def _seen_often(view: SourceView) -> bool:
    """Whether enough polls raised the odds against the canary."""
    seen = view.seen.canary if isinstance(view.seen, WindowCounts) else Counts()
    severe = seen.errors > SEVERE * seen.requests
    return view.evidence.polls_against >= (MIN_POLLS if severe else MIN_POLLS_AGAINST)


def _tests(view: SourceView, case: Poll) -> Iterator[Test]:
    """Yield the tests of a source that count towards an abort, with their odds."""
    evidence, request = view.evidence, case.request
    if evidence.canary_errors < MIN_ERRORS:
        return
    worse = log_mixture(evidence.log_rel)
    yield Test(worse, partial(messages.worse_than_stable, evidence, request, worse))
    if not _is_confirmed(view, case):
        return
    over, ceiling = log_mixture(evidence.log_abs), ceiling_of(evidence, case.limits)
    yield Test(over, partial(messages.over_the_ceiling, evidence, request, over, ceiling))
    if evidence.log_bake:
        beyond = log_mixture(evidence.log_bake)
        yield Test(beyond, partial(messages.over_the_past, evidence, request, beyond))


def _is_confirmed(view: SourceView, case: Poll) -> bool:
    """Whether the one-sample tests of a source count towards an abort.

    If stable has had requests since the suspicion began, the canary must have been worse in that
    time: by this source, or by another that counts errors if this one counted none of stable's
    requests. If no source counted any, the tests count if stable gets no requests or its counters
    were scraped and did not increase. If they were not scraped, the tests do not count.
    """
    if case.pre_traffic:
        return True
    witnesses = [view] if view.evidence.confirmation_requests else _witnesses(view, case)
    if witnesses:
        return any(
            log_mixture(witness.evidence.log_confirmation) >= CONFIRMATION for witness in witnesses
        )
    return not case.compared or any(
        _stable_was_scraped(witness) for witness in _same_kind(view, case)
    )


def _same_kind(view: SourceView, case: Poll) -> list[SourceView]:
    if view.source not in ERRORS:
        return [view]
    return [other for other in case.views if other.source in ERRORS]


def _witnesses(view: SourceView, case: Poll) -> list[SourceView]:
    return [other for other in _same_kind(view, case) if other.evidence.confirmation_requests]


def _stable_was_scraped(view: SourceView) -> bool:
    """Whether stable was scraped within the time of this poll."""
    seen = view.seen
    if not isinstance(seen, WindowCounts) or seen.stable_seen_at is None:
        return False
    return seen.stable_seen_at >= seen.watermark - seen.interval


def _metrics_down(case: Poll) -> Outcome | None:
    for view in case.views:
        if isinstance(view.seen, Unavailable):
            return Verdict.METRICS_DOWN, view.seen.message
    return None


def _no_data(case: Poll) -> Outcome | None:
    for view in case.required:
        if not isinstance(view.seen, WindowCounts):
            continue
        seen_at = view.seen.canary_seen_at
        if seen_at is None:
            return Verdict.NO_DATA, messages.unseen(view.source, case.request)
        age = case.now - seen_at
        where = messages.where(view.source)
        if age > max(STALE, 3 * view.seen.interval):
            return Verdict.NO_DATA, f"The last scrape was {age:.0f} s ago {where}"
        if view.evidence.canary_requests == 0:
            return Verdict.NO_DATA, f"No request yet {where}"
    if case.quiet_for is not None:
        return Verdict.NO_DATA, f"No request for {case.quiet_for:.0f} s"
    return None


def _continue_bake(case: Poll) -> Outcome:
    evidence = case.client_errors
    if evidence is not None and rise_of_client_errors(evidence):
        return Verdict.CONTINUE, messages.more_client_errors(evidence, case.request)
    worst = max(case.views, key=lambda view: log_odds_against(view.evidence))
    return Verdict.CONTINUE, (
        f"{messages.describe_counts(worst.evidence)};"
        f" odds {messages.odds(log_odds_against(worst.evidence))} against it"
    )


def _continue_step(case: Poll) -> Outcome | None:
    evidence = case.client_errors
    if evidence is not None and rise_of_client_errors(evidence) and not case.pre_traffic:
        return Verdict.CONTINUE, messages.more_client_errors(evidence, case.request)
    for view in case.required:
        lack = _describe_lack(view, case)
        if lack is not None:
            counts = messages.describe_counts(view.evidence)
            return Verdict.CONTINUE, f"{counts}; {lack}"
    return None


def _describe_lack(view: SourceView, case: Poll) -> str | None:
    evidence = view.evidence
    suspicion = log_odds_against(evidence)
    if suspicion >= STEP_HOLD:
        return (
            f"held because the odds against it are {messages.odds(suspicion)}"
            f" ({messages.odds(STEP_HOLD)} or more hold a step)"
        )
    if evidence.canary_requests < case.analysis.min_requests:
        return f"needs at least {case.analysis.min_requests} requests"
    if evidence.polls < MIN_POLLS:
        return f"needs requests in at least {MIN_POLLS} polls, so far {evidence.polls}"
    if _stable_is_in_trouble(view, case):
        return messages.stable_in_trouble(
            evidence, case.request, ceiling_of(evidence, case.limits)
        )
    level, certificate = _certificate(view, case)
    if max(certificate, _better(view, case)) < case.limits.certify:
        sentence = (
            f"needs more data: odds {messages.odds(certificate)} that"
            f" {messages.rate(evidence.source)} is under {messages.percent(level)}"
            f" ({messages.odds(case.limits.certify)} required)"
        )
        return f"{sentence}{messages.stable_over(evidence, case.request, level)}"
    return None


def _stable_is_in_trouble(view: SourceView, case: Poll) -> bool:
    """Whether stable's error rate in this poll was unusual and over the ceiling."""
    if not isinstance(view.seen, WindowCounts):
        return False
    ceiling = ceiling_of(view.evidence, case.limits)
    return in_trouble(view.evidence, view.seen.stable, view.levels, ceiling)


def _certificate(view: SourceView, case: Poll) -> tuple[float, float]:
    """Return the level of the step, and the logarithm of the odds for its certificate."""
    level = view.levels[case.step]
    return level, log_odds_pass(view.evidence, level)


def _better(view: SourceView, case: Poll) -> float:
    """Return the log odds that the canary is better than stable; 0 if this may not pass."""
    if case.analysis.on_better_than_stable is not BetterThanStable.PROMOTE:
        return 0.0
    return log_mixture(view.evidence.log_better)


def _pass(case: Poll) -> Outcome:
    counts = " and ".join(messages.describe_counts(view.evidence) for view in case.required)
    least = min(
        case.required, key=lambda view: max(_certificate(view, case)[1], _better(view, case))
    )
    level, log_odds = _certificate(least, case)
    if log_odds < case.limits.certify:
        better = _better(least, case)
        sentence = messages.better_than_stable(least.evidence, case.request, better)
        return Verdict.PASS, f"{counts}; {sentence}"
    return Verdict.PASS, (
        f"{counts}; odds {messages.odds(log_odds)} that {messages.rate(least.source)} is under"
        f" {messages.percent(level)}"
    )
