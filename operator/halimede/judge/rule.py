"""The rule that turns evidence into a verdict."""

from dataclasses import dataclass

from halimede.api.rollout import Analysis
from halimede.api.status import SourceEvidence
from halimede.judge import sentences
from halimede.judge.counts import Counted
from halimede.judge.limits import MIN_ERRORS, MIN_POLLS, SUSPICION, Limits
from halimede.judge.processes import mixture
from halimede.judge.reading import MetricsRequest, Source, Unavailable
from halimede.judge.traffic import quiet_for
from halimede.judge.verdict import Verdict
from halimede.judge.weigh import against, certified

STALE = 120.0
"""Seconds without a scrape of the canary after which there is no data, if scrapes come that often;
else three of their intervals."""

Said = tuple[Verdict, str]


@dataclass(frozen=True, slots=True)
class View:
    """One source in this poll."""

    source: str
    held: SourceEvidence
    """The evidence with this poll's."""
    seen: Counted | Unavailable | None
    """This poll's; None: the source was not to be asked yet."""
    levels: tuple[float, ...]
    """The part of bad requests that each step's certificate must exclude."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that the verdict depends on."""

    views: tuple[View, ...]
    request: MetricsRequest
    limits: Limits
    analysis: Analysis
    step: int
    now: float
    bake: bool = False
    """Whether all traffic is on the canary: there is no step to pass any more."""
    rehearsal: bool = False
    """Whether no user gets the canary's answers, so that the router may not see its requests."""
    requested_at: float | None = None
    """When the canary's requests were last seen to grow in number; None: never."""

    @property
    def quiet_for(self) -> float | None:
        """For how many seconds users have sent the canary nothing; None: not for too long."""
        return None if self.rehearsal else quiet_for(self.requested_at, self.analysis, self.now)

    @property
    def asked(self) -> tuple[View, ...]:
        """The sources that must have data."""
        if not self.rehearsal:
            return self.views
        return tuple(
            view
            for view in self.views
            if view.source is Source.TRITON or view.held.canary_requests
        )


def decide(case: Case) -> Said:
    """Say what the evidence allows.

    One source is enough to stop; all must have data, and be content, to pass. What was not
    measured is neither good nor bad.
    """
    said = _stopped(case) or _down(case) or _without_data(case)
    if said is None and case.bake:
        return _watched(case)
    return said or _wanting(case) or _passed(case)


def _stopped(case: Case) -> Said | None:
    stop = case.limits.stop
    for view in case.views:
        held = view.held
        if held.canary_errors < MIN_ERRORS:
            continue
        worse, over = mixture(held.log_rel), mixture(held.log_abs)
        if worse >= stop:
            return Verdict.ABORT, sentences.worse_than_stable(held, case.request, worse)
        if over >= stop:
            ceiling = case.limits.ceiling_of(held.source)
            sentence = sentences.over_the_ceiling(held, case.request, over, ceiling)
            return Verdict.ABORT, sentence
        if (beyond := mixture(held.log_bake)) >= stop:
            return Verdict.ABORT, sentences.over_the_past(held, case.request, beyond)
    return None


def _down(case: Case) -> Said | None:
    for view in case.views:
        if isinstance(view.seen, Unavailable):
            return Verdict.METRICS_DOWN, view.seen.message
    return None


def _without_data(case: Case) -> Said | None:
    canary = case.request.canary
    for view in case.asked:
        if not isinstance(view.seen, Counted):
            continue
        seen_at = view.seen.canary_seen_at
        if seen_at is None:
            return Verdict.NO_DATA, sentences.unseen(view.source, case.request)
        age = case.now - seen_at
        where = sentences.place(view.source)
        if age > max(STALE, 3 * view.seen.interval):
            sentence = f"revision {canary} was last scraped {age:.0f} s ago {where}"
            return Verdict.NO_DATA, sentence
        if view.held.canary_requests == 0:
            return Verdict.NO_DATA, f"revision {canary} has had no request yet {where}"
    if case.quiet_for is not None:
        return Verdict.NO_DATA, f"revision {canary} has had no request for {case.quiet_for:.0f} s"
    return None


def _watched(case: Case) -> Said:
    worst = max(case.views, key=lambda view: against(view.held))
    return Verdict.CONTINUE, (
        f"revision {case.request.canary}: {sentences.tally(worst.held)};"
        f" odds {sentences.odds(against(worst.held))} against it"
    )


def _wanting(case: Case) -> Said | None:
    for view in case.asked:
        lack = _lack(view, case)
        if lack is not None:
            sentence = f"revision {case.request.canary}: {sentences.tally(view.held)}; {lack}"
            return Verdict.CONTINUE, sentence
    return None


def _lack(view: View, case: Case) -> str | None:
    held = view.held
    suspicion = against(held)
    if suspicion >= SUSPICION:
        return f"held by the odds against it, {sentences.odds(suspicion)}"
    if held.canary_requests < case.analysis.min_requests:
        return f"at least {case.analysis.min_requests} requests are needed"
    if held.polls < MIN_POLLS:
        return f"seen in {sentences.number(held.polls, 'poll')} of at least {MIN_POLLS}"
    level, certificate = _certificate(view, case)
    if certificate < case.limits.certify:
        return (
            f"odds {sentences.odds(certificate)} of the needed"
            f" {sentences.odds(case.limits.certify)} for {sentences.rate(held.source)}"
            f" under {sentences.percent(level)}"
        )
    return None


def _certificate(view: View, case: Case) -> tuple[float, float]:
    """Find what the step demands, and the logarithm of the odds for that."""
    level = view.levels[case.step]
    return level, certified(view.held, level)


def _passed(case: Case) -> Said:
    shown = " and ".join(sentences.tally(view.held) for view in case.asked)
    least = min(case.asked, key=lambda view: _certificate(view, case)[1])
    level, sure = _certificate(least, case)
    return Verdict.PASS, (
        f"revision {case.request.canary}: {shown}; odds {sentences.odds(sure)} for"
        f" {sentences.rate(least.source)} under {sentences.percent(level)}"
    )
