"""Servers that are slow, busy, broken or hostile."""

import hashlib
from pathlib import Path

import pytest

from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.patience import Patience
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import IMPATIENT, OVERHEAD, TRUSTED, Site, published

SECRET = "s3cr3t-token-value"
WITH_TOKEN = Credentials(token=SECRET, ca=TRUSTED.ca)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n"
QUICK = Patience(first_delay_seconds=0.001)


COMPLETE = {
    "chunks": CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "chunks without the last line": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nDigest: x\r\n\r\n",
    "more than announced": OK + b"Content-Length: 5\r\n\r\nhello, and more",
}


@pytest.mark.parametrize("name", COMPLETE)
def test_what_shows_its_end_is_published(site: Site, to: Path, name: str) -> None:
    """A length, or chunks that end properly, prove that nothing is missing."""
    site.raw["/model.onnx"] = [COMPLETE[name]]
    fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED)
    assert published(to) == {"1/model.onnx": b"hello"}


INCOMPLETE = {
    "no length": (OK + b"\r\nhel", "set spec.model.sha256"),
    "a length": (OK + b"Content-Length: 5\r\n\r\nhel", "2 bytes before the end"),
    "a chunk": (CHUNKED + b"5\r\nhel", "closed before the end"),
    "the size of a chunk": (CHUNKED + b"03\r\nhel\r\n0", "closed before the end"),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", "closed before the end"),
    "nothing": (OK + b"Content-Length: 0\r\n\r\n", "empty"),
    "a part": (
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\nhel",
        "responded with 206",
    ),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "responded with 204"),
}


@pytest.mark.parametrize("name", INCOMPLETE)
def test_what_is_cut_is_not_published(site: Site, to: Path, name: str) -> None:
    """What could be a part of the file is rejected."""
    answer, says = INCOMPLETE[name]
    site.raw["/model.onnx"] = [answer]
    with pytest.raises(FetchError, match=says):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=IMPATIENT)
    assert list(to.parent.iterdir()) == []


def test_a_digest_replaces_the_length(site: Site, to: Path) -> None:
    """If the digest is verified, the response need not have a length."""
    site.raw["/model.onnx"] = [OK + b"\r\nhello"]
    digest = hashlib.sha256(b"hello").hexdigest()
    assert fetch(f"{site.url}/model.onnx", to, sha256=digest, credentials=TRUSTED) == digest
    with pytest.raises(FetchError, match="but that of the revision is 0000"):
        fetch(f"{site.url}/model.onnx", to, sha256="0" * 64, credentials=TRUSTED)


SLOW = {
    "a status": b"",
    "a header": OK + b"X: ",
    "a body": OK + b"Content-Length: 9999999\r\n\r\n",
    "the size of a chunk": CHUNKED + b"1;",
    "a chunk": CHUNKED + b"ffffff\r\n",
    "a trailer": CHUNKED + b"1\r\nx\r\n0\r\nX: ",
}


@pytest.mark.parametrize("name", SLOW)
def test_a_download_has_a_deadline(site: Site, to: Path, name: str) -> None:
    """A server that sends a byte now and then cannot keep the fetcher busy."""
    site.slow["/model.onnx"] = SLOW[name]
    with pytest.raises(TransientFetchError, match=r"within spec\.model\.fetchTimeoutSeconds"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, timeout_seconds=0.5)


@pytest.mark.parametrize("name", ["a body", "the size of a chunk", "a chunk", "a trailer"])
def test_a_download_has_a_minimum_rate(site: Site, to: Path, name: str) -> None:
    """A body that arrives too slowly ends the attempt before the deadline."""
    site.slow["/model.onnx"] = SLOW[name]
    patience = Patience(window_seconds=0.1, window_bytes=1000, retry_seconds=0)
    with pytest.raises(TransientFetchError, match="the server is too slow: it sent"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=patience)


def test_a_server_must_not_be_silent(site: Site, to: Path) -> None:
    """A server that sends nothing for a while ends the attempt."""
    site.slow["/model.onnx"] = SLOW["a body"]
    patience = Patience(silence_seconds=0.005, retry_seconds=0)
    with pytest.raises(TransientFetchError, match=r"the server sent nothing for 0\.005 s"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=patience)


