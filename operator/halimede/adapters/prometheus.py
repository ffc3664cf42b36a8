"""Prometheus, by `prometheus-api-client`: raw samples or the reason why there are none.

That library is synchronous and, of an answer, hands on the result alone. So each query runs in a
thread of the adapter's own, and a hook on the HTTP session, which the library takes from us, sees
every answer whole: one with warnings, by which Thanos and others say that parts are missing, is
not data.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from math import isfinite
from typing import Any, Protocol

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from halimede.api.rollout import MetricsProvider
from halimede.judge.queries import queries
from halimede.judge.reading import (
    Answer,
    History,
    Measured,
    MetricsRequest,
    Reading,
    Sample,
    Series,
    Source,
    Unavailable,
    Why,
)

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
GIVE_UP_SECONDS = 15.0
"""A server that trickles its answer keeps each read short, so the whole has a limit of its own."""
THREADS = 8
_SETTING = "the operator's setting HALIMEDE_PROMETHEUS_URL (chart: prometheus.url)"


class Metrics(Protocol):
    """Where counters are read."""

    async def read(self, request: MetricsRequest) -> Reading:
        """Ask every source; never raise for an outage."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


class _RefusedError(Exception):
    """Prometheus answered with an error or with less than everything."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


class PromMetrics:
    """Counters in a Prometheus, or whatever answers its HTTP API."""

    def __init__(self, url: str | None, *, read_seconds: float = READ_SECONDS) -> None:
        """Prepare to ask the server at *url*; without one every source is unavailable."""
        self._url = (url or "").rstrip("/")
        self._session = requests.Session()
        self._session.hooks["response"].append(_look_through)
        self._client = PrometheusConnect(
            url=self._url,
            session=self._session,
            retry=Retry(total=1, read=0, status=0, redirect=2),
            timeout=(CONNECT_SECONDS, read_seconds),
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")

    async def read(self, request: MetricsRequest) -> Reading:
        """Ask every declared source, at the same time."""
        sources = [Source.TRITON]
        if request.provider is not MetricsProvider.NONE:
            sources.insert(0, Source.ROUTER)
        said = await asyncio.gather(*(self._ask(source, request) for source in sources))
        answers: dict[Source, Answer] = dict(zip(sources, said, strict=True))
        if request.since is None:
            return Reading(request, history=History(request, answers))
        return Reading(request, answers)

    def close(self) -> None:
        """Let go of threads and connections; queries under way are not awaited."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _ask(self, source: Source, request: MetricsRequest) -> Answer:
        if not self._url:
            return Unavailable(
                Why.NOT_CONFIGURED, f"no Prometheus is known: set its address in {_SETTING}"
            )
        loop = asyncio.get_running_loop()
        call: Callable[[str], Any] = self._client.custom_query
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                results = await asyncio.gather(
                    *(
                        loop.run_in_executor(self._threads, call, one)
                        for one in queries(source, request)
                    )
                )
            return Measured(tuple(_series(one) for result in results for one in result))
        except _RefusedError as refusal:
            return Unavailable(refusal.why, f"{source} counters: {refusal}")
        except (requests.RequestException, TimeoutError) as error:
            return Unavailable(
                Why.UNREACHABLE,
                f"{source} counters: Prometheus at {self._url} did not answer"
                f" ({type(error).__name__}): check {_SETTING}, and that the server is up",
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return Unavailable(Why.REFUSED, f"{source} counters: {_not_prometheus(self._url)}")


def _look_through(response: requests.Response, *_: object, **__: object) -> None:
    """See what the library would not show: errors in words, and warnings."""
    if response.is_redirect:
        return
    try:
        body = response.json()
    except requests.exceptions.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        body = {}
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise _refusal(response, body)
    if not body:
        raise _RefusedError(Why.REFUSED, _not_prometheus(response.url.split("/api/v1/")[0]))
    if body.get("warnings"):
        warnings = "; ".join(str(warning) for warning in body["warnings"])
        raise _RefusedError(
            Why.INCOMPLETE, f"Prometheus's answer is incomplete ({warnings}): mend its stores"
        )


def _refusal(response: requests.Response, body: Mapping[str, Any]) -> _RefusedError:
    status = response.status_code
    said = body.get("error") or response.reason
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _RefusedError(
            Why.REFUSED,
            f"Prometheus refused access (HTTP {status}, {said}): let the operator read it",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _RefusedError(
            Why.UNREACHABLE, f"Prometheus could not answer now (HTTP {status}, {said})"
        )
    return _RefusedError(
        Why.REFUSED,
        f"Prometheus refused the query (HTTP {status}, {said}): check that {_SETTING} names the"
        " server's root, and its limits on queries",
    )


def _not_prometheus(url: str) -> str:
    return f"what answers at {url} is no Prometheus API: check {_SETTING}"


def _series(one: Mapping[str, Any]) -> Series:
    pairs: Sequence[Sequence[Any]] = one.get("values", ())
    samples = (Sample(float(at), float(value)) for at, value in pairs)
    return Series(one["metric"], tuple(sample for sample in samples if isfinite(sample.value)))
