"""The remaining time of a step, estimated from its traffic."""

from typing import Any

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.rollout import Canary, Mirror, Rollout
from halimede.api.status import Evidence, Outcome, RolloutStatus, SourceEvidence, State
from halimede.judge.evidence import initial_evidence
from halimede.judge.sample_size import requests_to_certify
from halimede.judge.thresholds import levels, limits
from halimede.rollout.remaining import level_due, seconds_for, time_for, time_left
from halimede.rollout.sizing.first_weight import with_first_weight
from tests.support.rollouts import canary_at

ANALYSIS = Analysis(provider=MetricsProvider.NONE)
SETTINGS = with_first_weight(Rollout(analysis=ANALYSIS), 10)
LEVELS = levels(ANALYSIS, 3, None, 0.05)


def nothing() -> SourceEvidence:
    """Return evidence without requests."""
    return initial_evidence("Triton", limits(ANALYSIS), LEVELS, 0.0)


def analysing(per_second: float | None = 0.2, **changes: Any) -> RolloutStatus:
    """Return a canary at 10 % that has answered three requests without errors."""
    rollout = canary_at(State.ANALYSING).status.rollout
    assert rollout is not None
    source_evidence = nothing().evolve(canary_requests=3, usual_requests=3, polls=3)
    evidence = Evidence(
        levels=LEVELS,
        requests_per_second=per_second,
        sources=(source_evidence,),
        verdict=Verdict.CONTINUE,
    )
    fields = {"steps": 3, "weight": 10, "evidence": evidence}
    return rollout.evolve(**(fields | changes))


def test_the_rate_is_that_of_the_share() -> None:
    """20 requests at 10 % of 0.2 requests/s take 1000 s."""
    assert seconds_for(20, analysing(), SETTINGS) == pytest.approx(1000)
    assert time_for(20, analysing(), SETTINGS) == "about 17 min at 0.2 requests/s"


def test_the_share_of_the_pods_counts_where_there_is_no_router() -> None:
    """Without a router the actual weight counts, which may exceed the step's."""
    assert seconds_for(20, analysing(actual_weight=25), SETTINGS) == pytest.approx(400)


def test_copies_come_at_their_own_rate() -> None:
    """Before the first weight the rate is that of the copies."""
    mirrored = Canary(steps=SETTINGS.canary.steps, mirror=Mirror(percent=50))
    settings = SETTINGS.evolve(canary=mirrored)
    rollout = analysing(state=State.MIRRORING, weight=0)
    assert seconds_for(20, rollout, settings) == pytest.approx(200)


@pytest.mark.parametrize("per_second", [None, 0.0])
def test_unknown_traffic_gives_no_time(per_second: float | None) -> None:
    """No time is estimated without traffic, or after traffic has ended."""
    assert time_for(20, analysing(per_second), SETTINGS) == ""
    assert time_left(analysing(per_second), SETTINGS) == ""


def test_missing_requests_are_explained_with_their_time() -> None:
    """The time is that of the requests still missing, at the rate of the weight."""
    needed = requests_to_certify(LEVELS[0], nothing(), ANALYSIS)
    assert needed is not None
    minutes = (needed - 3) / 0.02 / 60
    expected = f"about {minutes:.0f} min at 0.2 requests/s"
    assert time_left(analysing(), SETTINGS) == (
        f"The step needs about {needed - 3} more requests: {expected}"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.SHIFTING},
        {"outcome": Outcome.ABORTED},
        {"steps": 0},
        {"evidence": None},
        {"evidence": Evidence(levels=LEVELS, requests_per_second=1.0, verdict=Verdict.NO_DATA)},
    ],
)
def test_where_no_step_is_judged_nothing_is_lacking(changes: dict[str, Any]) -> None:
    """Nothing is missing between steps, in an abort, without steps, evidence or data."""
    assert time_left(analysing(**changes), SETTINGS) == ""


def test_a_suspected_canary_has_no_estimated_time() -> None:
    """A suspected canary gets no estimate: clean requests alone do not let it pass."""
    suspicion = (4.0,) * len(nothing().log_rel)
    source_evidence = nothing().evolve(
        canary_requests=9, canary_errors=9, log_rel=suspicion, polls=3
    )
    evidence = analysing().evidence
    assert evidence is not None
    bad = evidence.evolve(sources=(source_evidence,))
    assert time_left(analysing(evidence=bad), SETTINGS) == ""


def test_edited_steps_are_held_to_the_last_level() -> None:
    """Like the judge, the estimate uses the levels fixed at the start."""
    assert level_due(analysing(step=0, steps=2)) == 2
