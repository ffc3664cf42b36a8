"""One attempt to read a file, or the rest of it, over HTTPS.

No text that the server chose becomes part of a message: it might repeat the credentials.
"""

import base64
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import urlsplit

from typing_extensions import override

from halimede_fetch import response
from halimede_fetch.address import file_name, redact
from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.limits import CHUNK
from halimede_fetch.response import Part, Span, Version
from halimede_fetch.timed_socket import Pace, timed_context

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""
_AUTHORIZATION = "Authorization"
_REDIRECTS = range(300, 400)
_DELAY = re.compile(r"[0-9]{1,5}")
"""A delay in seconds; a number with more digits is none."""
_RESET = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,5})(?![0-9])")
"""What is left of a rate limit, nothing, and the seconds until it is reset, in `RateLimit`
(draft-ietf-httpapi-ratelimit-headers)."""


def _say_nothing(_: int, __: Mapping[str, str]) -> None:
    """Explain no status."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is special about a kind of server."""

    explain: Callable[[int, Mapping[str, str]], str | None] = _say_nothing
    """Returns what a status of the server itself means and what to do, from the status and the
    headers by their names in lower case; None: the usual."""
    keeps_credentials: bool = False
    """Whether the credentials are sent again if the server redirects to itself."""


ANY_KIND = Kind()
"""Nothing is known about the server."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response that was checked."""

    answer: http.client.HTTPResponse
    span: Span
    version: Version | None
    """What the rest can be requested of if the connection is cut; None: it cannot."""
    url: str
    pace: Pace
    kind: Kind = ANY_KIND

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the span.

        Raises:
            FetchError: They are not valid HTTP, too slow, or do not reach the end of the file.
        """
        position, stop = self.span.start, self.span.stop
        self.pace.start()
        while stop is None or position < stop:
            with _described(self.url, self.pace, self.kind):
                chunk = self.answer.read(CHUNK if stop is None else min(CHUNK, stop - position))
            if not chunk:
                break
            position += len(chunk)
            self.pace.progress()
            yield chunk
        if self.span.size is not None and position < self.span.size:
            raise TransientFetchError(
                f"{redact(self.url)}: the response ended {self.span.size - position} bytes before"
                " the end of the file"
            )
        if stop is None and self.answer.chunked and self.pace.last != ord("\n"):
            # `http.client` takes a size such as 00ff that is cut after 00 for that of the end.
            raise _closed(self.url)


@contextmanager
def send(
    url: str,
    credentials: Credentials,
    pace: Pace,
    part: Part | None,
    *,
    verified: bool,
    kind: Kind = ANY_KIND,
) -> Iterator[Body]:
    """Request *url*, and yield the body of the response during a with block.

    Args:
        url: An `https://` address, as `address.file_name` accepts it.
        credentials: Sent to this host only, not to the target of a redirect, except one to the
            same host if *kind* says so.
        pace: Limits the time.
        part: What has been written; only the rest is requested. The body has the whole file if
            the server does not send the rest of the same version.
        verified: Whether the digest of the content will be verified. Without it, the response must
            show its end, because a connection that is cut looks like one that ends, and the rest
            must come from the same address.
        kind: What is special about the server.

    Raises:
        FetchError: The server was not trusted, or returned an error or an incomplete response.
    """
    where = redact(url)
    opening = partial(_open, url, credentials, pace, kind)
    with _described(url, pace, kind):
        answer, part = _ask(opening, part, verified=verified)
    with answer:
        if pace.ended:  # `http.client` takes what arrived of the head for all of it
            raise _closed(url)
        version: Version | None
        if part is not None and answer.status == HTTPStatus.PARTIAL_CONTENT:
            span, version = response.rest(answer, where, part), part.version
        elif answer.status == HTTPStatus.OK:
            span = response.whole(answer, where, verified=verified)
            version = response.version_of(answer)
        else:
            raise FetchError(f"{where}: {_describe_status(answer.status)}")
        response.check_end(answer, where)
        response.check_encoding(answer, where, file_name(url))
        yield Body(answer, span, version, url, pace, kind)


def _ask(
    opening: Callable[[Mapping[str, str]], http.client.HTTPResponse],
    part: Part | None,
    *,
    verified: bool,
) -> tuple[http.client.HTTPResponse, Part | None]:
    """Return the response to a request with headers, and the part whose rest was requested.

    If the server cannot continue the part, the whole file is requested.
    """
    if part is None:
        return opening({}), None
    try:
        answer = opening(part.headers())
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
    else:
        moved = answer.url != part.version.address
        if verified or not moved or answer.status != HTTPStatus.PARTIAL_CONTENT:
            return answer, part
        answer.close()
    return opening({}), None


def _open(
    url: str, credentials: Credentials, pace: Pace, kind: Kind, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    request = urllib.request.Request(  # noqa: S310  (`address` lets only https:// pass)
        url, headers={"Accept-Encoding": "identity", **headers}
    )
    if authorization := _authorization(credentials):
        # Unredirected: urllib would send the credentials to the target of any redirect.
        request.add_unredirected_header(_AUTHORIZATION, authorization)
    try:
        context = timed_context(credentials.ca, pace)
    except (OSError, TypeError, ValueError):  # TypeError: not ASCII
        raise FetchError(
            "the key ca.crt of the Secret named by spec.model.secretName contains no valid"
            " certificates: store them in PEM format"
        ) from None
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context),
        _Redirects(url, keeps_credentials=kind.keeps_credentials),
    )
    answer: http.client.HTTPResponse = opener.open(request, timeout=pace.timeout())
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but only to HTTPS."""

    def __init__(self, url: str, *, keeps_credentials: bool) -> None:
        self._url = url
        self._keeps_credentials = keeps_credentials

    @override
    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        fp.close()  # unread: urllib would read the whole body into memory
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    @override
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            raise FetchError(
                f"{redact(self._url)} redirects to an address that is not https:// (only https://"
                " is supported): correct spec.model.storageUri, or the server"
            )
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        # Not sent again after a detour over another host, which would choose the address.
        authorization = req.unredirected_hdrs.get(_AUTHORIZATION)
        if new and authorization and self._keeps_credentials and _same(newurl, self._url):
            new.add_unredirected_header(_AUTHORIZATION, authorization)
        return new


