"""Layouts of sources, as programs and people pack them."""

from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError
from tests.support.fetching import fetch
from tests.unit.fetch.archives import packed_zip, tar

SERVED: dict[str, tuple[list[str], list[str]]] = {
    "a file": (["model.py"], ["1/model.py"]),
    "a version": (["1/model.py"], ["1/model.py"]),
    "versions": (["1/model.py", "12/model.py"], ["1/model.py", "12/model.py"]),
    "a model": (["digits/1/model.py"], ["1/model.py"]),
    "a model without a version": (["digits/model.py", "digits/a/b"], ["1/a/b", "1/model.py"]),
    "a repository": (["model_repository/digits/1/model.py"], ["1/model.py"]),
    "a deep repository": (["a/b/c/digits/1/model.py"], ["1/model.py"]),
    "a repository with a text": (["README.md", "digits/1/model.py"], ["1/model.py"]),
    "a folder that is the model": (
        ["model.savedmodel/saved_model.pb"],
        ["1/model.savedmodel/saved_model.pb"],
    ),
    "a file beside folders with numbers": (
        ["model.py", "data/1/a", "data/2/a"],
        ["1/data/1/a", "1/data/2/a", "1/model.py"],
    ),
    "a model with a name of its own": (["digits/weights.onnx"], ["1/digits/weights.onnx"]),
    "what macOS adds": (
        ["__MACOSX/digits/1/._model.py", "._digits", ".DS_Store", "digits/1/model.py"],
        ["1/model.py"],
    ),
    "what macOS adds to a file": (["__MACOSX/._model.py", "model.py"], ["1/model.py"]),
    "a configuration": (["digits/config.pbtxt", "digits/a.onnx"], ["1/a.onnx", "config.pbtxt"]),
}
REJECTED: dict[str, tuple[list[str], str]] = {
    "two models": (["a/1/model.py", "b/1/model.py"], r"contains 2 models \('a', 'b'\)"),
    "two models in a repository": (["r/a/1/model.py", "r/b/1/model.py"], "contains 2 models"),
    "only what macOS adds": (["__MACOSX/._a"], "is empty"),
    "an archive in an archive": (["m.tar.gz"], r"only the archive 'm\.tar\.gz'"),
}


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("file", ["m.tar", "m.zip"])
def test_layouts_that_are_served(tmp_path: Path, to: Path, name: str, file: str) -> None:
    """The model is found, whatever wraps it."""
    members, expected = SERVED[name]
    pack = tar if file.endswith(".tar") else packed_zip
    (tmp_path / file).write_bytes(pack(*((member, b"x") for member in members)))
    fetch(str(tmp_path / file), to)
    assert sorted(str(one.relative_to(to)) for one in to.rglob("*") if one.is_file()) == expected


@pytest.mark.parametrize("name", REJECTED)
def test_layouts_that_cannot_be_served(tmp_path: Path, to: Path, name: str) -> None:
    """The fetcher fails, instead of Triton's probe after many minutes."""
    members, says = REJECTED[name]
    (tmp_path / "m.tar").write_bytes(tar(*((member, b"x") for member in members)))
    with pytest.raises(FetchError, match=says):
        fetch(str(tmp_path / "m.tar"), to)
    assert not to.exists()
