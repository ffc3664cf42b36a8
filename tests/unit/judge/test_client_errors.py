"""A canary with more client errors than the stable revision."""

from math import exp

import pytest

from halimede.api.analysis import Analysis, ClientErrors, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.martingales import log_mixture
from halimede.judge.reading import Counts
from halimede.judge.verdict import Judgement
from tests.support.judged_rollout import DOWN, JudgedRollout

SEEN = (Counts(100, 0), Counts(900, 0))
TWENTY_PERCENT = (20, 0)
"""Client errors of the canary's requests; stable has none."""


def watched(wish: ClientErrors = ClientErrors.HOLD) -> JudgedRollout:
    """Return a rollout judged by Contour and Triton."""
    return JudgedRollout(Analysis(on_client_errors=wish))


def polled(watch: JudgedRollout, polls: int, client_errors: tuple[int, int]) -> list[Judgement]:
    """Poll this often with requests without errors."""
    return [watch.poll(*SEEN, client_errors=client_errors) for _ in range(polls)]


def test_client_errors_hold_a_step_and_are_reported() -> None:
    """Hold is the default: the new input check may be intended."""
    watch = watched()
    assert watch.analysis.on_client_errors is Analysis().on_client_errors
    judgements = polled(watch, 40, TWENTY_PERCENT)
    assert {one.verdict for one in judgements} == {Verdict.CONTINUE}
    assert judgements[3].message == (
        "80 of 400 requests had client errors at the router (20 %), stable aaaa1111: 0 of 3600;"
        " odds 3400:1 that it is worse. This holds the rollout: check which requests both accept,"
        " promote by command, or set onClientErrors to Ignore"
    )


def test_client_errors_abort_a_rollout_with_abort() -> None:
    """With Abort they stop a rollout in four polls, as other errors do."""
    judgements = polled(watched(ClientErrors.ABORT), 4, TWENTY_PERCENT)
    assert [one.verdict for one in judgements[:3]] == [Verdict.CONTINUE] * 3
    assert judgements[-1].verdict is Verdict.ABORT
    assert (
        "80 of 400 requests had client errors at the router (20 %), stable aaaa1111: 0 of 3600"
        in judgements[-1].message
    )
    assert "holds the rollout" not in judgements[-1].message


def test_ignored_client_errors_have_no_effect() -> None:
    """With Ignore the step passes, and client errors are not stored."""
    watch = watched(ClientErrors.IGNORE)
    judgements = polled(watch, 3, TWENTY_PERCENT)
    assert judgements[-1].verdict is Verdict.PASS
    assert watch.evidence.client_errors is None


@pytest.mark.parametrize("wish", [ClientErrors.HOLD, ClientErrors.ABORT])
def test_client_errors_of_both_are_the_clients(wish: ClientErrors) -> None:
    """A fifth of client errors on both revisions does not count."""
    judgements = polled(watched(wish), 40, (20, 180))
    assert {one.verdict for one in judgements[2:]} == {Verdict.PASS}


@pytest.mark.parametrize("wish", [ClientErrors.HOLD, ClientErrors.ABORT])
def test_one_poll_with_client_errors_neither_holds_nor_stops(wish: ClientErrors) -> None:
    """Client errors in a single poll neither hold nor stop a rollout."""
    watch = watched(wish)
    polled(watch, 3, (0, 0))
    assert polled(watch, 1, (100, 0))[0].verdict is Verdict.PASS
    assert {one.verdict for one in polled(watch, 10, (0, 0))} == {Verdict.PASS}


def test_a_burst_in_three_polls_holds_and_does_not_stop() -> None:
    """A burst in three polls holds until the odds are lower again."""
    watch = watched(ClientErrors.ABORT)
    polled(watch, 3, (0, 0))
    verdicts = [one.verdict for one in polled(watch, 3, (40, 0)) + polled(watch, 100, (0, 9))]
    assert Verdict.ABORT not in verdicts
    assert Verdict.CONTINUE in verdicts
    assert verdicts[-1] is Verdict.PASS


def test_client_errors_are_no_errors() -> None:
    """They count neither against the canary nor in its certificate."""
    watch = watched()
    polled(watch, 10, TWENTY_PERCENT)
    assert watch.source_evidence(Source.ROUTER).canary_errors == 0
    assert log_mixture(watch.source_evidence(Source.ROUTER).log_rel) <= 0
    evidence = watch.evidence.client_errors
    assert evidence is not None
    assert (evidence.canary_requests, evidence.canary_errors) == (1000, 200)
    assert (evidence.stable_requests, evidence.stable_errors) == (9000, 0)
    assert exp(log_mixture(evidence.log_rel)) > 1000
    assert evidence.log_abs == ()


def test_errors_are_reported_before_client_errors() -> None:
    """A canary with errors is aborted for these, whatever its client errors."""
    watch = watched()
    for _ in range(4):
        judgement = watch.poll(Counts(100, 30), Counts(900, 0), client_errors=TWENTY_PERCENT)
    assert judgement.verdict is Verdict.ABORT
    assert "client error" not in judgement.message


def test_client_errors_are_reported_in_the_bake() -> None:
    """The bake is held by the same odds as a step."""
    watch = watched()
    watch.bake = True
    judgements = polled(watch, 6, TWENTY_PERCENT)
    assert judgements[-1].verdict is Verdict.CONTINUE
    assert "120 of 600 requests had client errors" in judgements[-1].message


@pytest.mark.parametrize("wish", [ClientErrors.HOLD, ClientErrors.ABORT])
def test_client_errors_are_not_judged_before_traffic(wish: ClientErrors) -> None:
    """Before traffic client errors are not judged: copies are not a fair sample."""
    watch = watched(wish)
    watch.pre_traffic = True
    judgements = polled(watch, 20, TWENTY_PERCENT)
    assert judgements[-1].verdict is Verdict.PASS


def test_client_errors_that_cannot_be_read_are_left_as_they_were() -> None:
    """If the router cannot be read, the stored client errors stay."""
    watch = watched()
    watch.instead = {Source.ROUTER: DOWN}
    assert polled(watch, 3, TWENTY_PERCENT)[-1].verdict is Verdict.METRICS_DOWN
    evidence = watch.evidence.client_errors
    assert evidence is not None
    assert evidence.canary_requests == 0
    watch.instead = {}
    assert polled(watch, 4, TWENTY_PERCENT)[-1].verdict is Verdict.CONTINUE


def test_nothing_is_compared_where_the_provider_has_no_client_errors() -> None:
    """Triton has no client errors, so nothing is compared."""
    watch = JudgedRollout(Analysis(provider=MetricsProvider.NONE))
    watch.poll(*SEEN, client_errors=TWENTY_PERCENT)
    assert watch.evidence.client_errors is None


def test_a_wish_that_changes_in_mid_rollout_begins_to_count_then() -> None:
    """A changed `onClientErrors` applies from the next poll."""
    watch = watched(ClientErrors.IGNORE)
    polled(watch, 3, TWENTY_PERCENT)
    watch.analysis = Analysis(on_client_errors=ClientErrors.ABORT)
    polled(watch, 2, TWENTY_PERCENT)
    evidence = watch.evidence.client_errors
    assert evidence is not None
    assert evidence.canary_requests <= 200
    watch.analysis = Analysis(on_client_errors=ClientErrors.IGNORE)
    assert polled(watch, 1, TWENTY_PERCENT)[0].verdict is Verdict.PASS
