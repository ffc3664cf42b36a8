"""Downloads that are cut: only the rest is fetched, and never the rest of another file."""

import gzip
import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.patience import Patience, Waiting
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import OVERHEAD, TRUSTED, Site, published
from tests.unit.fetch.resource import STRONG, Resource, Turn

CONTENT = b"abcdefghijklmnopqrstuvwxyz"
SIZE = len(CONTENT)
OTHER = CONTENT.upper()
PATH = "/model.onnx"
QUICK = Patience(first_delay_seconds=0.001)
SECRET = "s3cr3t-token-value"
WITH_TOKEN = Credentials(token=SECRET, ca=TRUSTED.ca)


CUTS = {
    "before the first byte": ([0], [None, None]),
    "after the first byte": ([1], [None, "bytes=1-"]),
    "in the middle": ([13], [None, "bytes=13-"]),
    "before the last byte": ([25], [None, "bytes=25-"]),
    "twice before the first byte": ([0, 0], [None, None, None]),
    "twice": ([10, 6], [None, "bytes=10-", "bytes=16-"]),
    "twice at the same byte": ([10, 0], [None, "bytes=10-", "bytes=10-"]),
    "at each byte": ([1] * 25, [None, *(f"bytes={n}-" for n in range(1, SIZE))]),
}


