"""Sources by which the revisions are only compared."""

from dataclasses import replace

import pytest

from halimede.api.analysis import Analysis, ClientErrors, MetricsProvider, QueryPair
from halimede.api.sources import Source
from halimede.api.status import SourceEvidence
from halimede.judge.messages import describe_counts, rate, worse_than_stable
from halimede.judge.providers.registry import ROUTERS
from halimede.judge.reading import sources, watched
from tests.support.series import request


@pytest.mark.parametrize("provider", list(ROUTERS))
@pytest.mark.parametrize("wish", [ClientErrors.HOLD, ClientErrors.ABORT])
def test_client_errors_are_watched_at_every_known_router(
    provider: MetricsProvider, wish: ClientErrors
) -> None:
    """Client errors are not required for a pass."""
    analysis = Analysis(provider=provider, on_client_errors=wish)
    assert watched(analysis) == (Source.ROUTER_CLIENT_ERRORS,)
    assert sources(analysis) == (Source.ROUTER, Source.TRITON)


@pytest.mark.parametrize(
    "analysis",
    [
        Analysis(on_client_errors=ClientErrors.IGNORE),
        Analysis(provider=MetricsProvider.NONE),
        Analysis(provider=MetricsProvider.CUSTOM, router=QueryPair(requests="a", errors="b")),
    ],
    ids=["Ignore", "None", "Custom"],
)
def test_client_errors_are_not_counted_if_ignored_or_unavailable(analysis: Analysis) -> None:
    """Custom queries have only one kind of errors."""
    assert watched(analysis) == ()


def test_client_errors_have_their_name_in_sentences() -> None:
    """Messages name client errors, as they name slow responses."""
    evidence = SourceEvidence(
        source=Source.ROUTER_CLIENT_ERRORS,
        begun_at=0,
        watermark=0,
        canary_requests=20,
        canary_errors=4,
        stable_requests=80,
        stable_errors=1,
    )
    assert describe_counts(evidence) == "4 of 20 requests had client errors at the router (20 %)"
    assert rate(evidence.source) == "the rate of client errors"
    text = worse_than_stable(evidence, replace(request(), client_errors=True), 6.5)
    assert (
        "4 of 20 requests had client errors at the router (20 %), stable aaaa1111: 1 of 80;"
        in text
    )
