"""The forecast, which simulates rollouts with the real judge."""

from pathlib import Path

import pytest

from halimede.api.analysis import Analysis, Pace
from halimede.api.rollout import BlueGreen, Canary, Mirror, Rollout, Step, StepPause, Strategy
from halimede.forecast.forecast import Advice, Forecast, ForecastInput, forecast_rollout
from halimede.forecast.report import format_forecast
from halimede.forecast.simulation import POLLS
from halimede.judge.thresholds import levels

FEW = 10
"""Simulated rollouts per figure, enough for these assertions."""


def forecast(rate: float, settings: Rollout | None = None, stable: float = 0.005) -> Forecast:
    """Forecast a rollout, with few repeats."""
    return forecast_rollout(ForecastInput(settings or Rollout(), rate, stable), repeats=FEW)


def canary(*weights: int, max_seconds: int = 1800) -> Rollout:
    """Set steps of these weights."""
    steps = tuple(Step(weight=weight, max_seconds=max_seconds) for weight in weights)
    return Rollout(canary=Canary(steps=steps))


@pytest.fixture(scope="module")
def busy() -> Forecast:
    """Forecast ten requests/s with the default steps."""
    return forecast(10.0)


def test_steps_get_their_share_and_the_judges_levels(busy: Forecast) -> None:
    """Each step has its weight's part of the requests, and the level that a rollout fixes."""
    assert [one.per_second for one in busy.steps] == [0.5, 2.5, 5.0]
    assert tuple(one.level for one in busy.steps) == levels(Analysis(), 3, 0.005, 0.05)


def test_the_first_weight_is_that_of_the_traffic(busy: Forecast) -> None:
    """Without steps in the spec, 1.7 requests/s give 12 % and one more change of the route."""
    chosen, named = forecast(1.7), forecast(1.7, canary(12, 25, 50))
    assert (chosen.first_weight, named.first_weight, busy.first_weight) == (12, None, 5)
    assert (chosen.steps, chosen.promoted) == (named.steps, named.promoted)
    assert chosen.seconds == pytest.approx((named.seconds or 0) + 1)
    assert "  first weight 12 %, chosen from the traffic," in format_forecast("model", chosen)
    assert "chosen from the traffic" not in format_forecast("model", named)
    assert forecast(10.0, canary(5, 25, 50)).seconds == busy.seconds


def test_errors_cost_requests(busy: Forecast) -> None:
    """Clean requests need fewer samples than requests with errors; later steps need more."""
    clean = [one.clean or 0 for one in busy.steps]
    with_errors = [one.requests or 0 for one in busy.steps]
    assert all(few <= many for few, many in zip(clean, with_errors, strict=True))
    assert with_errors == sorted(with_errors)


def test_enough_traffic_needs_no_advice(busy: Forecast) -> None:
    """A good revision passes every step well within its time."""
    assert busy.advice == ()
    assert busy.promoted == 1.0
    assert busy.seconds is not None
    assert 240 <= busy.seconds <= 600
    assert sum(one.seconds or 0 for one in busy.steps) <= busy.seconds * 1.5


def test_the_commit_comes_after_the_bake_and_the_move_of_the_control_share(busy: Forecast) -> None:
    """300 s of bake, a second for the route, and 15 s in which proxies follow."""
    assert busy.commit_seconds == (busy.seconds or 0) + 300 + 16
    assert " to the commit after the bake\n" in format_forecast("model", busy)


def test_swift_is_forecast_with_its_defaults() -> None:
    """The steps and the bake are those of the pace, and the report names them."""
    swift = forecast(20.0, Rollout(analysis=Analysis(pace=Pace.SWIFT)))
    assert [entry.step.weight for entry in swift.steps] == [10, 30, 60]
    assert swift.commit_seconds == (swift.seconds or 0) + 60 + 16
    assert "Defaults of the pace Swift: a first weight of at least 10 %" in format_forecast(
        "model", swift
    )


