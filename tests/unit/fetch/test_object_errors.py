"""Responses of S3 stores that a real one does not send on demand, and what is said of them."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.patience import Patience
from halimede_fetch.stores.access import Access
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import IMPATIENT, TLS, TRUSTED, Site, published

SECRET = "s3cr3t"
LISTING = "/models"
FILE = "/models/m.onnx"
KEYS = {"access_key_id": "key", "secret_access_key": SECRET, "session_token": SECRET}


QUICK = Patience(first_delay_seconds=0.01)


def reach(site: Site) -> Access:
    """Return the access to a server, with credentials."""
    return Access(endpoint=site.url, ca=TRUSTED.ca, signing=KEYS)


def response(status: int, body: str = "", *headers: str) -> bytes:
    """Return a response as it is sent."""
    length = f"Content-Length: {len(body.encode())}"
    head = "\r\n".join((f"HTTP/1.1 {status} X", length, "Connection: close", *headers, "", ""))
    return f"{head}{body}".encode()


def error(status: int, code: str, *headers: str) -> bytes:
    """Return the response for an error of S3, which repeats what was sent."""
    message = f"<Message>{SECRET}</Message><StringToSign>{SECRET}</StringToSign>"
    return response(status, f"<Error><Code>{code}</Code>{message}</Error>", *headers)


def listing(*keys: str, etag: str = '"v1"') -> bytes:
    """Return the list of a bucket whose objects have one byte each."""
    contents = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>{etag}</ETag><Size>1</Size></Contents>"
        for key in keys
    )
    return response(200, f"<ListBucketResult>{contents}</ListBucketResult>")


def content(body: str, etag: str = '"v1"') -> bytes:
    """Return the response with an object."""
    modified = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"
    return response(200, body, f"ETag: {etag}", modified)


@pytest.mark.parametrize("path", [FILE, LISTING])
@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "RequestTimeTooSkewed", "correct the clock of the node"),
        (400, "ExpiredToken", "write new ones to the Secret"),
        (301, "PermanentRedirect", r"set spec\.model\.supply\.region"),
        (403, "InvalidObjectState", "the object is archived"),
        (403, "AccountProblem", "allow s3:GetObject"),
        (400, "InvalidRequest", r"400 Bad Request: check spec\.model\.storageUri"),
        (405, "MethodNotAllowed", r"405 Method Not Allowed: check spec\.model\.storageUri"),
    ],
)
def test_errors_that_stay(
    site: Site, to: Path, path: str, status: int, code: str, says: str
) -> None:
    """Given an error that another attempt would meet as well, then the message has the cure."""
    site.raw[path] = [error(status, code)]
    source = "s3://models/m.onnx" if path == FILE else "s3://models/m/"
    with pytest.raises(FetchError, match=says) as failure:
        fetch(source, to, access=reach(site))
    assert not isinstance(failure.value, TransientFetchError)
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize("path", [FILE, LISTING])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (429, "TooManyRequests"),
        (400, "RequestTimeout"),
        (409, "OperationAborted"),
    ],
)
def test_errors_that_pass(site: Site, to: Path, path: str, status: int, code: str) -> None:
    """Given a store that is busy, then it is asked again, and the model is fetched."""
    good = [content("x")] if path == FILE else [listing("m/a")]
    site.raw = {path: [error(status, code), error(status, code), *good]}
    site.raw["/models/m/a"] = [content("x")]
    source = "s3://models/m.onnx" if path == FILE else "s3://models/m/"
    fetch(source, to, access=reach(site), patience=QUICK)
    assert list(published(to).values()) == [b"x"]


def test_a_store_that_stays_busy(site: Site, to: Path) -> None:
    """Given a store that is always busy, then the error may pass; another pod tries again."""
    site.raw[FILE] = [error(503, "SlowDown")]
    with pytest.raises(TransientFetchError, match="503 Service Unavailable") as failure:
        fetch("s3://models/m.onnx", to, access=reach(site), patience=IMPATIENT)
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([response(200, "<html>")], "is not valid"),
        ([listing("m/a//b")], "has an empty part"),
        ([listing("m/a&#1;b")], "a control character"),
        ([listing("m/a", "other/b")], "lists objects that are not below this key"),
        ([listing("m/a", "mm")], "lists objects that are not below this key"),
        ([listing("m/a/../b")], "a part . or .."),
        ([listing("m/a", "m/a/b")], "'a' has the name of a folder"),
        ([listing("m/a\\b")], "backslashes"),
        ([listing("m/a.so")], r"spec\.model\.allowNativeCode"),
    ],
    ids=[
        "no list",
        "empty part",
        "control",
        "other folder",
        "beside it",
        "outside",
        "file and folder",
        "backslash",
        "native code",
    ],
)
def test_lists_that_are_no_model(
    site: Site, to: Path, answers: Sequence[bytes], says: str
) -> None:
    """Given keys that cannot be files beside each other, then the message says what to rename."""
    site.raw[LISTING] = list(answers)
    with pytest.raises(FetchError, match=says):
        fetch("s3://models/m/", to, access=reach(site))
    assert not to.exists()


def test_too_many_objects_are_not_read(site: Site, to: Path) -> None:
    """Given more objects than a model may have, then none is requested."""
    site.raw[LISTING] = [listing(*(f"m/{number}" for number in range(10_001)))]
    with pytest.raises(FetchError, match="more than 10000 files and folders"):
        fetch("s3://models/m/", to, access=reach(site))
    assert [path for path, _ in site.seen] == [LISTING]


def test_objects_larger_than_the_limit_are_not_read(site: Site, to: Path) -> None:
    """Given a folder that is too large by its list, then no object is requested."""
    site.raw[LISTING] = [listing(*(f"m/{number}" for number in range(9)))]
    with pytest.raises(FetchError, match=r"spec\.model\.maxSize"):
        fetch("s3://models/m/", to, access=reach(site), max_bytes=5 * 4096 + 8)
    assert [path for path, _ in site.seen] == [LISTING]


def test_a_smaller_object_has_no_rest(site: Site, to: Path) -> None:
    """Given a store that ignores conditions, then a smaller object is read from its beginning."""
    cut = content("a" * 9000)[:-4000]
    site.raw[FILE] = [content("a" * 9000), cut, error(416, "InvalidRange"), content("b", '"v2"')]
    fetch("s3://models/m.onnx", to, access=reach(site), patience=QUICK)
    assert published(to) == {"1/m.onnx": b"b"}


def test_a_list_may_have_etags_without_quotes(site: Site, to: Path) -> None:
    """Given a list that leaves the quotes out, then the version is still the listed one."""
    site.raw[LISTING] = [listing("m/a", etag="v1")]
    site.raw["/models/m/a"] = [content("x")]
    fetch("s3://models/m/", to, access=reach(site))
    assert site.asked("if-match") == [None, '"v1"']


def test_an_object_that_is_not_the_listed_one(site: Site, to: Path) -> None:
    """Given a store that ignores conditions, then the version of the response is compared."""
    site.raw[LISTING] = [listing("m/a")]
    site.raw["/models/m/a"] = [content("y", '"v2"')]
    with pytest.raises(TransientFetchError, match="changed while it was read"):
        fetch("s3://models/m/", to, access=reach(site))
    assert site.asked("if-match") == [None, '"v1"']


def test_a_signature_does_not_follow_a_redirect(site: Site, elsewhere: Site, to: Path) -> None:
    """Given a redirect to another host, then nothing is sent there that authorizes a request.

    The HTTP library of obstore sends the session token there; it is worthless without the keys.
    """
    site.redirects[FILE] = f"{elsewhere.url}/m.onnx"
    elsewhere.raw["/m.onnx"] = [content("x")]
    fetch("s3://models/m.onnx", to, access=reach(site), patience=IMPATIENT)
    assert elsewhere.headers
    assert elsewhere.asked("authorization") == [None, None]


def test_a_redirect_out_of_tls_is_not_followed(site: Site, to: Path) -> None:
    """Given a redirect to plain HTTP, then it is an error."""
    site.redirects[FILE] = "http://127.0.0.1:9/m.onnx"
    with pytest.raises(FetchError):
        fetch("s3://models/m.onnx", to, access=reach(site), patience=IMPATIENT)


@pytest.mark.parametrize("ca", ["no certificate", "-----BEGIN CERTIFICATE-----\n"])
def test_a_ca_that_is_none(site: Site, to: Path, ca: str) -> None:
    """Given a key ca.crt without certificates, then the message names it."""
    with pytest.raises(FetchError, match=r"the key ca\.crt of the Secret .*PEM"):
        fetch("s3://models/m.onnx", to, access=Access(endpoint=site.url, ca=ca))


@pytest.mark.parametrize(
    "source",
    ["s3://", "s3:///key", "s3://-b/key", "s3://b/a//b", "s3://b/../x", "s3://b//", "s3://b/a\\b"],
)
def test_invalid_addresses(site: Site, to: Path, source: str) -> None:
    """Given an address without a valid bucket or key, then nothing is requested."""
    with pytest.raises(FetchError, match=r"spec\.model\.storageUri"):
        fetch(source, to, access=reach(site))
    assert site.seen == []


def reach_google(site: Site) -> Access:
    """Return the access to a server that answers as Google does, with credentials."""
    key = {
        "private_key": (TLS / "service_account.pem").read_text(),
        "private_key_id": "1",
        "client_email": "reader@example.iam.gserviceaccount.com",
    }
    signing = {"service_account_key": json.dumps(key)}
    return Access(endpoint=site.url, ca=TRUSTED.ca, signing=signing)


def test_google_gets_a_token_that_the_service_account_signed(site: Site, to: Path) -> None:
    """Given the key of a service account, then no other server is asked for a token."""
    site.raw["/models/m%2Ea"] = site.raw["/models/m.a"] = [content("x")]
    fetch("gs://models/m.a", to, access=reach_google(site))
    tokens = site.asked("authorization")
    assert tokens
    for token in tokens:
        claims = str(token).removeprefix("Bearer ").split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(f"{claims}==="))
        assert decoded["iss"] == "reader@example.iam.gserviceaccount.com"
    assert published(to) == {"1/m.a": b"x"}


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (401, "AuthenticationRequired", "correct key.json in the Secret .* or the clock"),
        (403, "AccessDenied", "service account of key.json .* allow storage.objects.get"),
        (404, "NoSuchBucket", "the bucket does not exist"),
    ],
)
def test_what_google_rejects(site: Site, to: Path, status: int, code: str, says: str) -> None:
    """Given an error of Google Cloud Storage, then the message has its cure."""
    site.raw[LISTING] = [error(status, code)]
    with pytest.raises(FetchError, match=says) as failure:
        fetch("gs://models/m/", to, access=reach_google(site))
    assert SECRET not in str(failure.value)
