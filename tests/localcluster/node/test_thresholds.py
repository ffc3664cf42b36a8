import pytest

from localcluster.node.thresholds import ProbeResult, ProbeTimes


@pytest.mark.parametrize(
    ("results", "healthy"),
    [
        ("", None),
        ("-", None),
        ("--", None),
        ("---", False),
        ("--+", None),
        ("--+-", None),
        ("++", True),
        ("+-+", None),
        ("++--", True),
        ("++---", False),
        ("++---+", False),
        ("++---++", True),
    ],
)
def test_only_enough_equal_results_in_a_row_change_the_verdict(
    results: str, *, healthy: bool | None
) -> None:
    """With thresholds of two successes and three failures, fewer results change nothing."""
    verdict = ProbeResult(success_threshold=2, failure_threshold=3)
    for result in results:
        verdict = verdict.after(success=result == "+")
    assert verdict.healthy is healthy


def test_a_probe_without_figures_has_those_of_the_api() -> None:
    """The defaults are the documented ones."""
    assert ProbeTimes.of({"httpGet": {}}) == ProbeTimes(0, 10, 1, 1, 3, None)
