"""Prometheus, by `prometheus-api-client`: raw samples or the reason why there are none.

That library is synchronous and, of an answer, hands on the result alone. So each query runs in a
thread of the adapter's own, and a hook on the HTTP session, which the library takes from us, sees
every answer whole: one with warnings, by which Thanos and others say that parts are missing, is
not data. `infos` are remarks on how the query is written, and matter to nobody here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from halimede.adapters.prometheus_auth import InvalidAuthError, PrometheusAuth
from halimede.api.query import UnusableQueryError
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId
from halimede.judge.custom_queries import parse_scalar, render_query, to_counts
from halimede.judge.providers.registry import ROUTERS
from halimede.judge.queries import build_queries
from halimede.judge.reading import (
    Answer,
    CounterSamples,
    CustomCounts,
    DueQuery,
    History,
    MetricsRequest,
    Reading,
    Sample,
    Series,
    Unavailable,
)

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_TIMEOUT_SECONDS = 15.0
"""A server that trickles its answer keeps each read short, so the whole has a limit of its own."""
THREADS = 8
_SETTING = "the operator's setting HALIMEDE_PROMETHEUS_URL (chart: operator.prometheus.url)"
_FILES = "the Secret that the chart's value operator.prometheus.secretName names"
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Errors of class 4 that waiting cures."""
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""Raised by parsing an answer that is not Prometheus's; elsewhere these are errors of ours."""
NO_ROUTER = PrometheusAuth(Path())
"""Shows nothing of itself."""


T = TypeVar("T")


class MetricsReader(Protocol):
    """Where counters are read."""

    async def read(self, request: MetricsRequest) -> Reading:
        """Ask every source; an outage or a malformed answer is in the reading, not raised."""
        ...

    def close(self) -> None:
        """Let go of threads and connections."""
        ...


class _RefusedError(Exception):
    """Prometheus answered with an error or with less than everything."""

    def __init__(self, why: UnavailableReason, message: str) -> None:
        super().__init__(message)
        self.why = why


