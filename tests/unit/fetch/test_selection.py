"""Which files of a folder or an archive become the model."""

import gzip
import hashlib
import stat
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede_fetch.errors import FetchError
from halimede_fetch.limits import MAX_MEMBERS, SPARE, Budget
from halimede_fetch.selection import Selection
from tests.support.fetching import fetch
from tests.unit.fetch.archives import (
    END,
    PACKERS,
    changed_zip,
    member,
    packed_zip,
    pax,
    tar,
    zip_with_mode,
)
from tests.unit.fetch.conftest import OVERHEAD, TRUSTED, Site, published

KIB, MIB = 1 << 10, 1 << 20
PATTERNS: list[tuple[str, str, bool]] = [
    ("model.onnx", "model.onnx", True),
    ("model.onnx", "1/model.onnx", False),
    ("*.onnx", "model.onnx", True),
    ("*.onnx", "1/onnx/model.onnx", True),
    ("*.onnx", "model.ONNX", False),
    ("*.onnx", "model.onnx.data", False),
    ("1/*", "1/a/b", True),
    ("1/*", "11/a", False),
    ("?/model.onnx", "1/model.onnx", True),
    ("?/model.onnx", "12/model.onnx", False),
    ("[12]/*", "2/a", True),
    ("[!12]/*", "2/a", False),
    ("data/", "data/a/b", True),
    ("data/", "data", False),
    ("data/", "old/data/a", False),
    ("*/data/", "old/data/a", True),
    ("[", "[", True),
    ("größe.*", "größe.txt", True),
]
FILES = {
    "README.md": b"r",
    "config.json": b"{}",
    "onnx/model.onnx": b"m",
    "onnx/model_int8.onnx": b"i",
    "training/a/data.onnx": b"t",
}
CHOICES: dict[str, tuple[Selection, set[str]]] = {
    "everything": (Selection(), set(FILES)),
    "all that is included": (Selection(include=("onnx/*", "*.json")), {*list(FILES)[1:4]}),
    "all that is not excluded": (Selection(exclude=("*.onnx",)), {"README.md", "config.json"}),
    "a whole folder excluded": (Selection(exclude=("training/",)), {*list(FILES)[:4]}),
    "excluded of what is included": (
        Selection(include=("*.onnx",), exclude=("training/", "*_int8*")),
        {"onnx/model.onnx"},
    ),
}
TEXTS = st.text(st.sampled_from("ab/*?[!]."), min_size=1, max_size=8)
NAMES = st.lists(
    st.text(st.sampled_from("ab.*[]"), min_size=1, max_size=3), min_size=1, max_size=4
)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Create the volume with the source."""
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def source_of(kind: str, volume: Path, files: dict[str, bytes]) -> str:
    """Write *files* as a folder or an archive; return its address for the fetcher."""
    if kind == "folder":
        for name, content in files.items():
            (volume / name).parent.mkdir(parents=True, exist_ok=True)
            (volume / name).write_bytes(content)
        return str(volume)
    packed = packed_zip(*files.items()) if kind == "m.zip" else PACKERS[kind](tar(*files.items()))
    return put(volume, kind, packed)


def put(volume: Path, name: str, content: bytes) -> str:
    """Write an archive to the volume; return its address for the fetcher."""
    (volume / name).write_bytes(content)
    return str(volume / name)


def as_version_1(names: set[str]) -> dict[str, bytes]:
    """Return what is published of `FILES`."""
    if all(name.startswith("onnx/") for name in names):  # a folder that wraps the model
        return {f"1/{name.removeprefix('onnx/')}": FILES[name] for name in names}
    return {f"1/{name}": FILES[name] for name in names}


@pytest.mark.parametrize(("pattern", "path", "matches"), PATTERNS)
def test_patterns_are_compared_with_whole_paths(pattern: str, path: str, *, matches: bool) -> None:
    """The same patterns mean the same in `include` and in `exclude`."""
    assert Selection(include=(pattern,)).selects(path) is matches
    assert Selection(exclude=(pattern,)).selects(path) is not matches


@given(TEXTS.filter(lambda text: not text.endswith("/")), TEXTS)
def test_patterns_match_as_fnmatch_does(pattern: str, path: str) -> None:
    """Given any pattern and path, they match if Python's `fnmatchcase` says so."""
    assert Selection(include=(pattern,)).selects(path) is fnmatchcase(path, pattern)


@given(st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3), NAMES)
def test_no_selected_file_is_in_a_folder_that_is_not_entered(
    include: list[str], exclude: list[str], names: list[str]
) -> None:
    """Given any patterns, leaving out a whole folder leaves out no file that is selected."""
    path = PurePosixPath("/".join(names))
    selection = Selection(tuple(include), tuple(exclude))
    if selection.selects(str(path)):
        assert all(selection.enters(str(folder)) for folder in path.parents if folder.parts)


