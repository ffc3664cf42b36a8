"""The cache: a volume with models by content, which many writers and readers share.

```
sha256/ab/<digest>/manifest   the digests, sizes and paths of the model's files: see `manifest`
sha256/ab/<digest>/model/     the files, with an empty config.pbtxt, over which pods mount theirs
sources/<key>                 the digest of the model that was made of a source
stage/<random>/               what is being written, or was replaced
```

*digest* is that of the manifest. A model is written to a stage and appears by one rename, so that
it is there as a whole or not at all. Nothing is decided by listing a folder, except which old
stages are deleted.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from halimede_fetch import manifest
from halimede_fetch.errors import DamagedError, FetchError, TransientFetchError
from halimede_fetch.limits import Budget
from halimede_fetch.manifest import MODEL
from halimede_fetch.obtain import Found, Wanted, obtain

_FIELD = "spec.model.supply.cache.volume.claimName"
_STALE_SECONDS = 25 * 3600
"""The age at which a stage is deleted: a fetch takes 24 hours at most."""
_ATTEMPTS = 3
"""How often a writer replaces what other writers leave at its place."""
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})
"""What `rename` says if there is a folder with files, or a file."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_DIGEST = re.compile(r"[0-9a-f]{64}")


def fetch_into(wanted: Wanted, root: Path, budget: Budget) -> tuple[Found, str]:
    """Make sure that the cache has the model; return what was found, and the manifest's digest.

    If the digest of the source is known, and the cache has what was made of it, nothing is read
    from the source.

    Args:
        wanted: Which model.
        root: The folder of the cache.
        budget: Limits the size of the model, and the time.

    Raises:
        FetchError: The model could not be fetched, or the volume is full.
    """
    with _stage(root) as stage:
        if wanted.sha256 is not None and (files := _known(root, wanted, budget)):
            return Found(wanted.sha256), files
        stage.mkdir()
        config, content = stage / "config.pbtxt", stage / "content"
        config.touch()
        content.mkdir()
        found = obtain(wanted, stage / "source", content / MODEL, config, budget)
        shutil.rmtree(stage / "source")
        files = manifest.write(content, budget)
        _publish(root, content, files, budget)
        _remember(root, stage, _key(wanted, found.digest), files)
    return found, files


def verify(root: Path, files: str, budget: Budget) -> int:
    """Compare every byte of a model with its manifest; return the size of its files.

    Raises:
        DamagedError: The model is not in the cache, or something differs, is missing or was added.
        FetchError: The time is over.
    """
    if not _DIGEST.fullmatch(files):
        raise FetchError(f"{files!r} is no SHA-256: use what `fetch --cache` has printed")
    content = place(root, files)
    try:
        return manifest.verify(content, files, budget)
    except DamagedError as error:
        raise DamagedError(
            f"the model {files} in the cache is damaged: {error}. Use the command `retry`, which"
            " fetches it again if the spec asks for it, or restore the volume of the claim in"
            f" {_FIELD}"
        ) from error


def place(root: Path, files: str) -> Path:
    """Return the folder of a model; the operator mounts the folder `model` in it."""
    return root / "sha256" / files[:2] / files


def _known(root: Path, wanted: Wanted, budget: Budget) -> str | None:
    """Return which model was made of the source whose digest is expected, if it is still good."""
    entry = root / "sources" / _key(wanted, wanted.sha256 or "")
    try:
        with entry.open() as file:
            files = file.read(65).strip()
        if _DIGEST.fullmatch(files) and verify(root, files, budget) <= budget.max_bytes:
            return files
    except FileNotFoundError:
        pass
    except (DamagedError, OSError, UnicodeError) as error:
        _log(f"it is fetched again: {error}")
    return None