class PrometheusReader:
    """Counters in a Prometheus, or whatever answers its HTTP API."""

    def __init__(
        self,
        url: str | None,
        *,
        credentials: str | None = None,
        insecure: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Prepare to ask the server at *url*; without one every source is unavailable.

        Args:
            url: The server's root.
            credentials: The folder whose files make us known to it, as in `access`.
            insecure: Believe any certificate.
            read_seconds: How long to wait for an answer.
        """
        self._url = (url or "").rstrip("/")
        self._folder = Path(credentials) if credentials else None
        self._insecure = insecure
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._lock = Lock()
        self._access = NO_ROUTER
        self._session = self._opened(NO_ROUTER)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")

    async def read(self, request: MetricsRequest) -> Reading:
        """Ask every declared source whose answer is due, at the same time."""
        sources = [Source.TRITON]
        if request.provider in ROUTERS:
            sources.insert(0, Source.ROUTER)
        if request.slow_after is not None:
            sources.append(Source.ROUTER_LATENCY)
        asked: dict[SourceId, Awaitable[Answer]] = {
            source: self._counters(source, request) for source in sources
        }
        asked |= {one.source: self._tallied(one, request) for one in request.indicators}
        said = await asyncio.gather(*(self._said(*one) for one in asked.items()))
        answers: dict[SourceId, Answer] = dict(zip(asked, said, strict=True))
        if request.since is None:
            return Reading(request, history=History(request, answers))
        return Reading(request, answers)

    def close(self) -> None:
        """Let go of threads and connections; queries under way are not awaited."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _said(self, source: SourceId, answer: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_SECONDS):
                return await answer
        except (
            _RefusedError,
            InvalidAuthError,
            UnusableQueryError,
            OSError,
            HTTPError,
        ) as error:
            why, words = self._explained(error)
            return Unavailable(why, f"{source} counters: {words}")

    async def _counters(self, source: SourceId, request: MetricsRequest) -> Answer:
        results = await self._results(build_queries(source, request))
        return CounterSamples(
            tuple(one for result in results for one in self._parsed(_all_series, result))
        )

    async def _tallied(self, asked: DueQuery, request: MetricsRequest) -> Answer:
        """Ask both queries about the stable revision and, once counting has begun, the canary."""
        revisions = (request.stable, request.canary)[: 1 if request.since is None else 2]
        texts = [
            render_query(template, request, revision, asked.window)
            for revision in revisions
            for template in (asked.requests, asked.errors)
        ]
        results = await self._results(texts, at=request.now)
        numbers = [self._parsed(parse_scalar, result) for result in results]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        stable, *canary = (to_counts(*pair) for pair in pairs)
        return CustomCounts(stable, canary[0] if canary else None)

    async def _results(self, texts: Iterable[str], at: float | None = None) -> list[Any]:
        """Ask several queries at the same time, about the moment *at* or now."""
        if not self._url:
            raise _RefusedError(
                UnavailableReason.NOT_CONFIGURED,
                f"no Prometheus is known: set its address in {_SETTING}",
            )
        loop = asyncio.get_running_loop()
        asked = (loop.run_in_executor(self._threads, self._query, text, at) for text in texts)
        return await asyncio.gather(*asked)

    def _parsed(self, parse: Callable[[Any], T], result: Any) -> T:
        try:
            return parse(result)
        except _MALFORMED as error:
            raise _RefusedError(UnavailableReason.REFUSED, _not_prometheus(self._url)) from error

    def _explained(
        self,
        error: _RefusedError | InvalidAuthError | UnusableQueryError | OSError | HTTPError,
    ) -> tuple[UnavailableReason, str]:
        match error:
            case _RefusedError():
                return error.why, str(error)
            case UnusableQueryError():
                return UnavailableReason.REFUSED, f"{error}: {error.cure}"
            case InvalidAuthError():
                return UnavailableReason.NOT_CONFIGURED, f"{error}; the files are {_FILES}"
            case requests.exceptions.SSLError():
                return UnavailableReason.UNREACHABLE, (
                    f"TLS with Prometheus at {self._url} failed: check that its certificate is for"
                    f" that name and signed by ca.crt in {_FILES}, and that it accepts tls.crt"
                    " there"
                )
            case OSError() | HTTPError():
                return UnavailableReason.UNREACHABLE, (
                    f"Prometheus at {self._url} did not answer ({type(error).__name__}): check"
                    f" {_SETTING}, and that the server is up"
                )

    def _query(self, text: str, at: float | None) -> Any:
        return self._client().custom_query(text, None if at is None else {"time": at})

    def _client(self) -> PrometheusConnect:
        with self._lock:
            access = NO_ROUTER if self._folder is None else PrometheusAuth.read(self._folder)
            if access != self._access:
                self._session.close()
                self._access, self._session = access, self._opened(access)
            return PrometheusConnect(
                url=self._url,
                session=self._session,
                retry=Retry(total=1, read=0, status=0, redirect=2),
                timeout=self._timeout,
            )

    def _opened(self, access: PrometheusAuth) -> requests.Session:
        session = access.session(insecure=self._insecure)
        session.hooks["response"].append(_look_through)
        return session


def _look_through(response: requests.Response, *_: object, **__: object) -> None:
    """See what the library would not show: errors in words, and warnings."""
    if response.is_redirect:
        _check_redirect(response)
        return
    try:
        body = response.json()
    except ValueError:  # no JSON, or with a number that is too long to be read
        body = None
    if not isinstance(body, dict):
        body = {}
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise _refusal(response, body)
    if response.status_code != HTTPStatus.OK or not _has_result(body):
        raise _RefusedError(
            UnavailableReason.REFUSED, _not_prometheus(response.url.split("/api/v1/")[0])
        )
    if body.get("warnings"):
        warnings = "; ".join(str(warning) for warning in body["warnings"])
        raise _RefusedError(
            UnavailableReason.INCOMPLETE,
            f"Prometheus's answer is incomplete ({warnings}): mend its stores",
        )


def _check_redirect(response: requests.Response) -> None:
    """Show nobody else who we are, nor anybody on the way."""
    asked = urlsplit(response.url)
    try:
        target = urlsplit(urljoin(response.url, response.headers["Location"]))
    except ValueError as error:
        raise _RefusedError(
            UnavailableReason.REFUSED,
            f"Prometheus redirects to an address that cannot be read ({error}): set the address"
            f" that answers by itself in {_SETTING}",
        ) from error
    if target.hostname != asked.hostname or (asked.scheme, target.scheme) == ("https", "http"):
        raise _RefusedError(
            UnavailableReason.REFUSED,
            f"Prometheus redirects to {target.scheme}://{target.hostname}: set the address that"
            f" answers by itself in {_SETTING}",
        )


def _refusal(response: requests.Response, body: Mapping[str, Any]) -> _RefusedError:
    status = response.status_code
    said = body.get("error") or response.reason
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _RefusedError(
            UnavailableReason.REFUSED,
            f"Prometheus refused access (HTTP {status}, {said}): let the operator read it, by"
            f" what you put into {_FILES}",
        )
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _RefusedError(
            UnavailableReason.UNREACHABLE,
            f"Prometheus could not answer now (HTTP {status}, {said})",
        )
    return _RefusedError(
        UnavailableReason.REFUSED,
        f"Prometheus refused the query (HTTP {status}, {said}): check that {_SETTING} names the"
        " server's root, and its limits on queries",
    )


def _not_prometheus(url: str) -> str:
    return f"what answers at {url} is no Prometheus API: check {_SETTING}"


def _has_result(body: Mapping[str, Any]) -> bool:
    """Whether the library can take the result out of an answer."""
    data = body.get("data")
    return isinstance(data, dict) and isinstance(data.get("result"), list)


def _all_series(result: Sequence[Mapping[str, Any]]) -> tuple[Series, ...]:
    return tuple(_series(one) for one in result)


def _series(one: Mapping[str, Any]) -> Series:
    pairs: Sequence[Sequence[Any]] = one.get("values", ())
    samples = (Sample(float(at), float(value)) for at, value in pairs)
    return Series(one["metric"], tuple(sample for sample in samples if isfinite(sample.value)))
