"""Models from a mounted folder."""

import hashlib
from pathlib import Path

import pytest

from halimede.adapters.errors import FetchError
from halimede.fetch.command import fetch


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Create the folder to mount."""
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Return the model's folder in the repository."""
    return tmp_path / "models" / "digits"


def test_plain_files_become_version_1(source: Path, to: Path, tmp_path: Path) -> None:
    """Plain files are put into a numbered folder, with the configuration beside it."""
    (source / "model.py").write_text("code")
    config = tmp_path / "config.pbtxt"
    config.write_text('name: "digits"')
    fetch(str(source), to, config=config)
    assert _tree(to) == {"1/model.py": "code", "config.pbtxt": 'name: "digits"'}


def test_a_mounted_config_map_is_read_through_its_links(source: Path, to: Path) -> None:
    """The kubelet mounts keys as links into `..data`, which itself is a link."""
    (source / "..2026_11_21").mkdir()
    (source / "..2026_11_21" / "model.py").write_text("code")
    (source / "..data").symlink_to("..2026_11_21")
    (source / "model.py").symlink_to("..data/model.py")
    assert fetch(str(source), to) == _sha256("code")
    assert _tree(to) == {"1/model.py": "code"}


def test_numbered_folders_are_kept(source: Path, to: Path, tmp_path: Path) -> None:
    """A complete repository entry is kept; only its configuration is replaced."""
    for version in ("1", "7"):
        (source / version).mkdir()
        (source / version / "model.onnx").write_text(version)
    (source / "labels.txt").write_text("0\n1\n")
    (source / "config.pbtxt").write_text("theirs")
    config = tmp_path / "config.pbtxt"
    config.write_text("ours")
    fetch(str(source), to, config=config)
    assert _tree(to) == {
        "1/model.onnx": "1",
        "7/model.onnx": "7",
        "config.pbtxt": "ours",
        "labels.txt": "0\n1\n",
    }


def test_a_configuration_beside_plain_files_goes_to_the_top(source: Path, to: Path) -> None:
    """Triton reads config.pbtxt beside the version folder, not in it."""
    (source / "model.onnx").write_text("x")
    (source / "config.pbtxt").write_text("theirs")
    fetch(str(source), to)
    assert _tree(to) == {"1/model.onnx": "x", "config.pbtxt": "theirs"}


def test_one_file_of_a_volume_is_a_source_too(source: Path, to: Path) -> None:
    """`pvc://claim/path/model.onnx` is a single file."""
    (source / "model.onnx").write_text("x")
    (source / "other.onnx").write_text("y")
    assert fetch(str(source / "model.onnx"), to) == _sha256("x")
    assert _tree(to) == {"1/model.onnx": "x"}


def test_the_digest_of_several_files_names_each_of_them(source: Path, to: Path) -> None:
    """The digest is the SHA-256 of sha256sum's lines, sorted by path."""
    (source / "sub").mkdir()
    (source / "b.txt").write_text("b")
    (source / "sub" / "a.txt").write_text("a")
    expected = _sha256(f"{_sha256('b')}  b.txt\n{_sha256('a')}  sub/a.txt\n")
    assert fetch(str(source), to) == expected


def test_a_wrong_digest_publishes_nothing(source: Path, to: Path) -> None:
    """The model's folder appears whole and verified, or not at all."""
    (source / "model.py").write_text("code")
    with pytest.raises(FetchError, match=r"spec\.model\.sha256"):
        fetch(str(source), to, sha256="0" * 64)
    assert list(to.parent.iterdir()) == []


def test_the_right_digest_publishes(source: Path, to: Path) -> None:
    """With the right digest the model is published unchanged."""
    (source / "model.py").write_text("code")
    fetch(str(source), to, sha256=_sha256("code"))
    assert _tree(to) == {"1/model.py": "code"}


def test_a_second_run_replaces_the_first(source: Path, to: Path) -> None:
    """The kubelet may run an init container again in the same volume."""
    (source / "old.py").write_text("old")
    fetch(str(source), to)
    (source / "old.py").rename(source / "new.py")
    fetch(str(source), to)
    assert _tree(to) == {"1/new.py": "old"}
    assert [path.name for path in to.parent.iterdir()] == ["digits"]


def test_files_are_read_only(source: Path, to: Path) -> None:
    """Published files are read-only, so the server cannot change them."""
    (source / "model.py").write_text("code")
    fetch(str(source), to)
    assert (to / "1" / "model.py").stat().st_mode & 0o777 == 0o444


def test_a_link_out_of_the_folder_is_rejected(source: Path, to: Path, tmp_path: Path) -> None:
    """A link in a volume must not publish other files of the container."""
    (tmp_path / "secret").write_text("s")
    (source / "model.py").symlink_to(tmp_path / "secret")
    with pytest.raises(FetchError, match="a link to a file outside"):
        fetch(str(source), to)


def test_a_linked_folder_is_rejected(source: Path, to: Path, tmp_path: Path) -> None:
    """Links to folders are rejected: they may lead in circles or outside."""
    (source / "1").symlink_to(tmp_path)
    with pytest.raises(FetchError, match="link to a directory"):
        fetch(str(source), to)


@pytest.mark.parametrize("path", ["source", "source/missing"])
def test_nothing_to_fetch_is_an_error(tmp_path: Path, source: Path, to: Path, path: str) -> None:
    """An empty or missing source is an error of the fetcher, not of Triton."""
    assert source.is_dir()
    with pytest.raises(FetchError, match=r"empty|does not exist"):
        fetch(str(tmp_path / path), to)


def test_more_than_allowed_is_rejected(source: Path, to: Path) -> None:
    """`--max-bytes` limits the size of the model."""
    (source / "model.bin").write_text("x" * 101)
    with pytest.raises(FetchError, match="max-bytes"):
        fetch(str(source), to, max_bytes=100)
