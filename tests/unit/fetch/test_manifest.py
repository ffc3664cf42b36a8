"""What `verify` finds in a model of a cache, and what a manifest may contain."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede_fetch import manifest
from halimede_fetch.errors import DamagedError, TransientFetchError
from halimede_fetch.limits import Budget
from tests.unit.fetch.cached import FILES, Cache, source_of

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Fetch a model once; return its folder in the cache and its digest."""
    folder = tmp_path_factory.mktemp("original")
    (folder / "cache").mkdir()
    cache = Cache(folder / "cache")
    _, files = cache.fetch(source_of(folder / "source"))
    return cache.model(files).parent, files


@pytest.fixture
def content(original: tuple[Path, str], tmp_path: Path) -> Path:
    """Return a copy of the model."""
    return Path(shutil.copytree(original[0], tmp_path / "copy"))


def flip(content: Path) -> None:
    """Flip one bit in the middle of a file."""
    path = content / "model/1/model.onnx"
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(70_000)
        (byte,) = file.read(1)
        file.seek(70_000)
        file.write(bytes([byte ^ 4]))


def truncate(content: Path) -> None:
    """Cut the last byte of a file."""
    path = content / "model/1/model.onnx"
    path.chmod(0o644)
    os.truncate(path, len(FILES["1/model.onnx"]) - 1)


def link(content: Path) -> None:
    """Replace a file by a link to one with the same content."""
    path = content / "model/1/model.onnx"
    path.rename(content.parent / "moved")
    path.symlink_to(content.parent / "moved")


def link_folder(content: Path) -> None:
    """Replace the model's folder by a link to it."""
    (content / "model").rename(content.parent / "moved")
    (content / "model").symlink_to(content.parent / "moved")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip, "'1/model.onnx' differs"),
        (truncate, "'1/model.onnx' differs"),
        (link, "'1/model.onnx' is no file"),
        (link_folder, "the folder model is missing"),
        (lambda content: (content / "model/1/model.onnx").unlink(), "'1/model.onnx' is missing"),
        (lambda content: (content / "model/config.pbtxt").unlink(), "'config.pbtxt' is missing"),
        (lambda content: (content / "model/2").mkdir(), "'2' was added"),
        (lambda content: (content / "model/1/b.so").write_bytes(b""), "'1/b.so' was added"),
        (lambda content: os.mkfifo(content / "model/1/pipe"), "'1/pipe' is no file"),
        (lambda content: shutil.rmtree(content / "model"), "the folder model is missing"),
        (lambda content: (content / "manifest").unlink(), "the file manifest is missing"),
        (lambda content: (content / "manifest").write_bytes(b""), "the file manifest differs"),
        (lambda content: os.truncate(content / "manifest", 1 << 40), "the file manifest differs"),
        (shutil.rmtree, "the file manifest is missing"),
    ],
)
def test_first_difference_is_named(
    content: Path, original: tuple[Path, str], damage: Callable[[Path], object], says: str
) -> None:
    """Given a model that was changed, the message names what differs, is missing or was added."""
    manifest.verify(content, original[1], Budget())
    damage(content)
    with pytest.raises(DamagedError, match=says):
        manifest.verify(content, original[1], Budget())


def test_time_is_limited(content: Path, original: tuple[Path, str]) -> None:
    """Given too little time, the pod tries again, as after a slow fetch."""
    with pytest.raises(TransientFetchError, match="fetchTimeoutSeconds"):
        manifest.verify(content, original[1], Budget(timeout_seconds=0))


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "\n",
        f"{EMPTY}  0  a",
        f"{EMPTY}  0  a\n\n",
        f"{EMPTY} 0  a\n",
        f"{EMPTY}  -1  a\n",
        f"{EMPTY}  00  a\n",
        f"{EMPTY}  {'9' * 19}  a\n",
        f"{EMPTY}  0  /etc/passwd\n",
        f"{EMPTY}  0  ../../manifest\n",
        f"{EMPTY}  0  a/./b\n",
        f"{EMPTY}  0  a//b\n",
        f"{EMPTY}  0  a\x00b\n",
        f"{EMPTY}  0  a\\b\n",
        f"{EMPTY}  0  {'a/' * 70}b\n",
        f"{EMPTY}  0  a\n{EMPTY}  0  a\n",
        "".join(f"{EMPTY}  0  {number}\n" for number in range(10_001)),
    ],
)
def test_hostile_manifest_leads_nowhere(tmp_path: Path, lines: str) -> None:
    """Given a manifest that its writer also named, no path outside the model is opened."""
    (tmp_path / "model").mkdir()
    (tmp_path / "manifest").write_text(lines)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    with pytest.raises(DamagedError, match=r"manifest (has the invalid line|is no list of files)"):
        manifest.verify(tmp_path, digest, Budget())


@given(text=st.binary(max_size=400) | st.from_regex(rb"([0-9a-f]{64}  [0-9]{1,3}  \S+\n){1,3}"))
def test_any_manifest_is_answered_with_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    """Given any bytes as the manifest of an empty model, it is damaged."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "model").mkdir()
    (folder / "manifest").write_bytes(text)
    with pytest.raises(DamagedError):
        manifest.verify(folder, hashlib.sha256(text).hexdigest(), Budget())


_NAMES = st.text("ab.ö -", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
_TREES = st.dictionaries(
    st.lists(_NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), min_size=1
).filter(lambda files: not any(a.startswith(f"{b}/") for a in files for b in files))


@given(files=_TREES, victim=st.integers(0, 99), byte=st.integers(0, 255))
def test_any_tree_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], victim: int, byte: int
) -> None:
    """Given any files, their manifest verifies them, and not if one has another content."""
    folder = tmp_path_factory.mktemp("tree")
    source_of(folder / "model", files)
    digest = manifest.write(folder, Budget())
    assert manifest.verify(folder, digest, Budget()) == sum(map(len, files.values()))
    name = sorted(files)[victim % len(files)]
    (folder / "model" / name).write_bytes(files[name] + bytes([byte]))
    with pytest.raises(DamagedError, match="differs"):
        manifest.verify(folder, digest, Budget())