@pytest.mark.parametrize("name", CUTS)
def test_only_the_rest_is_fetched(
    site: Site, to: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A cut download continues.

    Given a server that supports ranges and closes connections early,
    when the file is fetched without an expected digest,
    then each byte is written once, on the condition that the version is still the same.
    """
    cuts, ranges = CUTS[name]
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=cut) for cut in cuts])
    patience = Patience(first_delay_seconds=0.001, progress_bytes=1)
    limit = SIZE + OVERHEAD
    found = fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=patience, max_bytes=limit)
    assert found == hashlib.sha256(CONTENT).hexdigest()
    assert published(to) == {"1/model.onnx": CONTENT}
    assert site.asked("Range") == ranges
    assert site.asked("If-Range") == [STRONG if start else None for start in ranges]
    starts = re.findall(r"next attempt in 0 s, from byte (\d+) on", capsys.readouterr().err)
    assert starts == [start[6:-1] for start in ranges if start]


INTERRUPTIONS = {
    "the server is busy": [Turn(status=503), Turn(status=429)],
    "the server sends less than the rest": [Turn(shorter=5)],
    "the rest has no length": [Turn(length=False)],
    "the rest has no ETag": [Turn(part_etag="")],
    "the rest has no ETag and is cut": [Turn(part_etag="", cut=3)],
}


@pytest.mark.parametrize("name", INTERRUPTIONS)
def test_what_was_written_is_kept_for_later_attempts(site: Site, to: Path, name: str) -> None:
    """A failure between two parts costs no part.

    Given a download that was cut,
    when the next responses are no complete rest, but do not contradict it either,
    then the download continues until the size is reached that was stated first.
    """
    turns = [Turn(cut=10), *INTERRUPTIONS[name]]
    site.resources[PATH] = Resource(CONTENT, turns=turns)
    fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=QUICK, max_bytes=SIZE + OVERHEAD)
    assert published(to) == {"1/model.onnx": CONTENT}
    assert all(start not in {None, "bytes=0-"} for start in site.asked("Range")[1:])


BEGUN_AGAIN = {
    "the content changed": (
        [Turn(cut=10), Turn(content=OTHER, etag='"v2"')],
        OTHER,
        [None, "bytes=10-"],
    ),
    "the content changed and is cut": (
        [Turn(cut=10), Turn(content=OTHER, etag='"v2"', cut=5)],
        OTHER,
        [None, "bytes=10-", "bytes=5-"],
    ),
    "the content changed and is shorter": (
        [Turn(cut=10), Turn(content=b"short", etag='"v2"')],
        b"short",
        [None, "bytes=10-"],
    ),
    "only the ETag changed": ([Turn(cut=10), Turn(etag='"v2"')], CONTENT, [None, "bytes=10-"]),
    "the ETag became weak": (
        [Turn(cut=10), Turn(content=OTHER, etag='W/"v1"')],
        OTHER,
        [None, "bytes=10-"],
    ),
    "ranges are ignored": (
        [Turn(cut=10), Turn(ignores_range=True)],
        CONTENT,
        [None, "bytes=10-"],
    ),
    "ranges are ignored, and the response is cut": (
        [Turn(cut=10), Turn(ignores_range=True, cut=5)],
        CONTENT,
        [None, "bytes=10-", "bytes=5-"],
    ),
    "416": ([Turn(cut=10), Turn(status=416)], CONTENT, [None, "bytes=10-", None]),
    "416, and the content changed": (
        [Turn(cut=10), Turn(status=416), Turn(content=OTHER, etag='"v2"', cut=5)],
        OTHER,
        [None, "bytes=10-", None, "bytes=5-"],
    ),
    "no length": (
        [Turn(cut=10, length=False, headers=("Transfer-Encoding: chunked",))],
        CONTENT,
        [None, None],
    ),
    "two ETags": ([Turn(cut=10, headers=('ETag: "v3"',))], CONTENT, [None, None]),
}


@pytest.mark.parametrize("name", BEGUN_AGAIN)
def test_the_file_is_fetched_from_its_beginning(site: Site, to: Path, name: str) -> None:
    """What was written is deleted if its rest cannot be had.

    Given a download that was cut,
    when the server does not continue the same version,
    then the whole file is fetched, and what was deleted does not count against the size.
    """
    turns, content, ranges = BEGUN_AGAIN[name]
    site.resources[PATH] = Resource(CONTENT, turns=list(turns))
    found = fetch(
        f"{site.url}{PATH}", to, credentials=TRUSTED, patience=QUICK, max_bytes=SIZE + OVERHEAD
    )
    assert found == hashlib.sha256(content).hexdigest()
    assert published(to) == {"1/model.onnx": content}
    assert site.asked("Range") == ranges


NO_VALIDATORS = [None, 'W/"v1"', "v1", '"v1', '"v"1"', '"v\xe9"', '"v 1"']


@pytest.mark.parametrize("etag", NO_VALIDATORS)
def test_without_a_strong_etag_the_file_is_fetched_from_its_beginning(
    site: Site, to: Path, etag: str | None
) -> None:
    """Only a strong ETag shows that the bytes are the same.

    Given a server that supports ranges but sends no strong ETag, only a date,
    when a download is cut,
    then the whole file is requested again.
    """
    date = "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT"
    site.resources[PATH] = Resource(CONTENT, etag, [Turn(cut=10, headers=(date,))])
    fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=QUICK, max_bytes=SIZE + OVERHEAD)
    assert published(to) == {"1/model.onnx": CONTENT}
    assert site.asked("Range") == [None, None]


CONTRADICTIONS = {
    "an earlier start": Turn(content_range="bytes 9-25/26"),
    "a later start": Turn(content_range="bytes 11-25/26"),
    "the beginning": Turn(content_range="bytes 0-25/26"),
    "a larger size": Turn(content_range="bytes 10-25/27"),
    "a smaller size": Turn(content_range="bytes 10-24/25"),
    "bytes before the start": Turn(earlier=1),
    "another version": Turn(content=OTHER, etag='"v2"', ignores_condition=True),
    "another version without an ETag": Turn(
        content=OTHER[:-1], etag='"v2"', part_etag="", ignores_condition=True
    ),
    "no size": Turn(content_range="bytes 10-25/*"),
    "an end after the end of the file": Turn(content_range="bytes 10-26/26", length=False),
    "an end before the start": Turn(content_range="bytes 10-9/26", length=False),
    "no Content-Range": Turn(content_range=""),
    "two ranges": Turn(headers=("Content-Range: bytes 0-15/26",)),
    "another unit": Turn(content_range="items 10-25/26"),
    "no numbers": Turn(content_range=f"bytes {SECRET}"),
    "long numbers": Turn(content_range=f"bytes 10-{'9' * 9999}/26"),
    "another length than its range": Turn(content_range="bytes 10-20/26"),
    "another ETag": Turn(part_etag='"v2"'),
    "a weak ETag": Turn(part_etag='W/"v1"'),
    "two ETags": Turn(headers=('ETag: "v2"',)),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_the_rest_of_another_file_is_an_error(site: Site, to: Path, name: str) -> None:
    """A file is never put together from two.

    Given a download that was cut,
    when the server responds with 206 and other bytes than those that were requested,
    then the fetch fails for good and nothing is published.
    """
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=10), CONTRADICTIONS[name]])
    with pytest.raises(
        FetchError, match=r"206 Partial Content, but not with .* from 10 on"
    ) as failure:
        fetch(f"{site.url}{PATH}", to, credentials=WITH_TOKEN, patience=QUICK)
    assert not isinstance(failure.value, TransientFetchError)
    assert SECRET not in str(failure.value)
    assert str(failure.value).isprintable()
    assert len(site.seen) == 2
    assert list(to.parent.iterdir()) == []


def test_a_part_that_was_not_requested_is_an_error(site: Site, to: Path) -> None:
    """A 206 is accepted only in response to a range.

    Given a server whose address changes and that responds with the rest in any case,
    when the whole file is requested again,
    then the rest is not taken for it.
    """
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=10), Turn(redirect="/moved.onnx")])
    rest = b"HTTP/1.1 206 X\r\nContent-Range: bytes 10-25/26\r\nContent-Length: 16\r\n\r\n"
    site.raw["/moved.onnx"] = [rest + OTHER[10:]]
    site.resources[PATH].turns.append(Turn(redirect="/moved.onnx"))
    with pytest.raises(FetchError, match=r"responded with 206 Partial Content; check"):
        fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=QUICK)
    assert site.asked("Range") == [None, "bytes=10-", "bytes=10-", None, None]


@pytest.mark.parametrize("content", [CONTENT, OTHER])
def test_an_unverified_file_is_not_continued_at_another_address(
    site: Site, elsewhere: Site, to: Path, content: bytes
) -> None:
    """The same ETag at another address can stand for other bytes.

    Given a download that was cut and a server that redirects the next request to another host,
    when that host has a file of the same size with the same ETag,
    then the whole file is fetched from there, and the host never gets the credentials.
    """
    moved = Turn(redirect=f"{elsewhere.url}/other.onnx")
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=10), moved, moved])
    elsewhere.resources["/other.onnx"] = Resource(content)
    fetch(
        f"{site.url}{PATH}",
        to,
        credentials=WITH_TOKEN,
        patience=QUICK,
        max_bytes=SIZE + OVERHEAD,
    )
    assert published(to) == {"1/model.onnx": content}
    assert elsewhere.asked("Range") == ["bytes=10-", None]
    assert site.asked("Authorization") == [f"Bearer {SECRET}"] * 3
    assert elsewhere.asked("Authorization") == [None] * 2


def test_a_verified_file_is_continued_at_another_address(
    site: Site, elsewhere: Site, to: Path
) -> None:
    """Signed addresses differ in each redirect.

    Given a server that redirects each request to another address, and a spec with sha256,
    when a download is cut,
    then only the rest is fetched, and the other host never gets the credentials.
    """
    turns = [Turn(redirect=f"{elsewhere.url}/{n}.onnx") for n in range(2)]
    site.resources[PATH] = Resource(CONTENT, turns=turns)
    elsewhere.resources["/0.onnx"] = Resource(CONTENT, turns=[Turn(cut=10)])
    elsewhere.resources["/1.onnx"] = Resource(CONTENT)
    expected = hashlib.sha256(CONTENT).hexdigest()
    fetch(f"{site.url}{PATH}", to, sha256=expected, credentials=WITH_TOKEN, patience=QUICK)
    assert published(to) == {"1/model.onnx": CONTENT}
    assert elsewhere.asked("Range") == [None, "bytes=10-"]
    assert elsewhere.asked("Authorization") == [None] * 2


def test_a_mixed_file_is_not_published_if_it_is_verified(
    site: Site, elsewhere: Site, to: Path
) -> None:
    """The digest finds what the ETag of another address does not.

    Given a spec with sha256 and a redirect to another file of the same size with the same ETag,
    when a download is cut,
    then the fetch fails and nothing is published.
    """
    moved = Turn(redirect=f"{elsewhere.url}/other.onnx")
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=10), moved])
    elsewhere.resources["/other.onnx"] = Resource(OTHER)
    expected = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(FetchError, match="the digest of the files is"):
        fetch(f"{site.url}{PATH}", to, sha256=expected, credentials=TRUSTED, patience=QUICK)
    assert list(to.parent.iterdir()) == []


ENCODED = {
    "gzip": ("Content-Encoding: gzip",),
    "another name of gzip": ("Content-Encoding: x-gzip",),
    "an unknown one": (f"Content-Encoding: {SECRET}",),
    "two": ("Content-Encoding: identity, br",),
    "two lines": ("Content-Encoding: identity", "Content-Encoding: gzip"),
    "gzip of the transfer": ("Transfer-Encoding: gzip",),
    "gzip and chunks": ("Transfer-Encoding: gzip, chunked",),
    "gzip and chunks in two lines": ("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
    "chunks and gzip in two lines": ("Transfer-Encoding: chunked", "Transfer-Encoding: gzip"),
}


@pytest.mark.parametrize("turns", [[], [Turn(cut=10)]], ids=["at first", "in the rest"])
@pytest.mark.parametrize("name", ENCODED)
def test_an_encoded_file_is_an_error(site: Site, to: Path, name: str, turns: list[Turn]) -> None:
    """Encoded bytes are not those of the file.

    Given a server that encodes responses although the request accepts only `identity`,
    when the file, or the rest of it, is fetched,
    then the fetch fails for good, and the message names the header and no text of the server.
    """
    site.resources[PATH] = Resource(CONTENT, turns=[*turns, Turn(headers=ENCODED[name])])
    says = rf"the server encodes the file \({ENCODED[name][0].partition(':')[0]}\)"
    with pytest.raises(FetchError, match=says) as failure:
        fetch(f"{site.url}{PATH}", to, credentials=WITH_TOKEN, patience=QUICK)
    assert not isinstance(failure.value, TransientFetchError)
    assert SECRET not in str(failure.value)
    assert site.asked("Accept-Encoding") == ["identity"] * (len(turns) + 1)
    assert list(to.parent.iterdir()) == []


@pytest.mark.parametrize("header", ["Content-Encoding: Identity", "Content-Encoding:"])
def test_a_file_without_an_encoding_is_accepted(site: Site, to: Path, header: str) -> None:
    """`identity` is what was requested.

    Given a server that states that it does not encode,
    when the file is fetched,
    then it is published.
    """
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(headers=(header,))])
    fetch(f"{site.url}{PATH}", to, credentials=TRUSTED)
    assert published(to) == {"1/model.onnx": CONTENT}


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip"])
def test_the_compression_of_an_archive_may_be_stated_as_its_encoding(
    site: Site, to: Path, encoding: str
) -> None:
    """Apache's `AddEncoding` does this for files such as `model.tar.gz`.

    Given a server that states the encoding gzip for such an archive, and sends it as it is,
    when the archive is fetched,
    then it is unpacked once.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as written:
        member = tarfile.TarInfo("model.onnx")
        member.size = len(CONTENT)
        written.addfile(member, io.BytesIO(CONTENT))
    turn = Turn(headers=(f"Content-Encoding: {encoding}",))
    site.resources["/model.tar.gz"] = Resource(archive.getvalue(), turns=[turn])
    fetch(f"{site.url}/model.tar.gz", to, credentials=TRUSTED)
    assert published(to) == {"1/model.onnx": CONTENT}


def test_an_archive_that_is_encoded_once_more_is_an_error(site: Site, to: Path) -> None:
    """Given a server that compresses a `.tar.gz` again, the fetch fails."""
    turn = Turn(headers=("Content-Encoding: gzip",))
    site.resources["/model.tar.gz"] = Resource(
        gzip.compress(gzip.compress(bytes(1024))), turns=[turn]
    )
    with pytest.raises(FetchError, match="cannot be unpacked"):
        fetch(f"{site.url}/model.tar.gz", to, credentials=TRUSTED)


TWICE = Patience(retry_seconds=0.002, first_delay_seconds=0.001, progress_bytes=10)
"""Allows two more attempts, unless there is progress."""


def test_a_server_that_cuts_often_is_waited_for_after_each_progress(site: Site, to: Path) -> None:
    """A cut after some megabytes is no reason to give up.

    Given a server that closes each connection after as many bytes as count as progress,
    when more attempts are needed than there is patience for without progress,
    then the file is fetched.
    """
    site.resources[PATH] = Resource(CONTENT * 10, turns=[Turn(cut=10)] * 25)
    fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=TWICE)
    assert published(to) == {"1/model.onnx": CONTENT * 10}
    assert len(site.seen) == 26