@pytest.mark.parametrize("kind", ["folder", *PACKERS, "m.zip"])
@pytest.mark.parametrize("name", CHOICES)
def test_only_selected_files_are_published(volume: Path, to: Path, kind: str, name: str) -> None:
    """Given a folder or an archive, the same patterns select the same files."""
    selection, names = CHOICES[name]
    fetch(source_of(kind, volume, FILES), to, selection=selection)
    assert published(to) == as_version_1(names)


@pytest.mark.parametrize("kind", ["folder", *PACKERS, "m.zip"])
def test_an_empty_selection_is_an_error(volume: Path, to: Path, kind: str) -> None:
    """Given patterns that leave no file, the message has the fields and a path to compare."""
    source = source_of(kind, volume, {"onnx/model.onnx": b"x"})
    says = r"leaves out every file, such as 'onnx/model\.onnx': correct .*include .*exclude"
    with pytest.raises(FetchError, match=says):
        fetch(source, to, selection=Selection(include=("model.onnx",)))
    assert list(to.parent.iterdir()) == []


def test_a_source_without_files_is_still_empty(volume: Path, to: Path) -> None:
    """Given a folder without files, the patterns are not to blame."""
    with pytest.raises(FetchError, match=r"is empty: check spec\.model\.storageUri"):
        fetch(str(volume), to, selection=Selection(include=("*.onnx",)))


@pytest.mark.parametrize(("pattern", "accepted"), [("*.onnx", True), ("1/*", False)])
def test_a_single_file_must_be_selected(
    volume: Path, to: Path, site: Site, pattern: str, *, accepted: bool
) -> None:
    """Given a source of one file, it is published or the fetch fails, but it is not ignored."""
    site.files["/a/model.onnx"] = b"x"
    selection = Selection(include=(pattern,))
    for source in (put(volume, "model.onnx", b"x"), f"{site.url}/a/model.onnx"):
        if accepted:
            fetch(source, to, selection=selection, credentials=TRUSTED)
            assert published(to) == {"1/model.onnx": b"x"}
            continue
        with pytest.raises(FetchError, match=r"leaves out every file, such as 'model\.onnx'"):
            fetch(source, to, selection=selection, credentials=TRUSTED)


def test_the_digest_of_a_folder_is_that_of_the_selected_files(volume: Path, to: Path) -> None:
    """Given other files in the folder, the digest does not change."""
    selection = Selection(include=("onnx/*",), exclude=("*_int8*",))
    source = source_of("folder", volume, {"onnx/model.onnx": b"m", "onnx/labels": b"l"})
    expected = fetch(source, to)
    assert fetch(source_of("folder", volume, FILES), to, selection=selection) == expected
    assert fetch(source, to, selection=selection, sha256=expected) == expected


@pytest.mark.parametrize("kind", [*PACKERS, "m.zip"])
def test_the_digest_of_an_archive_is_that_of_the_archive(
    volume: Path, to: Path, kind: str
) -> None:
    """Given patterns, `sha256sum` of the archive still prints the digest."""
    source = source_of(kind, volume, FILES)
    selection = Selection(include=("onnx/*",))
    expected = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert fetch(source, to, selection=selection, sha256=expected) == expected


UNWANTED: dict[str, tuple[str, bytes]] = {
    "a link": ("m.tar", member(b"data/a", kind=b"2")),
    "a device": ("m.tar", member(b"data/a", kind=b"3")),
    "a way out": ("m.tar", pax(("path", b"data/../../b")) + member(b"x", b"x")),
    "a name that is not UTF-8": ("m.tar", member(b"data/\xff", b"x")),
    "native code": ("m.tar", member(b"data/a.so", b"x")),
    "a pickle": ("m.tar", member(b"data/a.pkl", b"x")),
    "a name that is too deep": (
        "m.tar",
        pax(("path", b"data/" + b"a/" * 100)) + member(b"x", b"x"),
    ),
    "a folder": ("m.tar", member(b"data/", kind=b"5") + member(b"data/a", b"x")),
    "a name twice": ("m.tar", member(b"data/a", b"x") * 2),
    "a link in a zip": ("m.zip", zip_with_mode("data/a", stat.S_IFLNK | 0o777)),
    "an encrypted file": ("m.zip", changed_zip("data/a", flags=1)),
    "an unknown method": ("m.zip", changed_zip("data/a", method=99)),
}