def _same(one: str, other: str) -> bool:
    """Whether two `https://` addresses are of the same host and port."""
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str | None, int]:
    parts = urlsplit(url)
    return parts.hostname, parts.port or http.client.HTTPS_PORT


def _authorization(credentials: Credentials) -> str | None:
    if credentials.token:
        return f"Bearer {credentials.token}"
    if credentials.username and credentials.password:
        pair = f"{credentials.username}:{credentials.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return None


@contextmanager
def _described(url: str, pace: Pace, kind: Kind) -> Iterator[None]:
    """Replace the errors of the libraries by our own."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        own = _same(error.url, url)
        headers = {name.lower(): value for name, value in error.headers.items()}
        explained = kind.explain(error.code, headers) if own else None
        message = explained or f"{redact(url)}: {_describe_status(error.code)}"
        if error.code in BUSY:
            raise TransientFetchError(message, _retry_after(error)) from None
        raise FetchError(message) from None
    except OSError as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, TimeoutError):
            pace.timeout()  # raises if it is the time of the whole fetch that is over
        message = f"{redact(url)} cannot be fetched: {_describe_error(cause, pace)}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise FetchError(
                f"{message}; correct spec.model.storageUri, or add the server's CA as the key"
                " ca.crt to the Secret named by spec.model.secretName"
            ) from None
        raise TransientFetchError(message) from None
    except http.client.IncompleteRead:
        raise _closed(url) from None
    except (http.client.HTTPException, ValueError) as error:
        if pace.ended:
            raise _closed(url) from None
        raise FetchError(
            f"{redact(url)} cannot be fetched: the server's response is not valid HTTP"
            f" ({type(error).__name__}); check spec.model.storageUri"
        ) from None


def _closed(url: str) -> TransientFetchError:
    """Return the error of a response that was cut."""
    return TransientFetchError(
        f"{redact(url)} cannot be fetched: the connection closed before the end"
    )


def _describe_error(cause: BaseException | str, pace: Pace) -> str:
    if isinstance(cause, TimeoutError):
        return f"the server sent nothing for {pace.patience.silence_seconds:g} s"
    if isinstance(cause, http.client.RemoteDisconnected):
        return "the server closed the connection without a response"
    if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
        return cause.strerror
    return str(cause)


def _describe_status(code: int) -> str:
    phrase = f" {HTTPStatus(code).phrase}" if code in set(HTTPStatus) else ""
    answer = f"the server responded with {code}{phrase}"
    if code in {401, 403}:
        return f"{answer}; check the credentials in the Secret named by spec.model.secretName"
    if code in _REDIRECTS:
        answer = f"{answer}, which leads in a circle or nowhere"
    return answer if code in BUSY else f"{answer}; check spec.model.storageUri"


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    """Return the delay that the server asks for in seconds; dates are not supported."""
    delay = error.headers.get("Retry-After", "").strip()
    if _DELAY.fullmatch(delay):
        return float(delay)
    reset = _RESET.search(error.headers.get("RateLimit", ""))
    return float(reset[1]) if reset else None
