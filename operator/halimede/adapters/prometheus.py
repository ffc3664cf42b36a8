"""Prometheus, by `prometheus-api-client`: raw samples or the reason why there are none.

That library is synchronous, so polls run in threads of the adapter's own, in each one query after
the other: each thread then has one response at a time. Polls that are read together share their
queries (`judge.sharing`), and a slow query delays only these.
`prometheus_response` reads the responses.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeVar

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from halimede.adapters.poll_answers import PollAnswers, Readings
from halimede.adapters.prometheus_auth import InvalidAuthError, PrometheusAuth
from halimede.adapters.prometheus_response import (
    FILES,
    URL_SETTING,
    Bounds,
    ResponseReader,
    UnavailableError,
)
from halimede.api.query import UnusableQueryError
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import SourceId
from halimede.judge.custom_queries import parse_scalar, to_counts
from halimede.judge.reading import (
    Answer,
    CustomCounts,
    CustomQueries,
    MetricsQueries,
    Reading,
    Sample,
    Series,
    Unavailable,
)
from halimede.judge.sharing import Shared, halve, join, split

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
RESPONSE_SECONDS = 15.0
"""Limit for a whole response: one that arrives slowly does not exceed the limit of each read."""
POLL_SECONDS = 60.0
"""No query of a poll starts later than this after the first."""
THREADS = 16
MEBIBYTE = 1024 * 1024
MAX_RESPONSE_MEBIBYTES = 8
MAX_SERIES = 20_000
"""Of counters. A proxy has a few dozen for each revision, in each of its replicas."""
_CUSTOM = Bounds(
    max_bytes=256 * 1024, max_series=100, cure="aggregate it, for example with sum(...)"
)
_MAY_BE_ONE = frozenset({UnavailableReason.REJECTED, UnavailableReason.INCOMPLETE})
"""Why shared queries may fail because of one of those that share them."""
NO_CREDENTIALS = PrometheusAuth(Path())
"""No credentials."""


T = TypeVar("T")


class MetricsReader(Protocol):
    """Reads counters."""

    async def read(self, queries: MetricsQueries) -> Reading:
        """Query every source; an outage or a malformed response is in the reading, not raised."""
        ...

    async def read_together(self, polls: Sequence[MetricsQueries]) -> Readings:
        """Query the sources of several polls, with as few queries as possible."""
        ...

    def close(self) -> None:
        """Release threads and connections."""
        ...


class PrometheusReader:
    """Counters in Prometheus, or in another server with its HTTP API."""

    def __init__(
        self,
        url: str | None,
        *,
        credentials: str | None = None,
        insecure: bool = False,
        max_response_mebibytes: int = MAX_RESPONSE_MEBIBYTES,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Create a reader of the server at *url*; without one every source is unavailable.

        Args:
            url: The server's root.
            credentials: The folder with the credentials, as in `prometheus_auth`.
            insecure: Accept any certificate.
            max_response_mebibytes: The largest response with counters.
            read_seconds: How long to wait for a response.
        """
        self._url = (url or "").rstrip("/")
        self._folder = Path(credentials) if credentials else None
        self._insecure = insecure
        self._counters = Bounds(
            max_bytes=max_response_mebibytes * MEBIBYTE,
            max_series=MAX_SERIES,
            cure="scrape less often, or raise the operator's setting"
            " HALIMEDE_PROMETHEUS_MAX_RESPONSE_MEBIBYTES (chart:"
            " operator.prometheus.maxResponseMebibytes)",
        )
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._closed = Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")

    async def read(self, queries: MetricsQueries) -> Reading:
        """Run the queries of every source in one thread."""
        (reading,) = (await self.read_together((queries,))).readings
        return reading

    async def read_together(self, polls: Sequence[MetricsQueries]) -> Readings:
        """Run the queries of all polls in one thread.

        If a shared query is rejected, or its response is too large, its polls are divided and
        asked for again: one of them alone may be the cause.
        """
        answers = PollAnswers(polls)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._answer_all, answers)
        return answers.readings()

    def close(self) -> None:
        """Release the threads without waiting for running queries."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer_all(self, answers: PollAnswers) -> None:
        """Answer the sources, those with built-in queries first: users' queries may be slow."""
        deadline = time.monotonic() + POLL_SECONDS
        for source, asked in answers.counters.items():
            for shared in join(asked):
                self._answer_shared(source, shared, answers, deadline)
        for poll, source, queries in answers.custom:
            custom = self._answer(source, deadline, partial(_read_custom_counts, queries))
            answers.put(poll, source, custom)

    def _answer_shared(
        self, source: SourceId, shared: Shared, answers: PollAnswers, deadline: float
    ) -> None:
        """Answer shared queries, in parts if that is not possible at once."""
        each = self._answer(source, deadline, partial(self._read_counters, shared))
        if not isinstance(each, Unavailable):
            answers.put_each(shared, source, each)
            return
        parts = halve(shared) if each.why in _MAY_BE_ONE else ()
        answers.together &= len(shared.members) == 1
        for part in parts:
            self._answer_shared(source, part, answers, deadline)
        if not parts:
            answers.put_each(shared, source, [each] * len(shared.members))

    def _answer(
        self, source: SourceId, deadline: float, read: "Callable[[_Connection], T]"
    ) -> T | Unavailable:
        try:
            with closing(self._connect(deadline)) as connection:
                return read(connection)
        except (
            UnavailableError,
            InvalidAuthError,
            UnusableQueryError,
            OSError,
            HTTPError,
        ) as error:
            reason, description = self._describe_error(error)
            return Unavailable(reason, f"{source} counters: {description}")

    def _read_counters(
        self,
        shared: Shared,
        connection: "_Connection",
    ) -> Sequence[Answer]:
        texts = shared.queries.texts
        return split(
            shared, [connection.query(text, self._counters, _all_series) for text in texts]
        )

    def _connect(self, deadline: float) -> "_Connection":
        if not self._url:
            raise UnavailableError(
                UnavailableReason.NOT_CONFIGURED,
                f"the address of Prometheus is not configured: set {URL_SETTING}",
            )
        auth = NO_CREDENTIALS if self._folder is None else PrometheusAuth.read(self._folder)
        session = auth.session(insecure=self._insecure)
        return _Connection(self._url, session, self._timeout, deadline, self._closed)

    def _describe_error(
        self,
        error: UnavailableError | InvalidAuthError | UnusableQueryError | OSError | HTTPError,
    ) -> tuple[UnavailableReason, str]:
        match error:
            case UnavailableError():
                return error.reason, str(error)
            case UnusableQueryError():
                return UnavailableReason.REJECTED, f"{error}: {error.cure}"
            case InvalidAuthError():
                return UnavailableReason.NOT_CONFIGURED, f"{error}; the files come from {FILES}"
            case requests.exceptions.SSLError():
                return UnavailableReason.UNREACHABLE, (
                    f"TLS with Prometheus at {self._url} failed: check that its certificate is"
                    f" valid for that name and signed by ca.crt in {FILES}, and that it"
                    " accepts tls.crt there"
                )
            case OSError() | HTTPError():
                return UnavailableReason.UNREACHABLE, (
                    f"Prometheus at {self._url} did not respond ({type(error).__name__}):"
                    f" check {URL_SETTING}, and that the server is up"
                )


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection for one source, with the credentials of this moment."""

    url: str
    session: requests.Session
    timeout: tuple[float, float]
    deadline: float
    """No query starts later than this, by the monotonic clock."""
    closed: Event
    """Set when no further query may start."""

    def query(
        self, text: str, bounds: Bounds, convert: Callable[[Any], T], at: float | None = None
    ) -> T:
        """Run a query for the time *at* or now, and convert its result.

        Raises:
            UnavailableError: See `prometheus_response`; or it is too late to start.
            UnusableQueryError: As *convert*.
            OSError: There is no response.
            HTTPError: The same.
        """
        if self.closed.is_set():
            raise UnavailableError(UnavailableReason.UNREACHABLE, "the operator is shutting down")
        now = time.monotonic()
        if now > self.deadline:
            raise UnavailableError(
                UnavailableReason.UNREACHABLE,
                f"not queried, because the queries before took {POLL_SECONDS:.0f} s: make the"
                " queries of spec.rollout.analysis faster, for example by recording rules",
            )
        # One series more than allowed shows that there are too many; older servers ignore it.
        params: dict[str, Any] = {"limit": bounds.max_series + 1}
        if at is not None:
            params["time"] = at
        hook = ResponseReader(text, bounds, convert, now + RESPONSE_SECONDS)
        self.session.hooks["response"] = [hook]
        client = PrometheusConnect(
            url=self.url,
            session=self.session,
            retry=Retry(total=1, read=0, status=0, redirect=2),
            timeout=self.timeout,
        )
        result: T = client.custom_query(text, params)
        return result

    def close(self) -> None:
        """Close the connection."""
        self.session.close()


def _read_custom_counts(queries: CustomQueries, connection: _Connection) -> Answer:
    """Run both queries for the stable revision and, once counting has begun, the canary."""
    texts = (*queries.stable, *(queries.canary or ()))
    numbers = [connection.query(text, _CUSTOM, parse_scalar, queries.at) for text in texts]
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    stable, *canary = (to_counts(*pair) for pair in pairs)
    return CustomCounts(stable, canary[0] if canary else None)


def _all_series(result: Sequence[Mapping[str, Any]]) -> tuple[Series, ...]:
    return tuple(_series(entry) for entry in result)


def _series(entry: Mapping[str, Any]) -> Series:
    pairs: Sequence[Sequence[Any]] = entry.get("values", ())
    return Series(entry["metric"], tuple(Sample(float(at), float(value)) for at, value in pairs))
