"""Each request counts once in a real Envoy's counters, however it ends."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from halimede.api.sources import Source
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.providers import envoy
from halimede.judge.reading import Counts, MetricsRequest
from tests.proxy.backend import serving
from tests.proxy.proxy import Proxy, proxying
from tests.proxy.users import ask, asked
from tests.support.series import STABLE, request

NONE = Counts()


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    """Start a backend and an Envoy in front of it, and scrape it once."""
    async with serving() as backend, proxying(backend, tmp_path) as started:
        await started.scrape()
        yield started


def counted(proxy: Proxy, source: Source = Source.ROUTER) -> WindowCounts:
    """Return the counts between the last two scrapes."""
    seen = count_window(
        source,
        proxy.measured(envoy.metrics(_asked(proxy))),
        _asked(proxy),
        begun_at=1.0,
        after=proxy.now - 15.0,
        pods_started={},
    )
    assert isinstance(seen, WindowCounts)
    return seen


def _asked(proxy: Proxy) -> MetricsRequest:
    return replace(request(now=proxy.now + 1, since=0.0), client_errors=True)


async def test_http_requests_count_once(proxy: Proxy) -> None:
    """A request counts once if answered, rejected, failed, cancelled, timed out or retried."""

    async def seen(amount: int, does: str, **how: str | bool) -> tuple[Counts, int]:
        await ask(proxy, amount, does, **how)
        await proxy.idle()
        await proxy.scrape()
        return counted(proxy).canary, counted(proxy, Source.ROUTER_CLIENT_ERRORS).canary.errors

    assert await seen(8, "ok") == (Counts(8, 0), 0)
    assert await seen(3, "refuse") == (Counts(3, 0), 3)
    assert await seen(3, "fail") == (Counts(3, 3), 0)
    assert await seen(5, "hang", leave=True) == (Counts(5, 5), 0)
    assert await seen(4, "begin", leave=True) == (Counts(4, 0), 0)
    assert await seen(3, "hang", route="timeout") == (Counts(3, 3), 0)
    assert await seen(2, "fail ok", route="retry") == (Counts(2, 0), 0)
    assert await seen(2, "fail", route="retry") == (Counts(2, 2), 0)
    assert await seen(2, "fail hang", route="retry", leave=True) == (Counts(2, 2), 0)
    assert await seen(2, "hang", route="attempts") == (Counts(2, 2), 0)
    assert await seen(2, "hang ok", route="attempts") == (Counts(2, 0), 0)


async def test_calls_count_once(proxy: Proxy) -> None:
    """The same for gRPC; a call cancelled during the response has no code and does not count."""

    async def seen(amount: int, does: str, **how: str | bool) -> tuple[Counts, int]:
        await ask(proxy, amount, does, over="gRPC", **how)
        await proxy.idle()
        await proxy.scrape()
        return counted(proxy).canary, counted(proxy, Source.ROUTER_CLIENT_ERRORS).canary.errors

    assert await seen(8, "ok") == (Counts(8, 0), 0)
    assert await seen(3, "refuse") == (Counts(3, 0), 3)
    assert await seen(3, "fail") == (Counts(3, 3), 0)
    assert await seen(5, "hang", leave=True) == (Counts(5, 5), 0)
    assert await seen(4, "begin", leave=True) == (NONE, 0)
    assert await seen(3, "hang", route="timeout") == (Counts(3, 3), 0)
    assert await seen(2, "fail ok", route="retry") == (Counts(2, 0), 0)
    assert await seen(2, "fail", route="retry") == (Counts(2, 2), 0)
    assert await seen(2, "hang", route="attempts") == (Counts(2, 2), 0)


@pytest.mark.parametrize("over", ["HTTP", "gRPC"])
async def test_requests_without_a_connection_count_once(proxy: Proxy, over: str) -> None:
    """They count once with and without a retry, and do not hide hanging requests."""
    for route, amount in (("plain", 5), ("retry", 2)):
        await ask(proxy, amount, "ok", route=route, over=over, revision=STABLE)
        await ask(proxy, 1, "hang", over=over, leave=True)
        await proxy.idle()
        await proxy.scrape()
        assert counted(proxy).stable == Counts(amount, amount)
        assert counted(proxy).canary == Counts(1, 1)


@pytest.mark.parametrize("over", ["HTTP", "gRPC"])
async def test_requests_under_way_are_no_errors_yet(proxy: Proxy, over: str) -> None:
    """Active requests are errors only after their clients have cancelled them."""
    async with asked(proxy, 4, "hang", over=over):
        await ask(proxy, 5, "ok", over=over)
        await proxy.scrape()
        assert counted(proxy).canary == Counts(5, 0)
    await proxy.idle()
    await proxy.scrape()
    assert counted(proxy).canary == Counts(4, 4)
