"""Writers of a cache that are killed, or whose volume fails, before each change they make."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.support.pages import ROOT
from tests.unit.fetch.cached import FILES, KEPT, Cache, source_of
from tests.unit.fetch.conftest import published
from tests.unit.fetch.interrupted import KILLED, SUCCEEDED, kill, run

FIELD = "spec.model.supply.cache.volume.claimName"


def empty(cache: Cache, _: str) -> None:
    """Begin without a model."""
    cache.forget()


def damaged(cache: Cache, files: str) -> None:
    """Begin with a damaged model, which has to be replaced."""
    cache.edit(cache.model(files) / "1/model.onnx", b"damaged")


def of_another_writer(cache: Cache, _: str) -> None:
    """Begin with a good model without the entry of its source."""
    for entry in (cache.root / "sources").iterdir():
        entry.unlink()


@pytest.mark.parametrize("begin", [empty, damaged, of_another_writer])
def test_writer_is_killed(cache: Cache, source: Path, begin: Callable[[Cache, str], None]) -> None:
    """Given a writer that is killed before a change, readers see all or nothing.

    What the cache says of the source is true, and the next writer completes the work.
    """
    _, files = cache.fetch(source)
    for number in count(1):
        begin(cache, files)
        code, message = run(lambda: cache.fetch(source), cache.root, number, kill)
        if code == 0:
            break
        assert (code, message) == (KILLED, "")
        for found in cache.models() if begin is not damaged else ():
            cache.verify(found)
        for entry in cache.root.glob("sources/*") if begin is not damaged else ():
            assert cache.verify(entry.read_text().strip())
        assert cache.fetch(source)[1] == files
        assert published(cache.model(files)) == KEPT
    assert number > 10


def failing(code: int, folder: Path) -> Callable[[], None]:
    """Return a function that fails as a call of the system does."""

    def fail() -> None:
        raise OSError(code, os.strerror(code), str(folder))

    return fail


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "cannot be written (Permission denied)"),
        (errno.EROFS, "cannot be written (Read-only file system)"),
    ],
)
def test_volume_fails(cache: Cache, source: Path, code: int, says: str) -> None:
    """Given a volume that is full or read-only, the message names the field.

    Nothing incomplete is left, and the next writer succeeds.
    """
    fail = failing(code, cache.root)
    for number in count(1):
        cache.forget()
        status, message = run(lambda: cache.fetch(source), cache.root, number, fail)
        if status == 0:
            break
        # A file that cannot be moved is copied, and a stage that cannot be deleted stays.
        if status != SUCCEEDED:
            assert (FIELD in message, says in message) == (True, True)
            assert not (cache.root / "stage").exists() or cache.stages() == []
        for found in cache.models():
            cache.verify(found)
        cache.fetch(source)
    assert number > 20


def test_disk_is_full(tmp_path: Path) -> None:
    """Given a file system that is too small, the message has its size, and nothing is left."""
    source = source_of(tmp_path / "source", FILES | {"1/large.onnx": os.urandom(2 << 20)})
    (tmp_path / "cache").mkdir()
    script = (
        'mount -t tmpfs -o size=1m tmpfs "$1" && "$2" -m halimede_fetch fetch --source "$3"'
        ' --cache "$1"; echo "status $?"; find "$1/stage" "$1" -mindepth 1 -type f'
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*command, tmp_path / "cache", sys.executable, source],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "jobs/fetch")},
    )
    assert done.stdout == "status 1\n", done.stderr
    assert f"{FIELD} is full: of its {1 << 20} bytes, 0 were free" in done.stderr
