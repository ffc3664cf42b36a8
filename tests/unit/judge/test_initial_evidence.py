"""The levels and the ceiling of each source, from its own past."""

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.evidence import ceiling_of
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import demanded
from halimede.judge.reading import CounterSamples, Counts, History
from halimede.judge.thresholds import HIGHEST_CEILING, levels, limits
from tests.support.judged_rollout import JudgedRollout, usual
from tests.support.series import STABLE, envoy, measured, request

ANALYSIS = Analysis()


def at_router(errors: int, requests: int = 120_000) -> CounterSamples:
    """Return two hours with this many errors at the router, evenly spread."""
    good, bad = (requests - errors) / 120, errors / 120
    minutes = range(121)
    return measured(
        envoy(STABLE, tuple((60.0 * at, round(good * at)) for at in minutes), response="2"),
        envoy(STABLE, tuple((60.0 * at, round(bad * at)) for at in minutes), response="5"),
    )


def past(router: int, triton: int) -> dict[Source, CounterSamples]:
    """Return a past with these errors in 120000 requests."""
    return {Source.ROUTER: at_router(router), Source.TRITON: usual(triton)}


def ceilings(analysis: Analysis, router: int, triton: int) -> dict[str, float]:
    """Return the ceilings of the sources after this past."""
    answers = {source: measured() for source in Source} | past(router, triton)
    evidence = begin(analysis, 3, History(request(), answers), 8000.0)
    return {
        source_evidence.source: ceiling_of(source_evidence, limits(analysis))
        for source_evidence in evidence.sources
    }


def test_each_source_demands_what_its_own_past_shows() -> None:
    """Failed attempts in Triton do not loosen the router's levels."""
    watch = JudgedRollout(ANALYSIS, past=past(600, 2400))
    own = {
        evidence.source: demanded(watch.evidence, evidence) for evidence in watch.evidence.sources
    }
    assert own["Router"] == levels(ANALYSIS, 3, 0.005, 0.05)
    assert own["Router"][-1] == pytest.approx(0.015, rel=1e-3)
    assert own["Triton"][-1] == pytest.approx(0.06, rel=1e-3)


@pytest.mark.parametrize(
    ("triton", "ceiling"), [(600, 0.05), (1800, 0.05), (4800, 0.12), (60_000, HIGHEST_CEILING)]
)
def test_behind_a_router_triton_has_the_ceiling_of_past_attempts(
    triton: int, ceiling: float
) -> None:
    """Triton's ceiling is three times its past error rate, if over `maxErrorPercent`."""
    result = ceilings(ANALYSIS, 60, triton)
    assert result["Router"] == 0.05
    assert result["Triton"] == pytest.approx(ceiling, rel=1e-3)


def test_without_a_router_triton_has_the_ceiling_of_the_settings() -> None:
    """Without a router `maxErrorPercent` applies, because users get Triton's errors."""
    alone = Analysis(provider=MetricsProvider.NONE)
    assert ceilings(alone, 0, 4800) == {"Triton": 0.05}


def test_the_router_has_the_ceiling_of_the_settings() -> None:
    """The router's ceiling is never over `maxErrorPercent`, whatever its past."""
    assert ceilings(ANALYSIS, 4800, 4800)["Router"] == 0.05


def test_the_ratio_of_the_settings_is_the_one_that_counts() -> None:
    """With `maxErrorRatio` 2 the ceiling is twice the past rate."""
    twice = Analysis(max_error_ratio="2")
    assert ceilings(twice, 60, 4800)["Triton"] == pytest.approx(0.08, rel=1e-3)


def attempt(watch: JudgedRollout, failed: int) -> Verdict:
    """Poll with these failed attempts of the canary in Triton and 6 % of stable's."""
    return watch.poll(
        Counts(1000, failed),
        Counts(9000, 540),
        router=Counts(1000, 1),
        stable_router=Counts(9000, 9),
    ).verdict


def test_retried_attempts_do_not_keep_an_equal_from_passing() -> None:
    """6 % of the attempts fail as before, and the router hides almost all."""
    watch = JudgedRollout(ANALYSIS, past=past(120, 7200))
    judgements = [attempt(watch, 60) for _ in range(20)]
    assert Verdict.ABORT not in judgements
    assert judgements[-1] is Verdict.PASS


def test_attempts_over_the_ceiling_of_triton_stop_a_canary() -> None:
    """All attempts fail instead of 6 %, though the router hides nine in ten."""
    watch = JudgedRollout(ANALYSIS, past=past(120, 7200))
    judgements = [attempt(watch, 500) for _ in range(4)]
    assert judgements[-1] is Verdict.ABORT


def test_an_abort_in_triton_reports_the_ceiling_that_applies() -> None:
    """The message has the ceiling of 18 %, not the 5 % of the settings."""
    watch = JudgedRollout(ANALYSIS, past=past(120, 7200), compared=False)
    for _ in range(4):
        judgement = watch.poll(Counts(1000, 400), router=Counts(1000, 1))
    assert judgement.verdict is Verdict.ABORT
    assert (
        "over 18 % (maxErrorRatio, based on the attempts of aaaa1111 before" in judgement.message
    )


def test_an_incident_in_the_past_loosens_no_level() -> None:
    """Five minutes with a third of errors, an hour before the rollout, change no level."""

    def minute(at: int) -> int:
        return 300 if 60 <= at < 65 else 5

    failed = [0]
    for at in range(120):
        failed.append(failed[-1] + minute(at))
    incident = measured(
        envoy(
            STABLE,
            tuple((60.0 * at, 1000.0 * at - failed[at]) for at in range(121)),
            response="2",
        ),
        envoy(STABLE, tuple((60.0 * at, float(failed[at])) for at in range(121)), response="5"),
    )
    quiet = JudgedRollout(ANALYSIS, past=past(600, 600))
    spoilt = JudgedRollout(ANALYSIS, past=past(600, 600) | {Source.ROUTER: incident})
    assert spoilt.evidence.levels == pytest.approx(quiet.evidence.levels, rel=0.02)
    assert spoilt.source_evidence(Source.ROUTER).dispersion <= 1.0
