"""Read a response of Prometheus: bounded in bytes, series and time, and parsed once.

`prometheus-api-client` reads a response completely, whatever its size, and returns only its
result. So a hook on the HTTP session, which we pass to the library, reads the response itself and
hands over a substitute. One with warnings, by which Thanos and others report that parts are
missing, is not data. `infos` are remarks on how the query is written, and are ignored.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from typing_extensions import override

from halimede.api.reasons import UnavailableReason

URL_SETTING = "the operator's setting HALIMEDE_PROMETHEUS_URL (chart: operator.prometheus.url)"
FILES = "the Secret named by the chart's value operator.prometheus.secretName"
CHUNK_BYTES = 64 * 1024
SHOWN_CHARACTERS = 120
"""Of a query in a message."""
_SERIES = b'"metric":{'
"""Begins every series of a response. In a string the quotes would be escaped."""
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""HTTP 4xx errors for which waiting helps."""
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""Raised by parsing a response that is not Prometheus's; elsewhere these are bugs of ours."""
_parsing = Lock()
"""A parsed response takes many times the memory of its text, so one is parsed at a time."""


class UnavailableError(Exception):
    """A source is unavailable: Prometheus responded with an error, incompletely or too much."""

    def __init__(self, reason: UnavailableReason, message: str) -> None:
        """Store the reason separately from the message."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large a response may be."""

    max_bytes: int
    max_series: int
    cure: str
    """What to do about a larger one."""


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """A response hook of a `requests` session, for one query."""

    query: str
    bounds: Bounds
    convert: Callable[[Any], Any]
    """Converts the result of a response, which is a list, to what the caller needs."""
    deadline: float
    """When the response must be complete, by the monotonic clock."""

    def __call__(self, response: requests.Response, *_: object, **__: object) -> requests.Response:
        """Return a substitute with the converted result, or with the redirect to follow.

        Raises:
            UnavailableError: It is an error, incomplete, too large, or not Prometheus's.
        """
        with response:
            if response.is_redirect:
                _check_redirect(response)
                return _Substitute(response)
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                start = next(response.iter_content(CHUNK_BYTES), b"")
                raise _status_error(response, _parse(start))
            text = self._read(response)
        with _parsing:
            return _Substitute(response, self._convert(response, _parse(text)))

    def _read(self, response: requests.Response) -> bytes:
        text = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            text += chunk
            if len(text) > self.bounds.max_bytes:
                raise self._too_large(f"more than {self.bounds.max_bytes} bytes")
            if time.monotonic() > self.deadline:
                raise requests.exceptions.ReadTimeout("the response is incomplete")
        self._check_series(text.count(_SERIES))
        return bytes(text)

    def _convert(self, response: requests.Response, body: Mapping[str, Any]) -> Any:
        root = response.url.split("/api/v1/")[0]
        if response.status_code != HTTPStatus.OK or not _has_result(body):
            raise _not_prometheus(root)
        result = body["data"]["result"]
        self._check_series(len(result))
        if body.get("warnings"):
            warnings = "; ".join(str(warning) for warning in body["warnings"])
            raise UnavailableError(
                UnavailableReason.INCOMPLETE,
                f"Prometheus's response is incomplete ({warnings}): check its remote stores",
            )
        try:
            return self.convert(result)
        except _MALFORMED as error:
            raise _not_prometheus(root) from error

    def _check_series(self, series: int) -> None:
        if series > self.bounds.max_series:
            raise self._too_large(f"more than {self.bounds.max_series} series")

    def _too_large(self, size: str) -> UnavailableError:
        shown = self.query[:SHOWN_CHARACTERS]
        more = " …" if len(self.query) > SHOWN_CHARACTERS else ""
        return UnavailableError(
            UnavailableReason.REJECTED,
            f"the response to the query `{shown}{more}` has {size}: {self.bounds.cure}",
        )


class _Substitute(requests.Response):
    """A response without its content, as far as the library and `requests` need it."""

    def __init__(self, response: requests.Response, result: Any = None) -> None:
        super().__init__()
        self.status_code, self.headers = response.status_code, response.headers
        self.request, self.url, self.raw = response.request, response.url, response.raw
        self._content = b""
        self._result = result

    @override
    def json(self, **_: Any) -> Any:
        return {"data": {"result": self._result}}


def _parse(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or a number too long or lists too deep to read
        return {}
    return body if isinstance(body, dict) else {}


def _check_redirect(response: requests.Response) -> None:
    """Reject a redirect to another host or to HTTP: it would disclose the credentials."""
    requested = urlsplit(response.url)
    try:
        target = urlsplit(urljoin(response.url, response.headers["Location"]))
    except ValueError as error:
        raise UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus redirects to an invalid address ({error}): set the final address in"
            f" {URL_SETTING}",
        ) from error
    if target.hostname != requested.hostname or (requested.scheme, target.scheme) == (
        "https",
        "http",
    ):
        raise UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus redirects to {target.scheme}://{target.hostname}: set the final"
            f" address in {URL_SETTING}",
        )


def _status_error(response: requests.Response, body: Mapping[str, Any]) -> UnavailableError:
    status = response.status_code
    detail = body.get("error") or response.reason
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return UnavailableError(
            UnavailableReason.REJECTED,
            f"Prometheus denied access (HTTP {status}, {detail}): give the operator valid"
            f" credentials in {FILES}",
        )
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return UnavailableError(
            UnavailableReason.UNREACHABLE,
            f"Prometheus is unavailable (HTTP {status}, {detail})",
        )
    return UnavailableError(
        UnavailableReason.REJECTED,
        f"Prometheus rejected the query (HTTP {status}, {detail}): check that {URL_SETTING} is"
        " the server's root address, and check its query limits",
    )


def _not_prometheus(url: str) -> UnavailableError:
    return UnavailableError(
        UnavailableReason.REJECTED, f"{url} is not a Prometheus API: check {URL_SETTING}"
    )


def _has_result(body: Mapping[str, Any]) -> bool:
    data = body.get("data")
    return isinstance(data, dict) and isinstance(data.get("result"), list)