def test_worse_revisions_are_aborted_sooner_and_more_often(busy: Forecast) -> None:
    """More errors stop a revision sooner; 100 % takes the warm-up and at least three polls."""
    shares = [one.share for one in busy.detections]
    times = [one.seconds for one in busy.detections if one.seconds is not None]
    assert [one.errors for one in busy.detections] == [0.01, 0.02, 0.05, 0.2, 1.0]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert times[-2:] == sorted(times[-2:], reverse=True)
    assert 75.0 <= times[-1] <= 120.0


def test_the_same_question_has_the_same_answer() -> None:
    """Seeds are fixed, so forecasts can be compared."""
    settings = canary(20, max_seconds=300)
    assert forecast(5.0, settings) == forecast(5.0, settings)


def advised(rate: float, settings: Rollout) -> Advice:
    """Return the advice on the first step."""
    return next(one for one in forecast(rate, settings).advice if one.index == 0)


def test_too_little_traffic_gets_a_weight_that_does() -> None:
    """The proposed weight is at least n/(R*maxSeconds), and with it the step passes in time."""
    advice = advised(2.0, canary(10))
    assert advice.weight is not None
    assert advice.weight >= 100 * advice.requests / (2.0 * 1800)
    better = forecast(2.0, canary(advice.weight))
    assert better.advice == ()
    assert (better.steps[0].seconds or 9999) <= 1800


def test_too_little_traffic_gets_a_time_that_does() -> None:
    """The proposed `maxSeconds` is enough at the present weight."""
    advice = advised(2.0, canary(10))
    assert advice.max_seconds is not None
    better = forecast(2.0, canary(10, max_seconds=advice.max_seconds))
    assert better.advice == ()
    assert (better.steps[0].seconds or 99999) <= advice.max_seconds * (1 + 1 / POLLS)


def test_where_no_weight_would_do_none_is_proposed() -> None:
    """If even 100 % is too little, only a longer time is proposed."""
    starved = forecast(0.01, canary(50))
    assert starved.advice[0].weight is None
    assert (starved.advice[0].max_seconds or 0) > 1800
    assert "raise its weight" not in format_forecast("model", starved)


def test_where_nothing_would_do_nothing_is_proposed() -> None:
    """A step can last at most a week, so no longer time is proposed."""
    starved = forecast(0.00001, canary(50))
    assert starved.advice[0].max_seconds is None
    assert "so promote by command" in format_forecast("model", starved)


def test_a_proposed_weight_mentions_later_weights() -> None:
    """The API rejects weights that do not rise, so the advice must include later steps."""
    written = format_forecast("model", forecast(2.0, canary(5, 6, max_seconds=900)))
    assert "(and the weights of later steps above that), or raise its maxSeconds" in written


def test_forecast_warns_of_a_level_that_stable_itself_exceeds() -> None:
    """A stable revision with 9 % errors cannot show the 5 % that the step requires."""
    poor = forecast(10.0, canary(50, max_seconds=300), stable=0.09)
    assert poor.steps[0].requests is None
    assert poor.promoted == 0.0
    written = format_forecast("model", poor)
    assert "Warning: step 1 requires an error rate under 5 %" in written
    assert "raise analysis.maxErrorPercent" in written


def test_pauses_of_steps_are_part_of_their_time() -> None:
    """A timed pause is added to the time; one that waits for `promote` is named."""
    steps = (Step(weight=5, pause=StepPause(seconds=3600)), Step(weight=50, pause=StepPause()))
    plain, paused = (
        forecast(20.0, canary(5, 50)),
        forecast(20.0, Rollout(canary=Canary(steps=steps))),
    )
    before, after = plain.steps[0].seconds, paused.steps[0].seconds
    assert before is not None
    assert after is not None
    assert after == pytest.approx(before + 3600, abs=20)
    assert paused.promoted == 1.0
    written = format_forecast("model", paused)
    assert "time: including the step's pause" in written
    assert "after step 2 the rollout waits for the command promote" in written


