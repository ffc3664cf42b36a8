"""Download one file over HTTPS."""

import base64
import http.client
import ssl
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from halimede.adapters.errors import FetchError
from halimede.fetch.credentials import Credentials
from halimede.fetch.limits import CHUNK, Budget

SILENCE_SECONDS = 60.0
"""How long the server may send nothing before the download fails."""


def download(url: str, folder: Path, credentials: Credentials, budget: Budget) -> Path:
    """Download *url* into *folder*, under the last part of its path; return the file.

    Raises:
        FetchError: The server could not be reached, was not trusted, or returned an error.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name:
        raise FetchError(f"{_redact(url)} does not end in a file name")
    target = folder / name
    request = urllib.request.Request(_https(url))  # noqa: S310  (`_https` lets nothing else pass)
    if authorization := _authorization(credentials):
        # Unredirected: the credentials are not sent to the target of a redirect.
        request.add_unredirected_header("Authorization", authorization)
    try:
        context = ssl.create_default_context()
        if credentials.ca:
            context.load_verify_locations(cadata=credentials.ca)
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=context), _HttpsOnly()
        )
        with opener.open(request, timeout=SILENCE_SECONDS) as answer, target.open("xb") as file:
            _copy(answer, file, budget)
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"{_redact(url)}: {_describe_error(error)}") from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{_redact(url)} cannot be fetched: {error}") from error
    return target


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but only to HTTPS."""

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
        return super().redirect_request(req, fp, code, msg, headers, _https(newurl))


def _https(url: str) -> str:
    if urlsplit(url).scheme != "https":
        raise FetchError(f"{_redact(url)} is not an https:// address: only https:// is supported")
    return url


def _copy(answer: http.client.HTTPResponse, file: IO[bytes], budget: Budget) -> None:
    while chunk := answer.read(CHUNK):
        budget.spend(len(chunk))
        file.write(chunk)
    # `read` in chunks does not raise IncompleteRead; a cut connection looks like the end.
    if answer.length:
        raise OSError(f"the connection closed {answer.length} bytes before the end")


def _authorization(credentials: Credentials) -> str | None:
    if credentials.token:
        return f"Bearer {credentials.token}"
    if credentials.username and credentials.password:
        pair = f"{credentials.username}:{credentials.password}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return None


def _describe_error(error: urllib.error.HTTPError) -> str:
    answer = f"the server responded with {error.code} {error.reason}"
    if error.code in {401, 403}:
        return f"{answer}; check the credentials in the Secret named by spec.model.secretName"
    if error.code in {404, 410}:
        return f"{answer}; check spec.model.storageUri"
    return answer


def _redact(url: str) -> str:
    """Remove the query, which may contain a signature, and any credentials."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
