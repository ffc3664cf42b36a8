import pytest

from halimede.judge.past import Past, dispersion, past
from halimede.judge.reading import Counts, Source
from tests.support.series import STABLE, envoy, measured, request


def test_the_past_is_the_growth_of_the_counters() -> None:
    """What they stood at when the window opened is older."""
    minutes = tuple((60.0 * at, 1000.0 + 100 * at) for at in range(10))
    errors = ((300.0, 2.0), (360.0, 5.0))
    answer = measured(envoy(STABLE, minutes, response="2"), envoy(STABLE, errors, response="5"))
    found = past(Source.ROUTER, answer, request())
    assert found.counts == Counts(905, 5)
    assert found.rate == pytest.approx(5 / 905)


def test_few_requests_tell_no_rate() -> None:
    """Under 300, a rate would be a guess."""
    assert Past(Counts(299, 0)).rate is None
    assert Past(Counts(300, 3)).rate == 0.01


def test_even_errors_are_not_dispersed() -> None:
    """The same number in every minute is even less than chance; phi stays 1."""
    assert dispersion([Counts(100, 2)] * 20) == 1.0


def test_errors_in_bursts_are_dispersed() -> None:
    """Ten at once every tenth minute are worth much less than one in every minute."""
    bursts = [Counts(100, 10 if at % 10 == 0 else 0) for at in range(40)]
    assert dispersion(bursts) == pytest.approx(9.3, abs=0.2)


def test_an_outage_in_the_past_does_not_stop_the_future() -> None:
    """Phi is 10 at most."""
    outage = [Counts(1000, 300 if at in (7, 8) else 1) for at in range(120)]
    assert dispersion(outage) == 10.0


@pytest.mark.parametrize(
    "bins",
    [
        [],
        [Counts(100, 9), Counts(100, 0)],
        [Counts(100, 50)],
        [Counts(20, 20), Counts(5, 5)],
    ],
    ids=["nothing", "few errors", "one minute", "errors only"],
)
def test_what_tells_no_dispersion_counts_as_none(bins: list[Counts]) -> None:
    """Ten errors, more than a minute, and some good requests are needed."""
    assert dispersion(bins) == 1.0
