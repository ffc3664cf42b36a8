"""Prometheus, by `prometheus-api-client`: raw samples or the reason why there are none.

That library is synchronous and returns only the result of a response. So each query runs in a
thread of the adapter's own, and a hook on the HTTP session, which we pass to the library, checks
the whole response: one with warnings, by which Thanos and others report that parts are missing, is
not data. `infos` are remarks on how the query is written, and are ignored.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from halimede.api.sources import SourceId
from halimede.judge.custom_queries import parse_scalar, to_counts
from halimede.judge.reading import (
    Answer,
    CounterQueries,
    CounterSamples,
    CustomCounts,
    CustomQueries,
    History,
    MetricsQueries,
    Reading,
    Sample,
    Series,
    Unavailable,
)

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_TIMEOUT_SECONDS = 15.0
"""Limit for a whole response: one that arrives slowly does not exceed the limit of each read."""
THREADS = 8
_SETTING = "the operator's setting HALIMEDE_PROMETHEUS_URL (chart: operator.prometheus.url)"
_FILES = "the Secret named by the chart's value operator.prometheus.secretName"
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""HTTP 4xx errors for which waiting helps."""
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""Raised by parsing a response that is not Prometheus's; elsewhere these are bugs of ours."""
NO_CREDENTIALS = PrometheusAuth(Path())
"""No credentials."""


T = TypeVar("T")


class MetricsReader(Protocol):
    """Reads counters."""

    async def read(self, queries: MetricsQueries) -> Reading:
        """Query every source; an outage or a malformed response is in the reading, not raised."""
        ...

    def close(self) -> None:
        """Release threads and connections."""
        ...