def test_first_step_without_weight_takes_its_time() -> None:
    """A step of weight 0 is not judged, so it only shifts the numbers of later steps."""
    smoke = Step(weight=0, min_seconds=600, pause=StepPause(seconds=60))
    plain = forecast(20.0, canary(5, 50))
    tested = forecast(20.0, Rollout(canary=Canary(steps=(smoke, *canary(5, 50).canary.steps))))
    assert tested.steps[1:] == plain.steps
    assert (tested.promoted, tested.detections) == (plain.promoted, plain.detections)
    assert tested.seconds == pytest.approx((plain.seconds or 0) + 660)
    assert "with 5 % of the requests" in format_forecast("model", tested)


def test_steps_without_any_weight_are_rejected() -> None:
    """A manifest from a file has not been validated by an API server."""
    with pytest.raises(ValueError, match="add a step with a weight of more than 0"):
        forecast(20.0, Rollout(canary=Canary(steps=(Step(weight=0),))))


def test_mirror_is_forecast_before_the_steps() -> None:
    """With copies of all requests the mirror passes in the least possible time."""
    settings = canary(5, 50)
    mirrored = forecast(20.0, Rollout(canary=settings.canary.evolve(mirror=Mirror())))
    assert mirrored.mirrored is not None
    assert mirrored.mirrored.share == 1.0
    assert 60 <= (mirrored.mirrored.seconds or 0) <= 90
    assert "before that, mirroring of 100 % of the requests: 100 % pass" in format_forecast(
        "model", mirrored
    )


def blue_green(bake: int) -> Rollout:
    """Build blue-green settings with this bake."""
    return Rollout(strategy=Strategy.BLUE_GREEN, blue_green=BlueGreen(bake_seconds=bake))


def test_blue_green_is_judged_in_the_bake_alone() -> None:
    """Blue-green has no steps: the new revision gets all requests at once."""
    baked = forecast(5.0, blue_green(300))
    assert baked.steps == ()
    assert baked.bake[-1].share == 1.0
    assert "in the bake, with all requests for 5 min" in format_forecast("model", baked)


def test_a_canary_bakes_too(busy: Forecast) -> None:
    """The bake has all requests but the control share and is judged by three polls."""
    assert (busy.bake[-1].share, busy.bake[-1].seconds) == (1.0, 45.0)
    assert "bad in the bake, with 90 % of the requests for 5 min" in format_forecast("model", busy)


def test_forecast_warns_of_a_bake_that_is_too_short() -> None:
    """After warm-up and one poll no time is left for odds that could hold the bake."""
    baked = forecast(5.0, blue_green(40))
    assert {one.share for one in baked.bake} == {0.0}
    assert "raise blueGreen.bakeSeconds" in format_forecast("model", baked)


def test_without_a_bake_nothing_is_judged() -> None:
    """Without a bake the forecast says that nothing is judged."""
    assert "nothing is judged with all requests" in format_forecast(
        "model", forecast(5.0, blue_green(0))
    )


def test_the_table_reads_as_it_should() -> None:
    """The table for a step with too few requests is complete."""
    written = format_forecast("digits", forecast(0.5, canary(5), stable=0.0))
    assert written == (Path(__file__).parent / "reports" / "short.txt").read_text()


def test_what_is_not_simulated_is_named() -> None:
    """Objectives and a preview's analysis may stop a revision that the forecast lets pass."""
    fields = {"latency": {"thresholdMilliseconds": 100, "maxSlowPercent": "5"}}
    settings = Rollout(
        strategy=Strategy.BLUE_GREEN,
        blue_green=BlueGreen.model_validate({"previewAnalysis": {}}),
        analysis=Analysis.model_validate(fields),
    )
    written = format_forecast("digits", forecast(50.0, settings))
    assert "Not simulated: analysis.latency and blueGreen.previewAnalysis" in written
    assert "Not simulated" not in format_forecast("digits", forecast(50.0))
