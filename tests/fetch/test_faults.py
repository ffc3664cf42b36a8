"""Connections to a real S3 store that break, and objects that change while they are read."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halimede_fetch.errors import TransientFetchError
from halimede_fetch.patience import Patience
from halimede_fetch.stores.access import Access
from harness.object_store import ObjectStore
from tests.fetch.conftest import Fetch
from tests.fetch.proxy import Fault, Proxy, proxy_to
from tests.unit.fetch.conftest import published

QUICK = Patience(first_delay_seconds=0.01, longest_delay_seconds=0.01)
CONTENT = bytes(range(256)) * 4 * 8192
"""8 MiB."""
PART = 3 << 20


@pytest.fixture
def proxy(store: ObjectStore) -> Iterator[Proxy]:
    """Run a proxy before the store."""
    with proxy_to(store.address, store.port) as running:
        yield running


@pytest.fixture
def fetch_through(proxy: Proxy, fetch_from: Fetch, access_with: Callable[..., Access]) -> Fetch:
    """Return a function that fetches a key through the proxy."""

    def fetch_through(key: str, patience: Patience = QUICK, **settings: object) -> str:
        access = access_with(endpoint=proxy.url)
        return fetch_from(key, access, patience=patience, **settings)

    return fetch_through


def test_an_object_is_continued_where_the_connection_broke(
    store: ObjectStore,
    bucket: str,
    proxy: Proxy,
    fetch_through: Fetch,
    to: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Given two connections that break, then the rest is requested, and the file is whole."""
    store.put(bucket, "model.onnx", CONTENT)
    proxy.plan = [Fault(PART)] * 3
    assert fetch_through("model.onnx") == hashlib.sha256(CONTENT).hexdigest()
    assert published(to) == {"1/model.onnx": CONTENT}
    assert capfd.readouterr().err.count(", from byte ") == 2


def test_an_object_that_is_replaced_is_read_from_its_beginning(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch, to: Path
) -> None:
    """Given an object that is replaced while it is read, then the new one is read, and no mix."""
    store.put(bucket, "model.onnx", CONTENT)
    new = CONTENT[::-1]
    proxy.plan = [Fault(PART, then=lambda: store.put(bucket, "model.onnx", new))] * 2
    assert fetch_through("model.onnx") == hashlib.sha256(new).hexdigest()
    assert published(to) == {"1/model.onnx": new}


def test_a_folder_is_never_a_mix_of_two_versions(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch, to: Path
) -> None:
    """Given an object that is replaced after it was listed, then nothing is published.

    The error may pass: another attempt lists the folder again.
    """
    for name in ("a", "b"):
        store.put(bucket, f"m/{name}", CONTENT)
    proxy.plan = [Fault(PART, then=lambda: store.put(bucket, "m/a", b"new"))] * 8
    with pytest.raises(TransientFetchError, match="an object changed while it was read"):
        fetch_through("m/")
    assert not to.exists()


def test_a_folder_is_continued(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch, to: Path
) -> None:
    """Given connections that break, then the files are those in the store."""
    files = {f"1/{number}": CONTENT[number:] for number in range(5)}
    for path, content in files.items():
        store.put(bucket, f"m/{path}", content)
    proxy.plan = [Fault(100), Fault(PART), Fault(2 * PART), Fault(10)]
    fetch_through("m/")
    assert published(to) == files


def test_an_object_without_an_etag_is_read_from_its_beginning(
    store: ObjectStore,
    bucket: str,
    proxy: Proxy,
    fetch_through: Fetch,
    to: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Given an object whose versions cannot be told apart, then no rest is requested."""
    store.place(bucket, "model.onnx").write_bytes(CONTENT)
    proxy.plan = [Fault(PART)] * 2
    fetch_through("model.onnx")
    assert published(to) == {"1/model.onnx": CONTENT}
    assert ", from byte " not in capfd.readouterr().err


@pytest.mark.parametrize("key", ["model.onnx", "m/"])
def test_a_slow_store_is_given_up(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch, key: str
) -> None:
    """Given a store that sends one byte at a time, then the error may pass, and says how slow."""
    store.put(bucket, "model.onnx", CONTENT)
    store.put(bucket, "m/model.onnx", CONTENT)
    proxy.plan = [Fault(PART, drips=True)] * 8
    patience = Patience(silence_seconds=1, retry_seconds=0)
    with pytest.raises(TransientFetchError, match="sent less than 256 KiB in 1 s"):
        fetch_through(key, patience)


def test_the_time_of_the_whole_fetch_is_limited(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch
) -> None:
    """Given a store that is slow, then the fetch ends after its own time, and names the field."""
    store.put(bucket, "model.onnx", CONTENT)
    proxy.plan = [Fault(PART, drips=True)] * 8
    with pytest.raises(TransientFetchError, match=r"spec\.model\.fetchTimeoutSeconds \(1 s\)"):
        fetch_through("model.onnx", timeout_seconds=1)


def test_a_store_that_always_breaks_is_given_up(
    store: ObjectStore, bucket: str, proxy: Proxy, fetch_through: Fetch, to: Path
) -> None:
    """Given connections that all break without progress, then the error may pass."""
    store.put(bucket, "model.onnx", CONTENT)
    proxy.plan = [Fault(100)] * 1000
    patience = Patience(retry_seconds=0.1, first_delay_seconds=0.05)
    with pytest.raises(TransientFetchError, match="no connection to the server"):
        fetch_through("model.onnx", patience)
    assert not to.exists()
