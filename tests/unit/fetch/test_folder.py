"""Models from a mounted folder."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import OVERHEAD


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


def test_only_what_kubernetes_and_file_systems_add_is_ignored(source: Path, to: Path) -> None:
    """Given files whose names only resemble those, none of them is missing from the model."""
    files = {"..weights": "w", "lost+found.txt": "l", "1/..data": "d", "1/lost+found/a": "a"}
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content)
    (source / "lost+found").mkdir()
    (source / "lost+found" / "b").write_text("b")
    fetch(str(source), to)
    assert _tree(to) == files


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
    """The limit applies to what is copied."""
    (source / "model.bin").write_text("x" * 101)
    with pytest.raises(FetchError, match=r"spec\.model\.maxSize"):
        fetch(str(source), to, max_bytes=OVERHEAD + 100)


def test_more_folders_than_allowed_are_rejected(source: Path, to: Path) -> None:
    """No folder is left out, even if all others are empty."""
    (source / "model.py").write_text("code")
    for number in range(10_000):
        (source / f"f{number}").mkdir()
    with pytest.raises(FetchError, match="more than 10000 files and folders"):
        fetch(str(source), to, max_bytes=1 << 30)


def test_links_inside_the_volume_are_followed(tmp_path: Path, to: Path) -> None:
    """Caches of models keep each content once, and let snapshots lead to it by links."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "b").write_text("x")
    snapshot = tmp_path / "snapshots" / "a" / "1"
    snapshot.mkdir(parents=True)
    (snapshot / "model.onnx").symlink_to("../../../blobs/b")
    assert fetch(str(snapshot.parent), to, volume=tmp_path) == _sha256("x")
    assert _tree(to) == {"1/model.onnx": "x"}
    assert not (to / "1" / "model.onnx").is_symlink()
    (tmp_path / "latest").symlink_to("snapshots/a")
    assert fetch(str(tmp_path / "latest"), to, volume=tmp_path) == _sha256("x")
    assert fetch(str(snapshot / "model.onnx"), to, volume=tmp_path) == _sha256("x")


@pytest.mark.parametrize("path", ["", "model.onnx", "folder", "folder/model.onnx"])
def test_links_out_of_the_volume_are_rejected(tmp_path: Path, to: Path, path: str) -> None:
    """Neither a file nor the folder itself may lie outside."""
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    volume.mkdir()
    (outside / "model.onnx").write_text("x")
    (volume / "model.onnx").symlink_to(outside / "model.onnx")
    (volume / "folder").symlink_to(outside)
    with pytest.raises(FetchError, match=r"a link to a file outside|does not exist|link to a dir"):
        fetch(str(volume / path), to, volume=volume)
    assert not to.exists()


@pytest.mark.parametrize("path", ["", "circle"])
def test_links_in_a_circle_are_an_error(source: Path, to: Path, path: str) -> None:
    """The error is one of ours, wherever the circle is."""
    (source / "circle").symlink_to("circle")
    with pytest.raises(FetchError, match=r"cannot be copied|does not exist"):
        fetch(str(source / path), to)


@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "a\\b", "a\u2028b", "a\u0085b"])
def test_names_that_make_a_digest_ambiguous_are_rejected(
    source: Path, to: Path, name: str
) -> None:
    """Three files would have the digest of two, if one had a line break in its name."""
    (source / name).write_text("x")
    with pytest.raises(FetchError, match="remove control characters, line breaks, backslashes"):
        fetch(str(source), to)


def test_names_that_are_not_utf8_are_rejected(source: Path, to: Path) -> None:
    """The digest is of UTF-8 text."""
    (source / os.fsdecode(b"\xff")).write_text("x")
    with pytest.raises(FetchError, match="what is not UTF-8"):
        fetch(str(source), to)


DIGESTS = {
    "one file": ({"model.onnx": "x"}, _sha256("x")),
    "one file of version 1": ({"1/model.onnx": "x"}, _sha256("x")),
    "one file of another version": (
        {"7/model.onnx": "x"},
        _sha256(f"{_sha256('x')}  7/model.onnx\n"),
    ),
    "one file further down": ({"1/a/b": "x"}, _sha256(f"{_sha256('x')}  1/a/b\n")),
    "names in the order of bytes": (
        {"a/b": "1", "a.b": "2", "é": "3", "z": "4"},
        _sha256(
            f"{_sha256('2')}  a.b\n{_sha256('1')}  a/b\n{_sha256('4')}  z\n{_sha256('3')}  é\n"
        ),
    ),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_digests_of_folders(source: Path, to: Path, name: str) -> None:
    """Where a file lies is part of the digest, except if it is the only one of version 1."""
    files, expected = DIGESTS[name]
    for path, content in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(content)
    assert fetch(str(source), to) == expected


def test_the_command_in_the_documentation_prints_the_digest(source: Path, to: Path) -> None:
    """Users can compute a digest without Halimede, also of a folder with links."""
    for name in ("b b", "a/é", "a'", "z/1/2"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "link").symlink_to("b b")
    script = (
        "find -L . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    )
    printed = subprocess.run(
        ["/bin/sh", "-c", script], cwd=source, check=True, capture_output=True, text=True
    ).stdout
    assert printed.split()[0] == fetch(str(source), to)


@pytest.mark.parametrize(
    "name",
    [
        "model.so",
        "1/libtriton_onnxruntime.so",
        "libtriton_python",
        "1/lib/libgomp.so.1",
        "env/lib/x.cpython-310-x86_64-linux-gnu.so",
    ],
)
def test_native_code_is_rejected_unless_it_is_allowed(source: Path, to: Path, name: str) -> None:
    """Triton loads a backend from the model's own folder before its own."""
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_text("x")
    (source / "model.py").write_text("x")
    with pytest.raises(FetchError, match=rf"{Path(name).name}'.*spec\.model\.allowNativeCode"):
        fetch(str(source), to)
    assert not to.exists()
    fetch(str(source), to, native_code=True)
    assert _tree(to)[f"1/{name.removeprefix('1/')}"] == "x"


def test_names_that_only_resemble_native_code(source: Path, to: Path) -> None:
    """`.so` is an end or followed by a version; `libtriton_` is a beginning."""
    for name in ("model.sobig", "solver.py", "my_libtriton_notes.md", "so"):
        (source / name).write_text("x")
    fetch(str(source), to)
    assert len(_tree(to)) == 4


def test_the_configuration_counts(source: Path, to: Path, tmp_path: Path) -> None:
    """It is in the same volume as the files."""
    (source / "model.onnx").write_text("x" * 100)
    config = tmp_path / "config.pbtxt"
    config.write_text("c" * 50)
    fetch(str(source), to, config=config, max_bytes=OVERHEAD + 4096 + 150)
    with pytest.raises(FetchError, match=r"spec\.model\.maxSize"):
        fetch(str(source), to, config=config, max_bytes=OVERHEAD + 4096 + 149)