NO_PROGRESS = {
    "a few bytes in each attempt": (STRONG, [Turn(cut=3)] * 9),
    "nothing in each attempt": (STRONG, [Turn(cut=10)] + [Turn(cut=0)] * 9),
    "the same bytes in each attempt": ('W/"v1"', [Turn(cut=20)] * 9),
    "ranges are ignored": (STRONG, [Turn(cut=20, ignores_range=True)] * 9),
    "another version in each attempt": (
        STRONG,
        [Turn(cut=20, etag=f'"{version}"') for version in range(9)],
    ),
}


@pytest.mark.parametrize("name", NO_PROGRESS)
def test_a_server_without_progress_is_given_up(site: Site, to: Path, name: str) -> None:
    """Only a longer file is progress.

    Given a server that closes each connection before there is progress,
    when the patience is over,
    then the fetch fails with what may pass, and nothing is published.
    """
    etag, turns = NO_PROGRESS[name]
    site.resources[PATH] = Resource(CONTENT, etag, list(turns))
    with pytest.raises(TransientFetchError, match="bytes before the end of the file"):
        fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=TWICE)
    assert len(site.seen) == 3
    assert list(to.parent.iterdir()) == []


def test_progress_does_not_extend_the_deadline(site: Site, to: Path) -> None:
    """`spec.model.fetchTimeoutSeconds` limits all attempts together.

    Given a server with progress in each attempt,
    when the time of the fetch does not suffice for all of them,
    then the fetch fails with what may pass before the last one.
    """
    site.resources[PATH] = Resource(CONTENT, turns=[Turn(cut=1)] * 25)
    patience = Patience(first_delay_seconds=0.1, progress_bytes=1)
    with pytest.raises(TransientFetchError):
        fetch(
            f"{site.url}{PATH}",
            to,
            credentials=TRUSTED,
            patience=patience,
            timeout_seconds=0.5,
        )
    assert len(site.seen) < SIZE