@pytest.mark.parametrize("name", UNWANTED)
def test_what_is_left_out_may_be_anything(volume: Path, to: Path, name: str) -> None:
    """Given a member that would be rejected, leaving it out is a cure."""
    file, content = UNWANTED[name]
    excluded = Selection(exclude=("data/",))
    if file == "m.tar":
        source = put(volume, file, content + member(b"model.onnx", b"hello") + END)
        fetch(source, to, selection=excluded)
        assert published(to) == {"1/model.onnx": b"hello"}
    else:
        with pytest.raises(FetchError, match="leaves out every file, such as 'data/a'"):
            fetch(put(volume, file, content), to, selection=excluded)


@pytest.mark.parametrize("kind", ["folder", *PACKERS, "m.zip"])
def test_what_is_left_out_takes_no_space(volume: Path, to: Path, kind: str) -> None:
    """Given a large file that is left out, a budget for the other one is enough."""
    source = source_of(kind, volume, {"data/a": bytes(400 * KIB), "model.onnx": b"x"})
    selection = Selection(exclude=("data/",))
    archive = 0 if kind == "folder" else Path(source).stat().st_size
    # Headers and the end of a tar archive count.
    most = archive + OVERHEAD + (20 * KIB if kind in PACKERS else 10)
    fetch(source, to, selection=selection, max_bytes=most)
    assert published(to) == {"1/model.onnx": b"x"}


def test_files_that_are_left_out_are_not_counted(volume: Path, to: Path) -> None:
    """Given more files than a model may have, in an archive, the selected ones are published."""
    many = b"".join(member(b"data/%d" % number) for number in range(MAX_MEMBERS + 1))
    source = put(volume, "m.tgz", gzip.compress(many + member(b"model.onnx", b"x") + END))
    fetch(source, to, selection=Selection(exclude=("data/",)))
    assert published(to) == {"1/model.onnx": b"x"}
    with pytest.raises(FetchError, match="more than 10000 files and folders: check"):
        fetch(source, to)


def test_a_folder_with_many_other_files(volume: Path, to: Path) -> None:
    """Given more files in one folder than a model may have, none of the selected is missed."""
    for number in range(MAX_MEMBERS + 1):
        (volume / f"{number}.txt").touch()
    (volume / "z.onnx").write_text("x")
    fetch(str(volume), to, selection=Selection(include=("*.onnx",)))
    assert published(to) == {"1/z.onnx": b"x"}
    with pytest.raises(FetchError, match="more than 10000 files and folders: check"):
        fetch(str(volume), to, selection=Selection(exclude=("*.onnx",)))


def test_folders_that_are_left_out_are_not_read(volume: Path, to: Path) -> None:
    """Given a folder that cannot be read or a link to a folder, excluding it is a cure."""
    source_of("folder", volume, {"data/secret/a": b"x", "model.onnx": b"x"})
    (volume / "latest").symlink_to("data")
    with pytest.raises(FetchError, match=r"or exclude it: 'latest/' in spec\.model\.supply"):
        fetch(str(volume), to, selection=Selection(include=("*.onnx",)))
    (volume / "data" / "secret" / "circle").symlink_to("circle")
    fetch(str(volume), to, selection=Selection(exclude=("latest/", "data/*")))
    assert published(to) == {"1/model.onnx": b"x"}


def endless(name: bytes) -> bytes:
    """Return the compressed beginning of a tar archive of large files with this name."""
    return gzip.compress(member(name, bytes(16 * MIB)) * 8)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (endless(b"data/a"), r"leaves out of the archive are larger than .* 10 times .*maxSize"),
        (gzip.compress(pax(("comment", bytes(MIB // 2))) * 80), "larger than spec.model.maxSize"),
        (gzip.compress(END + bytes(32 * MIB)), "larger than spec.model.maxSize"),
        (gzip.compress(member(b"data/a", bytes(MIB)))[:-20], "cannot be unpacked"),
    ],
    ids=["size", "headers", "padding", "cut"],
)
def test_bombs_that_are_left_out_are_bounded(
    volume: Path, to: Path, content: bytes, says: str
) -> None:
    """Given an archive that unpacks to much more than a model, reading it ends."""
    source = put(volume, "m.tgz", content)
    with pytest.raises(FetchError, match=says):
        fetch(source, to, selection=Selection(exclude=("data/",)), max_bytes=10 * MIB)
    assert list(to.parent.iterdir()) == []


def test_the_number_of_what_is_left_out_is_limited() -> None:
    """Given ten times as many files as a model may have, the next one is an error."""
    budget = Budget()
    for _ in range(SPARE * MAX_MEMBERS):
        budget.skip_member()
    with pytest.raises(FetchError, match="more than 100000 files and folders that"):
        budget.skip_member()
