"""Writers and readers of a cache, on real folders."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from halimede_fetch.cache import _key
from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import DamagedError, FetchError
from halimede_fetch.formats import Formats
from halimede_fetch.obtain import Wanted
from halimede_fetch.selection import Selection
from tests.unit.fetch.cached import FILES, KEPT, Cache, source_of
from tests.unit.fetch.conftest import TRUSTED, Site, published

DAY = 24 * 3600


def test_a_model_lies_under_the_digest_of_its_manifest(cache: Cache, source: Path) -> None:
    """Given a source, its files are there with an empty configuration, and nothing else."""
    _, files = cache.fetch(source)
    assert published(cache.model(files)) == KEPT
    manifest = (cache.model(files).parent / "manifest").read_bytes()
    assert hashlib.sha256(manifest).hexdigest() == files
    assert manifest.decode().splitlines() == [
        f"{hashlib.sha256(content).hexdigest()}  {len(content)}  {name}"
        for name, content in sorted(KEPT.items())
    ]
    assert (cache.models(), cache.stages()) == ([files], [])
    assert cache.verify(files) == sum(map(len, KEPT.values()))


def test_same_files_of_two_sources_lie_there_once(
    cache: Cache, source: Path, tmp_path: Path
) -> None:
    """Given the same files at another place with another configuration, there is one model."""
    _, first = cache.fetch(source)
    other = source_of(tmp_path / "other", FILES | {"config.pbtxt": b"another one"})
    before = cache.model(first).stat().st_ino
    assert cache.fetch(other)[1] == first
    assert (cache.model(first).stat().st_ino, cache.stages()) == (before, [])


def test_known_source_is_not_read_again(cache: Cache, site: Site) -> None:
    """Given the digest of a source that is in the cache, the server gets no request."""
    site.files["/model.onnx"] = b"weights"
    address, digest = f"{site.url}/model.onnx", hashlib.sha256(b"weights").hexdigest()
    first = cache.fetch(address, credentials=TRUSTED)
    requests = len(site.seen)
    assert cache.fetch(address, sha256=digest) == first == (digest, first[1])
    assert len(site.seen) == requests
    assert cache.fetch(address, credentials=TRUSTED) == first
    assert len(site.seen) == requests + 1  # without the digest, nothing else shows what is there


@pytest.mark.parametrize(
    "other",
    [
        {"selection": Selection(include=("1/*",))},
        {"selection": Selection(exclude=("config.pbtxt",))},
        {"formats": Formats(("onnx", "txt", "pbtxt"))},
        {"native_code": True},
        {"max_bytes": 1000},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_settings_read_the_source_again(
    cache: Cache, source: Path, other: dict[str, object]
) -> None:
    """Given other settings, what an earlier fetch made of the source does not count."""
    digest, _ = cache.fetch(source)
    source.rename(source.with_name("gone"))
    source.mkdir()
    assert cache.fetch(source, sha256=digest)[0] == digest
    with pytest.raises(FetchError):
        cache.fetch(source, sha256=digest, **other)


def test_name_of_a_file_is_part_of_its_model(cache: Cache, site: Site) -> None:
    """Given the same file under another name, it is another model."""
    site.files |= {"/model.onnx": b"weights", "/other.onnx": b"weights"}
    digest, first = cache.fetch(f"{site.url}/model.onnx", credentials=TRUSTED)
    _, other = cache.fetch(f"{site.url}/other.onnx", sha256=digest, credentials=TRUSTED)
    assert first != other
    assert published(cache.model(other)) == {"1/other.onnx": b"weights", "config.pbtxt": b""}


def test_damaged_model_is_replaced(
    cache: Cache, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a flipped bit, the next writer replaces the model, and its log says so.

    Pods that have the file open read on: what is replaced is kept for a day.
    """
    digest, files = cache.fetch(source)
    file = cache.model(files) / "1/model.onnx"
    cache.edit(file, b"W" + FILES["1/model.onnx"][1:])
    with file.open("rb") as opened:
        assert cache.fetch(source, sha256=digest) == (digest, files)
        assert opened.read(1) == b"W"
    log = capsys.readouterr().err
    assert "is fetched again" in log
    assert "is replaced: the model" in log
    assert "'1/model.onnx' differs" in log
    assert published(cache.model(files)) == KEPT
    assert len(cache.stages()) == 1