FAILURES = {
    "busy": BUSY,
    "a date to come back": b"HTTP/1.1 429 X\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n",
    "closed": b"",
    "a cut status line": b"HTTP/1.1 2",
    "a head without its length": OK,
    "a cut length": OK + b"Content-Length: 0",
    "a cut body": OK + b"Content-Length: 5\r\n\r\nhel",
    "a cut chunk": CHUNKED + b"5\r\nhel",
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_that_pass_are_waited_for(
    site: Site, to: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The file is fetched as soon as the server sends it, and the log shows why it took long."""
    failure, success = FAILURES[name], OK + b"Content-Length: 5\r\n\r\nhello"
    site.raw["/model.onnx"] = [failure, failure, success]
    fetch(
        f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=QUICK, max_bytes=5 + OVERHEAD
    )
    assert published(to) == {"1/model.onnx": b"hello"}
    assert len(site.seen) == 3
    assert capsys.readouterr().err.count("next attempt in 0 s") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_failures_that_stay_are_not_waited_for(site: Site, to: Path, status: int) -> None:
    """A request that fails for good is sent once."""
    site.raw["/model.onnx"] = [b"HTTP/1.1 %d X\r\n\r\n" % status]
    with pytest.raises(FetchError, match=f"responded with {status}") as failure:
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=QUICK)
    assert not isinstance(failure.value, TransientFetchError)
    assert len(site.seen) == 1


def test_a_busy_server_is_waited_for_only_for_a_while(site: Site, to: Path) -> None:
    """After that time the failure is reported as one that may pass."""
    site.raw["/model.onnx"] = [BUSY]
    patience = Patience(retry_seconds=0.01, first_delay_seconds=0.005)
    with pytest.raises(TransientFetchError, match="503 Service Unavailable"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=patience)
    assert len(site.seen) == 3


def test_a_server_that_is_away(to: Path) -> None:
    """A refused connection may pass."""
    with pytest.raises(TransientFetchError, match="Connection refused"):
        fetch("https://127.0.0.1:1/model.onnx", to, patience=IMPATIENT)


CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
OF_CHUNKS = b"Content-Length: %d\r\n" % len(CHUNKS)
AMBIGUOUS = {
    "two lengths": (OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n", b"hello"),
    "a length with an underscore": (OK + b"Content-Length: 0_3\r\n\r\n", b"hello"),
    "a length with a sign": (OK + b"Content-Length: +3\r\n\r\n", b"hello"),
    "an encoding after a line that is no header": (
        OK + b"Content-Length: 5\r\nproxy\r\nContent-Encoding: gzip\r\n\r\n",
        b"hello",
    ),
    "an encoding with a space before the colon": (
        OK + b"Content-Length: 5\r\nContent-Encoding : gzip\r\n\r\n",
        b"hello",
    ),
    "chunks and a length, with a space": (
        OK + OF_CHUNKS + b"Transfer-Encoding: chunked \r\n\r\n",
        CHUNKS,
    ),
    "chunks and a length, in a folded line": (
        OK + OF_CHUNKS + b"Transfer-Encoding:\r\n chunked\r\n\r\n",
        CHUNKS,
    ),
    "chunks of chunks and a length": (
        OK + OF_CHUNKS + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
        CHUNKS,
    ),
    "chunks of chunks in two lines": (
        OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n",
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(CHUNKS), CHUNKS),
    ),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_ambiguous_responses_are_not_published(site: Site, to: Path, name: str) -> None:
    """No bytes are published that only some programs take for the file.

    Given a response whose head the HTTP library reads in another way than other programs,
    when the file is fetched without an expected digest,
    then the fetch fails for good.
    """
    site.raw["/model.onnx"] = [b"".join(AMBIGUOUS[name])]
    with pytest.raises(FetchError, match=r"not valid HTTP|the server encodes") as failure:
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=QUICK)
    assert not isinstance(failure.value, TransientFetchError)
    assert list(to.parent.iterdir()) == []


def test_the_same_length_twice_is_accepted(site: Site, to: Path) -> None:
    """Given a proxy that repeats the length, the response is not ambiguous."""
    site.raw["/model.onnx"] = [OK + b"Content-Length: 5\r\n" * 2 + b"\r\nhello"]
    fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED)
    assert published(to) == {"1/model.onnx": b"hello"}


MIB = 1 << 20
ENDLESS = {
    "a chunk of a negative size": CHUNKED + b"-1\r\n" + bytes(4 * MIB),
    "a trailer": CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * MIB,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_no_part_of_the_file_is_limited(site: Site, to: Path, name: str) -> None:
    """A server can neither fill the memory nor send without end.

    Given a response with more and more bytes that do not belong to the file,
    when the file is fetched,
    then the fetch fails before all of them have arrived.
    """
    site.raw["/model.onnx"] = [ENDLESS[name]]
    with pytest.raises(FetchError, match=r"1 MiB\) that are no part of the file"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=IMPATIENT)


def test_the_smallest_chunks_are_accepted(site: Site, to: Path) -> None:
    """Given chunks of one byte each, nearly all that arrives is no part of the file."""
    size = MIB // 2
    site.raw["/model.onnx"] = [CHUNKED + b"1\r\nx\r\n" * size + b"0\r\n\r\n"]
    fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED)
    assert published(to) == {"1/model.onnx": b"x" * size}


REPEATED = SECRET.encode()
REPEATING = {
    "a reason": b"HTTP/1.1 401 " + REPEATED + b"\r\n\r\n",
    "a reason with control characters": b"HTTP/1.1 401 \x1b[31m" + REPEATED + b"\r\n\r\n",
    "a status that does not exist": b"HTTP/1.1 799 " + REPEATED + b"\r\n\r\n",
    "a status line": REPEATED + b"\r\n\r\n",
    "a long status line": REPEATED * 9999 + b"\r\n\r\n",
    "a version": b"HTTP/" + REPEATED + b" 200 OK\r\n\r\n",
    "a redirect out of TLS": b"HTTP/1.1 302 X\r\nLocation: http://x/" + REPEATED + b"\r\n\r\n",
    "a redirect elsewhere": b"HTTP/1.1 302 X\r\nLocation: data:" + REPEATED + b"\r\n\r\n",
    "a redirect without a port": (
        b"HTTP/1.1 302 X\r\nLocation: https://x:" + REPEATED + b"/m\r\n\r\n"
    ),
    "a redirect without a host": b"HTTP/1.1 302 X\r\nLocation: https://[" + REPEATED + b"\r\n\r\n",
    "a redirect without an address": b"HTTP/1.1 302 " + REPEATED + b"\r\n\r\n",
    "a redirect in a circle": b"HTTP/1.1 302 " + REPEATED + b"\r\nLocation: /model.onnx\r\n\r\n",
    "the size of a chunk": CHUNKED + REPEATED + b"\r\n\r\n",
    "a length": OK + b"Content-Length: " + REPEATED + b"\r\n\r\n",
    "many headers": OK + (b"X: " + REPEATED + b"\r\n") * 200 + b"\r\n",
}


@pytest.mark.parametrize("name", REPEATING)
def test_a_server_cannot_repeat_the_credentials(site: Site, to: Path, name: str) -> None:
    """No text of the server becomes part of a message, which others may read."""
    site.raw["/model.onnx"] = [REPEATING[name]]
    with pytest.raises(FetchError) as failure:
        fetch(f"{site.url}/model.onnx", to, credentials=WITH_TOKEN, patience=IMPATIENT)
    assert SECRET not in str(failure.value)
    assert str(failure.value).isprintable()
    assert site.seen[0] == ("/model.onnx", f"Bearer {SECRET}")


def test_the_body_of_a_redirect_is_not_read(site: Site, elsewhere: Site, to: Path) -> None:
    """A server cannot fill the memory with what nobody needs."""
    elsewhere.files["/model.onnx"] = b"x"
    location = b"Location: %s/model.onnx\r\n\r\n" % elsewhere.url.encode()
    site.slow["/model.onnx"] = b"HTTP/1.1 302 Found\r\n" + location
    fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, timeout_seconds=30)
    assert published(to) == {"1/model.onnx": b"x"}


ADDRESSES = {
    "https://127.0.0.1:port/model.onnx?s3cr3t": "no valid host and port",
    "https://127.0.0.1:99999/model.onnx?s3cr3t": "no valid host and port",
    "https://[::1/model.onnx?s3cr3t": "no valid host and port",
    "https://127.0.0.1:1/my model.onnx?s3cr3t": "percent-encode it",
    "https://127.0.0 .1:1/model.onnx?s3cr3t": "percent-encode it",
    "https://127.0.0.1:1/größe.onnx?s3cr3t": "percent-encode it",
    "https://127.0.0.1:1/model.onnx?s3cr3t\n": "percent-encode it",
    "https://127.0.0.1:1/a/..?s3cr3t": "outside its folder",
    "https://127.0.0.1:1/a%00.onnx?s3cr3t": "control characters",
    "https://127.0.0.1:1/a%0A.onnx?s3cr3t": "control characters",
    "https://127.0.0.1:1/m.tar.zst?s3cr3t": "not supported",
    "https://127.0.0.1:1/m.7z?s3cr3t": "not supported",
    "https://127.0.0.1:1/?s3cr3t": "file name",
    "ftp://127.0.0.1:1/model.onnx?s3cr3t": "not an https:// address",
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_that_cannot_be_requested(to: Path, address: str) -> None:
    """The error names what is wrong, without the query, which may contain a signature."""
    with pytest.raises(FetchError, match=ADDRESSES[address]) as failure:
        fetch(address, to, patience=IMPATIENT)
    assert "s3cr3t" not in str(failure.value)
    assert str(failure.value).isprintable()