def test_the_rest_has_a_minimum_rate(site: Site, to: Path) -> None:
    """The limits of an attempt hold for the rest as well.

    Given a server that sends a byte of the rest now and then,
    when the patience is over,
    then the fetch fails with what may pass.
    """
    turns = [Turn(cut=10), *[Turn(drips=True)] * 9]
    site.resources[PATH] = Resource(bytes(1 << 20), turns=turns)
    patience = Patience(
        window_seconds=0.5, window_bytes=1000, retry_seconds=0.002, first_delay_seconds=0.001
    )
    with pytest.raises(TransientFetchError, match="the server is too slow"):
        fetch(f"{site.url}{PATH}", to, credentials=TRUSTED, patience=patience)
    assert site.asked("Range")[1] == "bytes=10-"


def test_the_waiting_starts_again_only_with_progress() -> None:
    """The rule of `patience.Waiting` in figures.

    Given a patience of 10 seconds, of delays of 1 to 4 seconds, and progress of 100 bytes,
    when the file grows by less,
    then the delay doubles, and the waiting ends after 10 seconds;
    when it has become 100 bytes longer than when the waiting started, it starts again.
    """
    waiting = Waiting(
        Patience(
            retry_seconds=10,
            first_delay_seconds=1,
            longest_delay_seconds=4,
            progress_bytes=100,
        )
    )
    lengths = [0, 50, 99, 100, 0, 199, 200, 200, 200, 200, 200, 299]
    pauses = [waiting.next_pause(length, None) for length in lengths]
    assert pauses == [1, 2, 4, 1, 2, 4, 1, 2, 4, 3, 0, 0]
    assert waiting.next_pause(300, 60) == 10