@pytest.mark.parametrize("place", ["a file", "an empty folder"])
def test_what_is_no_model_is_replaced(cache: Cache, source: Path, place: str) -> None:
    """Given something else at the place of a model, it is replaced."""
    _, files = cache.fetch(source)
    folder = cache.model(files).parent
    folder.rename(cache.root / "elsewhere")
    folder.write_bytes(b"x") if place == "a file" else folder.mkdir()
    assert cache.fetch(source)[1] == files
    assert published(cache.model(files)) == KEPT


@pytest.mark.parametrize("entry", [b"", b"x" * 64, b"0" * 64, b"\xff" * 64, b"../" * 22])
def test_useless_entry_of_a_source_is_ignored(cache: Cache, source: Path, entry: bytes) -> None:
    """Given an entry that leads to no model, the source is read."""
    digest, files = cache.fetch(source)
    (index,) = (cache.root / "sources").iterdir()
    index.write_bytes(entry)
    assert cache.fetch(source, sha256=digest) == (digest, files)
    assert index.read_text().strip() == files


def test_only_old_stages_are_deleted(cache: Cache, source: Path) -> None:
    """Given stages of writers that died, those of the last day stay, which may be in use."""
    for name, age in (("old", 2 * DAY), ("young", DAY)):
        folder = cache.root / "stage" / name
        (folder / "files").mkdir(parents=True)
        written = folder.stat().st_mtime - age
        os.utime(folder, (written, written))
    cache.fetch(source)
    assert cache.stages() == ["young"]


def test_failed_fetch_leaves_nothing(cache: Cache, source: Path) -> None:
    """Given a source that is not the expected one, its stage is deleted."""
    with pytest.raises(FetchError, match="the digest of the files is"):
        cache.fetch(source, sha256="0" * 64)
    assert (cache.models(), cache.stages()) == ([], [])


def test_many_writers_at_once(cache: Cache, source: Path) -> None:
    """Given writers of one model at the same time, all succeed, and readers see it as a whole."""
    _, files = cache.fetch(source)
    cache.forget()
    found: list[object] = []
    over = threading.Event()

    def write() -> None:
        found.append(cache.fetch(source)[1])

    def read() -> None:
        seen = False
        while not over.is_set():
            if cache.model(files).parent.exists():
                seen = True
                cache.verify(files)
            else:
                assert not seen
        found.append(seen)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(8)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    assert found == [*[files] * 8, True]
    assert (cache.models(), cache.stages()) == ([files], [])


def test_writers_replace_a_damaged_model_at_once(cache: Cache, source: Path) -> None:
    """Given a damaged model, all writers that find it succeed, and a good one is there."""
    _, files = cache.fetch(source)
    cache.edit(cache.model(files) / "1/model.onnx", b"")
    writers = [threading.Thread(target=cache.fetch, args=(source,)) for _ in range(4)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    cache.verify(files)


def test_missing_model_is_damaged(cache: Cache) -> None:
    """Given a digest that is not in the cache, the message says what cures it."""
    with pytest.raises(DamagedError, match=r"manifest is missing. Use the command `retry`"):
        cache.verify("ab" * 32)


@pytest.mark.parametrize("files", ["", "../../etc", "AB" * 32, "ab" * 33])
def test_digest_is_no_path(cache: Cache, files: str) -> None:
    """Given something else than a digest, nothing is opened."""
    with pytest.raises(FetchError, match="is no SHA-256"):
        cache.verify(files)


def test_no_credentials_are_needed_for_a_known_source(cache: Cache, site: Site) -> None:
    """Given a source whose server is gone, its digest is enough."""
    site.files["/model.onnx"] = b"weights"
    digest, files = cache.fetch(f"{site.url}/model.onnx", credentials=TRUSTED)
    address = f"{site.url}/model.onnx"
    site.files.clear()
    assert cache.fetch(address, sha256=digest, credentials=Credentials()) == (digest, files)


def test_revision_on_a_hub_is_no_part_of_what_is_known() -> None:
    """Given a branch or the commit that it led to, the same entry says which model it is."""
    uris = ("hf://org/repo", "hf://org/repo@main", f"hf://org/repo@{'ab' * 20}")
    keys = {_key(Wanted(uri), "cd" * 32) for uri in uris}
    assert len(keys) == 1
    file = _key(Wanted("hf://org/repo@main/a.onnx"), "cd" * 32)
    assert file not in keys
    assert file == _key(Wanted("https://models.example.com/a.onnx?version=1"), "cd" * 32)
