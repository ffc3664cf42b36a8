"""Which formats the files of a model may have."""

from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError
from halimede_fetch.formats import PICKLE_FORMATS, Formats
from halimede_fetch.selection import Selection
from tests.support.fetching import fetch
from tests.unit.fetch.archives import PACKERS, packed_zip, tar
from tests.unit.fetch.conftest import published

PICKLED = [
    *(f"model.{suffix}" for suffix in PICKLE_FORMATS),
    "MODEL.PKL",
    "1/model.onnx.pkl",
    "model.joblib.gz",
    "model.pkl.Z",
    "model.pkl.tar",
    "model.pkl.tar.gz",
    ".pkl",
]
HARMLESS = [
    "model.pt",
    "model.bin",
    "pkl",
    "pickle",
    "model.pkl.py",
    "xpkl",
    "model.onnx",
    "LICENSE",
]
LISTED: list[tuple[tuple[str, ...], str, bool]] = [
    (("onnx",), "model.onnx", True),
    (("onnx",), "model.ONNX", True),
    (("ONNX",), "model.onnx", True),
    (("onnx",), "a.b/model.onnx", True),
    (("onnx",), "model.py", False),
    (("onnx",), "modelonnx", False),
    (("onnx",), "model.onnx.data", False),
    (("onnx",), "onnx/LICENSE", False),
    (("onnx", "license"), "LICENSE", True),
    (("model.py",), "model.py", True),
    (("gitattributes",), ".gitattributes", True),
    (("tar.gz",), "labels.tar.gz", True),
    (("pickle",), "model.pkl", True),
    (("Pickle",), "model.pth", True),
    (("pickle",), "model.pkl.gz", True),
    (("pickle",), "model.py", False),
    (("pickle", "py"), "model.py", True),
    (("pkl",), "model.pkl", False),
    (("onnx",), "model.pkl", False),
]


def rejection(allowed: tuple[str, ...], path: str) -> str:
    """Return the error for a file; empty: it is allowed."""
    try:
        Formats(allowed).check(Path(path).name, path)
    except FetchError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", PICKLED)
def test_formats_of_pickle_are_rejected_by_default(path: str) -> None:
    """Given no list, files that execute code are rejected with the file, the field and a cure."""
    message = rejection((), path)
    assert message.startswith(f"the file '{path}' is loaded by pickle")
    assert "supply.exclude, or list pickle in spec.model.supply.allowedFormats" in message


@pytest.mark.parametrize("path", HARMLESS)
def test_all_other_formats_are_allowed_by_default(path: str) -> None:
    """Given no list, TorchScript, weights of OpenVINO and files without a suffix are allowed."""
    assert rejection((), path) == ""


@pytest.mark.parametrize(("allowed", "path", "accepted"), LISTED)
def test_a_list_of_formats_is_complete(
    allowed: tuple[str, ...], path: str, *, accepted: bool
) -> None:
    """Given a list, only its formats are allowed, and those of pickle only by that word."""
    message = rejection(allowed, path)
    assert (message == "") is accepted
    if not accepted:
        assert path in message
        assert "spec.model.supply.allowedFormats" in message


@pytest.mark.parametrize("kind", ["folder", "model.pkl", *PACKERS, "m.zip"])
def test_formats_of_every_source(tmp_path: Path, to: Path, kind: str) -> None:
    """Given a pickle in any source, nothing is published unless it is allowed or left out."""
    files = {"model.pkl": b"p", "model.onnx": b"x"}
    if kind == "m.zip":
        (tmp_path / kind).write_bytes(packed_zip(*files.items()))
    elif kind in PACKERS:
        (tmp_path / kind).write_bytes(PACKERS[kind](tar(*files.items())))
    else:
        (tmp_path / "folder").mkdir()
        for name, content in files.items():
            (tmp_path / "folder" / name).write_bytes(content)
    source = tmp_path / ("folder/model.pkl" if kind == "model.pkl" else kind)
    with pytest.raises(FetchError, match=r"'model\.pkl' is loaded by pickle"):
        fetch(str(source), to)
    assert list(to.parent.iterdir()) == []
    fetch(str(source), to, formats=Formats(("onnx", "pickle")))
    assert "1/model.pkl" in published(to)
    if kind != "model.pkl":
        fetch(str(source), to, selection=Selection(exclude=("*.pkl",)))
        assert published(to) == {"1/model.onnx": b"x"}


@pytest.mark.parametrize("kind", [*PACKERS, "m.zip"])
def test_what_macos_adds_to_an_archive_has_no_format(tmp_path: Path, to: Path, kind: str) -> None:
    """Given an archive made on macOS, its additions are neither rejected nor published."""
    names = ("__MACOSX/m/1/._a.so", "m/.DS_Store", "m/1/.DS_Store", "m/1/._model.pkl")
    files = {"m/1/model.onnx": b"x", **dict.fromkeys(names, b"macOS")}
    packed = packed_zip(*files.items()) if kind == "m.zip" else PACKERS[kind](tar(*files.items()))
    (tmp_path / kind).write_bytes(packed)
    fetch(str(tmp_path / kind), to, formats=Formats(("onnx",)))
    assert published(to) == {"1/model.onnx": b"x"}


def test_our_configuration_needs_no_permission(tmp_path: Path, to: Path) -> None:
    """Given a list without pbtxt, the configuration is added, but the source may have none."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "model.onnx").write_text("x")
    config = tmp_path / "config.pbtxt"
    config.write_text("ours")
    fetch(str(tmp_path / "source"), to, config=config, formats=Formats(("onnx",)))
    assert published(to) == {"1/model.onnx": b"x", "config.pbtxt": b"ours"}
    (tmp_path / "source" / "config.pbtxt").write_text("theirs")
    with pytest.raises(FetchError, match=r"'config\.pbtxt' has a format that"):
        fetch(str(tmp_path / "source"), to, config=config, formats=Formats(("onnx",)))
