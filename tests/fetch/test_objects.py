"""Models from a real S3 store."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from halimede_fetch import digest
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import Formats
from halimede_fetch.selection import Selection
from harness.object_store import ObjectStore
from tests.fetch.command import run
from tests.fetch.conftest import Fetch
from tests.unit.fetch.conftest import published


def test_one_object_is_a_file(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path
) -> None:
    """Given an object with the key, then it is the model's only file, with its own digest."""
    store.put(bucket, "digits/model.onnx", b"onnx")
    store.put(bucket, "digits/model.onnx.old/a", b"x")
    assert fetch_from("digits/model.onnx") == hashlib.sha256(b"onnx").hexdigest()
    assert published(to) == {"1/model.onnx": b"onnx"}


def test_an_archive_is_unpacked(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path
) -> None:
    """Given an object that is an archive, then its files are the model."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("1/model.py")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    store.put(bucket, "digits.tar.gz", buffer.getvalue())
    found = fetch_from("digits.tar.gz")
    assert found == hashlib.sha256(buffer.getvalue()).hexdigest()
    assert published(to) == {"1/model.py": b"x"}


@pytest.mark.parametrize("address", ["digits/3", "digits/3/"])
def test_all_objects_below_a_prefix_are_a_folder(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path, tmp_path: Path, address: str
) -> None:
    """Given no object with the key, then the objects below it are the model.

    Neither those beside it nor objects that mark folders, whose keys end in a slash, are files.
    An object without content is one.
    """
    files = {"1/model.onnx": b"onnx", "1/größe %41+?#.txt": b"y", "1/empty": b""}
    for path, content in files.items():
        store.put(bucket, f"digits/3/{path}", content)
        kept = tmp_path / "expected" / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
    for key in ("digits/", "digits/3/", "digits/3/1/", "digits/3/2/", "digits/30/1/x"):
        store.put(bucket, key)
    assert fetch_from(address) == digest.of_folder(tmp_path / "expected")
    assert published(to) == files


def test_a_whole_bucket_is_a_folder(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path
) -> None:
    """Given an address without a key, then all objects are the model."""
    store.put(bucket, "1/model.onnx", b"x")
    fetch_from("")
    assert published(to) == {"1/model.onnx": b"x"}


def test_patterns_select_objects(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path
) -> None:
    """Given patterns, then only what they select is fetched, and nothing else is checked."""
    for path in ("1/model.onnx", "1/model_old.onnx", "training/x.pkl", "training/x.so"):
        store.put(bucket, f"m/{path}", path.encode())
    fetch_from("m", selection=Selection(("*.onnx",), ("*_old.onnx",)))
    assert published(to) == {"1/model.onnx": b"1/model.onnx"}


@pytest.mark.parametrize("key", ["m", "m/model.pkl"])
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"selection": Selection(("*.onnx",))}, "leaves out every file, such as 'model.pkl'"),
        ({}, "is loaded by pickle"),
        ({"formats": Formats(("onnx",))}, "is loaded by pickle"),
        ({"formats": Formats(("pickle",)), "max_bytes": 9 * 4096}, r"spec\.model\.maxSize"),
        ({"formats": Formats(("pickle",)), "sha256": "ab" * 32}, "the digest of the files is"),
    ],
    ids=["selection", "pickle", "format", "size", "digest"],
)
def test_limits_apply(
    store: ObjectStore,
    bucket: str,
    fetch_from: Fetch,
    to: Path,
    key: str,
    settings: dict[str, object],
    says: str,
) -> None:
    """Given what the spec does not allow, then nothing is published."""
    store.put(bucket, "m/model.pkl", bytes(20_000))
    with pytest.raises(FetchError, match=says):
        fetch_from(key, **settings)
    assert not to.exists()


def test_an_object_without_content_is_no_model(
    store: ObjectStore, bucket: str, fetch_from: Fetch
) -> None:
    """Given an empty object as the whole source, then it is an error, as for other servers."""
    store.put(bucket, "model.onnx")
    with pytest.raises(FetchError, match="is empty"):
        fetch_from("model.onnx")


def test_markers_alone_are_no_model(store: ObjectStore, bucket: str, fetch_from: Fetch) -> None:
    """Given only objects that mark folders, then there is no model."""
    for key in ("m/", "m/1/", "m/2/"):
        store.put(bucket, key)
    with pytest.raises(FetchError, match="none below it"):
        fetch_from("m")


def test_a_folder_on_several_pages_is_whole(
    store: ObjectStore, bucket: str, fetch_from: Fetch, to: Path
) -> None:
    """Given more objects than one response lists, then all are fetched; these have no ETag."""
    files = {f"1/{number}": str(number).encode() for number in range(2500)}
    for path, content in files.items():
        store.place(bucket, f"m/{path}").write_bytes(content)
    fetch_from("m/")
    assert published(to) == files


@pytest.mark.parametrize("source", ["model.onnx", "many/"])
def test_memory_does_not_grow_with_the_size(
    store: ObjectStore, bucket: str, tmp_path: Path, source: str
) -> None:
    """Given 32 times the bytes in one object, or the objects, then memory is about the same."""
    peaks = []
    for factor in (1, 32):
        if source == "many/":
            for number in range(100 * factor):
                store.place(bucket, f"many/{number}").write_bytes(bytes(1000))
        else:
            with store.place(bucket, source).open("wb") as file:
                file.truncate(factor << 23)
        (folder := tmp_path / str(factor)).mkdir()
        ended = run(store, f"s3://{bucket}/{source}", folder)
        assert ended.status == 0, ended.message
        peaks.append(ended.peak_bytes)
    assert peaks[1] - peaks[0] < 32 << 20