class _UnavailableError(Exception):
    """A source is unavailable: Prometheus responded with an error or incompletely."""

    def __init__(self, reason: UnavailableReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PrometheusReader:
    """Counters in Prometheus, or in another server with its HTTP API."""

    def __init__(
        self,
        url: str | None,
        *,
        credentials: str | None = None,
        insecure: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Create a reader of the server at *url*; without one every source is unavailable.

        Args:
            url: The server's root.
            credentials: The folder with the credentials, as in `prometheus_auth`.
            insecure: Accept any certificate.
            read_seconds: How long to wait for a response.
        """
        self._url = (url or "").rstrip("/")
        self._folder = Path(credentials) if credentials else None
        self._insecure = insecure
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._lock = Lock()
        self._auth = NO_CREDENTIALS
        self._session = self._open_session(NO_CREDENTIALS)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")

    async def read(self, queries: MetricsQueries) -> Reading:
        """Run the queries of every source, concurrently."""
        request, by_source = queries.request, queries.by_source
        results = await asyncio.gather(*(self._answer(*item) for item in by_source.items()))
        answers = dict(zip(by_source, results, strict=True))
        if request.since is None:
            return Reading(request, history=History(request, answers))
        return Reading(request, answers)

    def close(self) -> None:
        """Release threads and connections without waiting for running queries."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._session.close()

    async def _answer(
        self, source: SourceId, queries: CounterQueries | CustomQueries | Unavailable
    ) -> Answer:
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_SECONDS):
                match queries:
                    case CounterQueries():
                        return await self._read_counters(queries)
                    case CustomQueries():
                        return await self._read_custom_counts(queries)
                    case Unavailable():
                        return queries
        except (
            _UnavailableError,
            InvalidAuthError,
            UnusableQueryError,
            OSError,
            HTTPError,
        ) as error:
            reason, description = self._describe_error(error)
            return Unavailable(reason, f"{source} counters: {description}")

    async def _read_counters(self, queries: CounterQueries) -> Answer:
        results = await self._run_queries(queries.texts)
        return CounterSamples(
            tuple(series for result in results for series in self._parse(_all_series, result))
        )

    async def _read_custom_counts(self, queries: CustomQueries) -> Answer:
        """Run both queries for the stable revision and, once counting has begun, the canary."""
        texts = (*queries.stable, *(queries.canary or ()))
        results = await self._run_queries(texts, at=queries.at)
        numbers = [self._parse(parse_scalar, result) for result in results]
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        stable, *canary = (to_counts(*pair) for pair in pairs)
        return CustomCounts(stable, canary[0] if canary else None)

    async def _run_queries(self, texts: Iterable[str], at: float | None = None) -> list[Any]:
        """Run several queries concurrently, for the time *at* or now."""
        if not self._url:
            raise _UnavailableError(
                UnavailableReason.NOT_CONFIGURED,
                f"the address of Prometheus is not configured: set {_SETTING}",
            )
        loop = asyncio.get_running_loop()
        futures = (loop.run_in_executor(self._threads, self._query, text, at) for text in texts)
        return await asyncio.gather(*futures)

    def _parse(self, parse: Callable[[Any], T], result: Any) -> T:
        try:
            return parse(result)
        except _MALFORMED as error:
            raise _UnavailableError(
                UnavailableReason.REJECTED, _not_prometheus(self._url)
            ) from error

    def _describe_error(
        self,
        error: _UnavailableError | InvalidAuthError | UnusableQueryError | OSError | HTTPError,
    ) -> tuple[UnavailableReason, str]:
        match error:
            case _UnavailableError():
                return error.reason, str(error)
            case UnusableQueryError():
                return UnavailableReason.REJECTED, f"{error}: {error.cure}"
            case InvalidAuthError():
                return UnavailableReason.NOT_CONFIGURED, f"{error}; the files come from {_FILES}"
            case requests.exceptions.SSLError():
                return UnavailableReason.UNREACHABLE, (
                    f"TLS with Prometheus at {self._url} failed: check that its certificate is"
                    f" valid for that name and signed by ca.crt in {_FILES}, and that it"
                    " accepts tls.crt there"
                )
            case OSError() | HTTPError():
                return UnavailableReason.UNREACHABLE, (
                    f"Prometheus at {self._url} did not respond ({type(error).__name__}):"
                    f" check {_SETTING}, and that the server is up"
                )

    def _query(self, text: str, at: float | None) -> Any:
        return self._client().custom_query(text, None if at is None else {"time": at})

    def _client(self) -> PrometheusConnect:
        with self._lock:
            auth = NO_CREDENTIALS if self._folder is None else PrometheusAuth.read(self._folder)
            if auth != self._auth:
                self._session.close()
                self._auth, self._session = auth, self._open_session(auth)
            return PrometheusConnect(
                url=self._url,
                session=self._session,
                retry=Retry(total=1, read=0, status=0, redirect=2),
                timeout=self._timeout,
            )

    def _open_session(self, auth: PrometheusAuth) -> requests.Session:
        session = auth.session(insecure=self._insecure)
        session.hooks["response"].append(_check_response)
        return session


def _check_response(response: requests.Response, *_: object, **__: object) -> None:
    """Raise what the library would not report: the text of errors, and warnings."""
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
        raise _status_error(response, body)
    if response.status_code != HTTPStatus.OK or not _has_result(body):
        raise _UnavailableError(
            UnavailableReason.REJECTED, _not_prometheus(response.url.split("/api/v1/")[0])
        )
    if body.get("warnings"):
        warnings = "; ".join(str(warning) for warning in body["warnings"])
        raise _UnavailableError(
            UnavailableReason.INCOMPLETE,
            f"Prometheus's response is incomplete ({warnings}): check its remote stores",
        )


def _check_redirect(response: requests.Response) -> None:
    """Reject a redirect to another host or to HTTP: it would disclose the credentials."""
    requested = urlsplit(response.url)
    try:
        target = urlsplit(urljoin(response.url, response.headers["Location"]))
    except ValueError as error:
        raise _UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus redirects to an invalid address ({error}): set the final address in"
            f" {_SETTING}",
        ) from error
    if target.hostname != requested.hostname or (requested.scheme, target.scheme) == (
        "https",
        "http",
    ):
        raise _UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus redirects to {target.scheme}://{target.hostname}: set the final"
            f" address in {_SETTING}",
        )


def _status_error(response: requests.Response, body: Mapping[str, Any]) -> _UnavailableError:
    status = response.status_code
    detail = body.get("error") or response.reason
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus denied access (HTTP {status}, {detail}): give the operator valid"
            f" credentials in {_FILES}",
        )
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _UnavailableError(
            UnavailableReason.UNREACHABLE,
            f"Prometheus is unavailable (HTTP {status}, {detail})",
        )
    return _UnavailableError(
        UnavailableReason.REJECTED,
        f"Prometheus rejected the query (HTTP {status}, {detail}): check that {_SETTING} is"
        " the server's root address, and check its query limits",
    )


def _not_prometheus(url: str) -> str:
    return f"{url} is not a Prometheus API: check {_SETTING}"


def _has_result(body: Mapping[str, Any]) -> bool:
    """Whether the library can get the result from a response."""
    data = body.get("data")
    return isinstance(data, dict) and isinstance(data.get("result"), list)


def _all_series(result: Sequence[Mapping[str, Any]]) -> tuple[Series, ...]:
    return tuple(_series(entry) for entry in result)


def _series(entry: Mapping[str, Any]) -> Series:
    pairs: Sequence[Sequence[Any]] = entry.get("values", ())
    samples = (Sample(float(at), float(value)) for at, value in pairs)
    return Series(entry["metric"], tuple(sample for sample in samples if isfinite(sample.value)))
