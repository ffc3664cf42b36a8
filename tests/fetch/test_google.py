"""Models from Google Cloud Storage, as fake-gcs-server imitates it.

It ignores conditions and credentials: what depends on them is in the unit tests.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.patience import Patience
from halimede_fetch.stores.access import Access
from tests.fetch.conftest import CA
from tests.fetch.proxy import Fault, Proxy, proxy_to
from tests.support.fetching import fetch
from tests.support.google_store import GoogleStore, google_store
from tests.unit.fetch.conftest import TLS, published

CONTENT = bytes(range(256)) * 4 * 8192
"""8 MiB."""
PART = 3 << 20
QUICK = Patience(first_delay_seconds=0.01, longest_delay_seconds=0.01)
BUCKET = "models"


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleStore]:
    """Run one store for all tests."""
    folder = tmp_path_factory.mktemp("google")
    with google_store(folder, TLS / "ca.pem", TLS / "server.pem") as running:
        running.add_bucket(BUCKET)
        yield running


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    """Return a folder of a test's own in the bucket."""
    return f"{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def proxy(google: GoogleStore) -> Iterator[Proxy]:
    """Run a proxy before the store."""
    with proxy_to(google.address, google.port) as running:
        yield running


@pytest.fixture
def fetch_from(folder: str, proxy: Proxy, to: Path) -> Callable[[str], str]:
    """Return a function that fetches a key of the folder through the proxy."""

    def fetch_from(key: str) -> str:
        access = Access(endpoint=proxy.url, ca=CA)
        return fetch(f"gs://{BUCKET}/{folder}/{key}", to, access=access, patience=QUICK)

    return fetch_from


def test_one_object_is_a_file(
    google: GoogleStore, folder: str, fetch_from: Callable[[str], str], to: Path
) -> None:
    """Given an object with the key, then it is the model's only file, with its own digest."""
    google.put(BUCKET, f"{folder}/model.onnx", b"onnx")
    assert fetch_from("model.onnx") == hashlib.sha256(b"onnx").hexdigest()
    assert published(to) == {"1/model.onnx": b"onnx"}


@pytest.mark.parametrize("address", ["3", "3/"])
def test_all_objects_below_a_prefix_are_a_folder(
    google: GoogleStore, folder: str, fetch_from: Callable[[str], str], to: Path, address: str
) -> None:
    """Given no object with the key, then the objects below it are the model, and no others."""
    files = {"1/model.onnx": b"onnx", "1/größe %41+?#.txt": b"y", "1/empty": b""}
    for path, content in files.items():
        google.put(BUCKET, f"{folder}/3/{path}", content)
    google.put(BUCKET, f"{folder}/30/1/x", b"z")
    fetch_from(address)
    assert published(to) == files


def test_a_folder_on_several_pages_is_whole(
    google: GoogleStore, folder: str, fetch_from: Callable[[str], str], to: Path
) -> None:
    """Given more objects than one response lists, then all are fetched."""
    files = {f"1/{number}": str(number).encode() for number in range(1100)}
    for path, content in files.items():
        google.put(BUCKET, f"{folder}/m/{path}", content)
    fetch_from("m/")
    assert published(to) == files


def test_nothing_at_the_address_is_named(
    google: GoogleStore, folder: str, fetch_from: Callable[[str], str]
) -> None:
    """Given neither an object nor objects below it, then the message has bucket and key."""
    google.put(BUCKET, f"{folder}/x", b"x")
    says = f"gs://{BUCKET}/{folder}/m: the bucket '{BUCKET}' has no object with the key"
    with pytest.raises(FetchError, match=says):
        fetch_from("m")


@pytest.mark.parametrize("key", ["model.onnx", "m/"])
def test_an_object_is_continued_where_the_connection_broke(
    google: GoogleStore,
    folder: str,
    proxy: Proxy,
    fetch_from: Callable[[str], str],
    to: Path,
    capfd: pytest.CaptureFixture[str],
    key: str,
) -> None:
    """Given connections that break, then the rest is requested, and the file is whole."""
    for path in ("model.onnx", "m/model.onnx"):
        google.put(BUCKET, f"{folder}/{path}", CONTENT)
    proxy.plan = [Fault(PART)] * 3
    fetch_from(key)
    assert published(to) == {"1/model.onnx": CONTENT}
    assert ", from byte " in capfd.readouterr().err


def test_an_object_that_is_replaced_is_read_from_its_beginning(
    google: GoogleStore,
    folder: str,
    proxy: Proxy,
    fetch_from: Callable[[str], str],
    to: Path,
) -> None:
    """Given an object that is replaced while it is read, then the new one is read, and no mix."""
    key, new = f"{folder}/model.onnx", CONTENT[::-1]
    google.put(BUCKET, key, CONTENT)
    proxy.plan = [Fault(PART, then=lambda: google.put(BUCKET, key, new))] * 2
    fetch_from("model.onnx")
    assert published(to) == {"1/model.onnx": new}


def test_a_folder_is_never_a_mix_of_two_versions(
    google: GoogleStore, folder: str, proxy: Proxy, fetch_from: Callable[[str], str], to: Path
) -> None:
    """Given an object that is replaced after it was listed, then nothing is published."""
    for name in ("a", "b"):
        google.put(BUCKET, f"{folder}/m/{name}", CONTENT)
    replace = Fault(PART, then=lambda: google.put(BUCKET, f"{folder}/m/a", b"new"))
    proxy.plan = [replace] * 8
    with pytest.raises(TransientFetchError, match="an object changed while it was read"):
        fetch_from("m/")
    assert not to.exists()