def _key(wanted: Wanted, sha256: str) -> str:
    """Digest everything that determines which model is made of a source.

    The name of a file is part of its model. The revision on a hub is not.
    """
    source = re.sub(r"@[^/]*", "", wanted.source) if wanted.source.startswith("hf://") else None
    name = (source or wanted.source.partition("?")[0]).rstrip("/").rpartition("/")[2]
    selection, formats = wanted.selection, wanted.formats
    patterns = (selection.include, selection.exclude, formats.allowed)
    content = json.dumps([sha256, name, *map(sorted, patterns), wanted.native_code])
    return hashlib.sha256(content.encode()).hexdigest()


def _publish(root: Path, content: Path, files: str, budget: Budget) -> None:
    """Move a model to its place, unless a good one is there already."""
    target = place(root, files)
    target.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_ATTEMPTS):
        try:
            content.rename(target)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        else:
            break
        try:
            verify(root, files, budget)
        except (DamagedError, OSError) as error:
            _log(f"it is replaced: {error}")
            _put_aside(root, target)
        else:
            break
    else:
        raise TransientFetchError(f"other writers replace {target} as well: try again later")
    for folder in (target.parent, target.parent.parent, root):
        manifest.sync_folder(folder)


def _put_aside(root: Path, damaged: Path) -> None:
    """Move a damaged model to a stage of its own, where pods that have it open can read it on."""
    aside = Path(tempfile.mkdtemp(dir=root / "stage"))
    with contextlib.suppress(FileNotFoundError):  # another writer did it
        damaged.rename(aside / "damaged")


def _remember(root: Path, stage: Path, key: str, files: str) -> None:
    """Note which model was made of a source."""
    entry = stage / "entry"
    with entry.open("x") as file:
        file.write(f"{files}\n")
        file.flush()
        os.fsync(file.fileno())
    sources = root / "sources"
    sources.mkdir(exist_ok=True)
    entry.rename(sources / key)
    manifest.sync_folder(sources)
    manifest.sync_folder(root)


@contextlib.contextmanager
def _stage(root: Path) -> Iterator[Path]:
    """Give the path of a new stage, and delete it afterwards, with stages of writers that died."""
    with _explained(root):
        (root / "stage").mkdir(exist_ok=True)
        own = Path(tempfile.mkdtemp(dir=root / "stage"))
    try:
        with _explained(root, own):
            _delete_stale(root / "stage", own.stat().st_mtime)
            yield own / "new"
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _delete_stale(stages: Path, now: float) -> None:
    """Delete old stages. *now* is a time of the volume's own clock."""
    with os.scandir(stages) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < now - _STALE_SECONDS:
                    shutil.rmtree(entry.path, ignore_errors=True)


@contextlib.contextmanager
def _explained(root: Path, stage: Path | None = None) -> Iterator[None]:
    """Convert the error of a volume that is full, or that must not be written."""
    try:
        yield
    except (OSError, FetchError) as error:
        cause = _cause(error)
        inside = str(cause.filename or "").startswith(str(root))
        if cause.errno in _FULL:
            raise _full(root, stage) from error
        if cause.errno not in _FORBIDDEN or not inside:
            raise
        raise FetchError(
            f"the volume of the claim in {_FIELD} cannot be written ({cause.strerror}): it must"
            " not be read-only, and user 1000 or group 1000 must be allowed to write to its root"
        ) from error


def _full(root: Path, stage: Path | None) -> FetchError:
    paths = stage.rglob("*") if stage else ()
    written = sum(path.lstat().st_size for path in paths if path.is_file())
    volume = shutil.disk_usage(root)
    return FetchError(
        f"the volume of the claim in {_FIELD} is full: of its {volume.total} bytes, {volume.free}"
        f" were free once {written} bytes of the model, or of the archive with it, had been"
        " written: enlarge the claim, or delete models under sha256/ that no revision needs, and"
        " then use the command `retry`"
    )


def _cause(error: BaseException) -> OSError:
    """Return the error of the system behind an error of ours; an empty one if there is none."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    return found or OSError()


def _log(message: str) -> None:
    sys.stderr.write("".join(char if char.isprintable() else "?" for char in message) + "\n")
