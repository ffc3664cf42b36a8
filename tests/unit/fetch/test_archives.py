"""Archives that are unpacked, and those that must not be."""

import bz2
import gzip
import hashlib
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError
from tests.support.fetching import fetch
from tests.unit.fetch.archives import (
    END,
    PACKERS,
    changed_zip,
    gzipped_name,
    member,
    packed_zip,
    pax,
    tar,
    zip_of_unix,
    zip_with_mode,
)
from tests.unit.fetch.conftest import OVERHEAD, published

KIB, MIB = 1 << 10, 1 << 20
LARGE = 32 * MIB
LONG = "/".join(["folder"] * 40)
NAMES = ["1/model.py", f"1/{LONG}/weights", "1/größe.txt", f"1/{'n' * 120}"]
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Create the volume with the archive."""
    folder = tmp_path / "volume"
    folder.mkdir()
    return folder


def put(volume: Path, name: str, content: bytes) -> str:
    """Write an archive to the volume; return its address for the fetcher."""
    (volume / name).write_bytes(content)
    return str(volume / name)


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("kind", FORMATS)
def test_tar_archives_of_every_format(volume: Path, to: Path, name: str, kind: int) -> None:
    """Every format and compression gives the same files, whatever the length of their names."""
    known = [one for one in NAMES if kind != tarfile.USTAR_FORMAT or len(one) < 100]
    expected = {one: (one * 500).encode() for one in known}
    archive = PACKERS[name](tar(*expected.items(), kind=kind))
    found = fetch(put(volume, name, archive), to)
    assert found == hashlib.sha256(archive).hexdigest()
    assert published(to) == expected


BODY = member(b"model.onnx", b"hello") + END
ACCEPTED = {
    "a comment for all members": member(b"g", b"16 comment=abcd\n", b"g") + BODY,
    "attributes": pax(("SCHILY.xattr.user.a", b"\xff"), ("mtime", b"1.5")) + BODY,
    "a folder": member(b"docs/", kind=b"5") + BODY,
    "a folder of an old program": member(b"docs/", kind=b"\0") + BODY,
    "the folder itself": member(b"./", kind=b"5") + member(b"./model.onnx", b"hello") + END,
    "a size in binary": member(b"model.onnx", b"hello", size=b"\x80" + bytes(10) + b"\x05") + END,
    "a size in pax": pax(("size", b"5")) + member(b"model.onnx", b"hello", size=b"0" * 12) + END,
    "a name in pax": pax(("path", b"model.onnx")) + member(b"\xff", b"hello") + END,
    "padding": BODY + bytes(20 * KIB),
    "two gzip streams": gzip.compress(BODY[:700]) + gzip.compress(BODY[700:]),
    "padding after gzip": gzip.compress(BODY) + bytes(512),
    "padding after bzip2": bz2.compress(BODY) + bytes(512),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_other_programs_write(volume: Path, to: Path, name: str) -> None:
    """Forms that the standard library does not write are unpacked as well."""
    fetch(put(volume, "m.tar", ACCEPTED[name]), to)
    assert published(to) == {"1/model.onnx": b"hello"}


@pytest.mark.parametrize(
    ("name", "expected"), [("größe.onnx".encode(), "größe.onnx"), (b"gr\x94\xe1e", "größe")]
)
def test_a_zip_with_names_of_unix(volume: Path, to: Path, name: bytes, expected: str) -> None:
    """Names are UTF-8 also without the flag for it, unless they can only be of code page 437."""
    fetch(put(volume, "m.zip", zip_of_unix(name)), to)
    assert published(to) == {f"1/{expected}": b"content"}


def test_a_zip_with_backslashes(volume: Path, to: Path) -> None:
    """Some programs for Windows write backslashes as separators."""
    archive = packed_zip(("digits\\1\\", b""), ("digits\\1\\model.py", b"x"))
    fetch(put(volume, "m.zip", archive), to)
    assert published(to) == {"1/model.py": b"x"}


CUT = gzip.compress(BODY)
DAMAGED = CUT[:-8] + bytes([CUT[-8] ^ 1]) + CUT[-7:]
REJECTED: dict[str, tuple[str, bytes, str]] = {
    "a link": ("m.tar", member(b"a", kind=b"2") + END, "not a regular file"),
    "a hard link": ("m.tar", member(b"a", kind=b"1") + END, "not a regular file"),
    "a device": ("m.tar", member(b"a", kind=b"3") + END, "not a regular file"),
    "a FIFO": ("m.tar", member(b"a", kind=b"6") + END, "not a regular file"),
    "an old sparse file": ("m.tar", member(b"a", kind=b"S") + END, "not a regular file"),
    "a sparse file": ("m.tar", pax(("GNU.sparse.major", b"1")) + BODY, "sparse"),
    "a zero in a name": ("m.tar", pax(("path", b"a\0b")) + BODY, "control characters"),
    "a line break": ("m.tar", pax(("path", b"a\nb")) + BODY, "control characters"),
    "a separator of lines": (
        "m.tar",
        pax(("path", "a\u2028b".encode())) + BODY,
        "control characters",
    ),
    "a backslash": ("m.tar", pax(("path", b"a\\b")) + BODY, "backslash"),
    "a name that is not UTF-8": ("m.tar", member(b"\xff", b"x") + END, "UTF-8"),
    "no name": ("m.tar", member(b"", b"x") + END, "outside"),
    "a way out": ("m.tar", pax(("path", b"a/../../b")) + BODY, "outside"),
    "a folder with a way out": ("m.tar", member(b"a/../../b/", kind=b"5") + BODY, "outside"),
    "very deep empty folders": (
        "m.tar",
        pax(("path", b"a/" * 9000)) + member(b"f/", kind=b"5"),
        "more than 64",
    ),
    "an absolute name": ("m.tar", pax(("path", b"/b")) + BODY, "outside"),
    "a name and a folder": ("m.tar", tar(("a", b""), ("a/b", b"")), "cannot be unpacked"),
    "a name twice": ("m.tar", tar(("a", b""), ("a", b"")), "cannot be unpacked"),
    "a long part of a name": ("m.tar", tar(("n" * 300, b"")), "cannot be unpacked"),
    "deep folders": ("m.tar", tar(("a/" * 100 + "b", b"")), "more than 64 folders"),
    "very deep folders": ("m.tar", tar(("a/" * 1500 + "b", b"")), "more than 64 folders"),
    "many pax headers": ("m.tar.gz", gzip.compress(pax() * 5000), "cut"),
    "many long names": ("m.tar.gz", gzip.compress(member(b"l", b"x", b"L") * 5000), "cut"),
    "a name for all": ("m.tar", member(b"g", b"10 path=a\n", b"g") + BODY, "for all files"),
    "a damaged pax header": ("m.tar", member(b"x", b"99 path=a\n", b"x") + BODY, "damaged"),
    "a pax header without sense": ("m.tar", member(b"x", b"path", b"x") + BODY, "damaged"),
    "a negative size": ("m.tar", pax(("size", b"-5")) + BODY, "not a number"),
    "a size without sense": ("m.tar", member(b"a", size=b"x" * 12) + END, "not octal"),
    "a wrong checksum": ("m.tar", BODY.replace(b"model", b"nodel"), "wrong checksum"),
    "another file": ("m.tar", b"hello" * 200, "cannot be unpacked"),
    "an empty file": ("m.tar", b"", "cut"),
    "a cut member": ("m.tar", BODY[:514], "cut"),
    "a cut archive": ("m.tar", BODY[:1024], "cut"),
    "a second archive": ("m.tar", BODY + BODY, "data after its end"),
    "cut gzip": ("m.tar.gz", CUT[:-9], "cannot be unpacked"),
    "cut gzip in its checksum": ("m.tar.gz", CUT[:-1], "cannot be unpacked"),
    "cut bzip2": ("m.tar.bz2", bz2.compress(BODY)[:-1], "cannot be unpacked"),
    "cut xz": ("m.tar.xz", PACKERS["m.tar.xz"](BODY)[:-1], "cannot be unpacked"),
    "a wrong checksum of gzip": ("m.tar.gz", DAMAGED, "incorrect data check"),
    "a wrong checksum of bzip2": (
        "m.tar.bz2",
        bz2.compress(BODY)[:-6] + bytes(6),
        "cannot be unpacked",
    ),
    "a wrong checksum of xz": (
        "m.tar.xz",
        PACKERS["m.tar.xz"](BODY)[:-40] + bytes(8) + PACKERS["m.tar.xz"](BODY)[-32:],
        "cannot be unpacked",
    ),
    "garbage after gzip": ("m.tar.gz", gzip.compress(BODY) + b"garbage", "cannot be unpacked"),
    "an encrypted file": ("m.zip", changed_zip("model.py", flags=1), "is encrypted"),
    "an unknown method": ("m.zip", changed_zip("model.py", method=99), "by method 99"),
    "bzip2 in a zip": (
        "m.zip",
        packed_zip(("model.py", b"x"), method=zipfile.ZIP_BZIP2),
        "by method 12",
    ),
    "LZMA in a zip": (
        "m.zip",
        packed_zip(("model.py", b"x"), method=zipfile.ZIP_LZMA),
        "by method 14",
    ),
    "patched data": ("m.zip", changed_zip("model.py", flags=0x20), "cannot be unpacked"),
    "a link in a zip": ("m.zip", zip_with_mode("a", stat.S_IFLNK | 0o777), "not a regular file"),
    "a FIFO in a zip": ("m.zip", zip_with_mode("a", stat.S_IFIFO | 0o777), "not a regular file"),
    "a zero in a zip": (
        "m.zip",
        packed_zip(("aXb", b"x")).replace(b"aXb", b"a\0b"),
        "control characters",
    ),
    "a way out of a zip": ("m.zip", packed_zip(("..\\b", b"x")), "outside"),
    "a wrong checksum in a zip": (
        "m.zip",
        packed_zip(("a", b"hello"), method=zipfile.ZIP_STORED).replace(b"hello", b"hallo"),
        "CRC",
    ),
    "a cut zip": ("m.zip", packed_zip(("a", b"hello"))[:-5], "cannot be unpacked"),
    "another file as a zip": ("m.zip", b"hello", "cannot be unpacked"),
    "a compressed file": ("m.tar.zst", b"hello", "not supported"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_rejected(volume: Path, to: Path, name: str) -> None:
    """The error is one of ours, nothing is published, and nothing is left behind."""
    file, content, says = REJECTED[name]
    with pytest.raises(FetchError, match=says):
        fetch(put(volume, file, content), to)
    assert list(to.parent.iterdir()) == []


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a pax header": (
        "m.tgz",
        lambda: gzip.compress(pax(("comment", bytes(LARGE)))),
        "header of .*1 MiB",
    ),
    "a pax header for all": (
        "m.tgz",
        lambda: gzip.compress(member(b"g", bytes(LARGE), b"g")),
        "header of .*1 MiB",
    ),
    "a long name": (
        "m.tgz",
        lambda: gzip.compress(member(b"l", b"x" * LARGE, b"L")),
        "header of .*1 MiB",
    ),
    "many headers": (
        "m.tgz",
        lambda: gzip.compress(member(b"l", b"x" * MIB, b"L") * 16),
        "larger than spec.model.maxSize",
    ),
    "many folders": (
        "m.tgz",
        lambda: gzip.compress(folders(3000)),
        "larger than spec.model.maxSize",
    ),
    "many small files": (
        "m.tgz",
        lambda: gzip.compress(b"".join(member(b"f%d" % number) for number in range(3000))),
        "larger than spec.model.maxSize",
    ),
    "many folders of a few files": (
        "m.tgz",
        lambda: gzip.compress(tar(*((f"{n}/" + "a/" * 60 + "b", b"") for n in range(44)))),
        "larger than spec.model.maxSize",
    ),
    "padding": (
        "m.tgz",
        lambda: gzip.compress(BODY + bytes(LARGE)),
        "larger than spec.model.maxSize",
    ),
    "bzip2": (
        "m.tar.bz2",
        lambda: bz2.compress(tar(("model.onnx", bytes(LARGE)))),
        "larger than spec.model.maxSize",
    ),
    "xz": (
        "m.tar.xz",
        lambda: PACKERS["m.tar.xz"](tar(("model.onnx", bytes(LARGE)))),
        "larger than spec.model.maxSize",
    ),
    "the name of a gzip file": ("m.tgz", lambda: gzipped_name(20 * MIB), "larger than|cut"),
    "zip": ("m.zip", lambda: packed_zip(("a", bytes(LARGE))), "larger than spec.model.maxSize"),
    "the directory of a zip": (
        "m.zip",
        lambda: packed_zip(*((f"{number:>600}", b"") for number in range(7000))),
        "directory of .*4 MiB",
    ),
    "bzip2 in a zip": (
        "m.zip",
        lambda: packed_zip(("a", bytes(LARGE)), method=zipfile.ZIP_BZIP2),
        "by method 12",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_archives_use_little_memory_and_disk(volume: Path, to: Path, name: str) -> None:
    """Whatever an archive declares, a few megabytes suffice to reject it."""
    file, content, says = BOMBS[name]
    source = put(volume, file, content())
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match=says):
            fetch(source, to, max_bytes=10 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MIB
    assert list(to.parent.iterdir()) == []


def folders(count: int) -> bytes:
    """Return the entries of folders, of which an archive may have several for each."""
    return b"".join(member(b"f%d/" % number, kind=b"5") * 2 for number in range(count))


def test_folders_are_counted(volume: Path, to: Path) -> None:
    """Folders count once, although those without files are not created."""
    most = 10_000 - 1
    archive = gzip.compress(folders(most) + BODY)
    fetch(put(volume, "m.tgz", archive), to)
    assert published(to) == {"1/model.onnx": b"hello"}
    with pytest.raises(FetchError, match="more than 10000 files and folders"):
        fetch(put(volume, "m.tgz", gzip.compress(folders(most + 1) + BODY)), to)


def test_a_model_of_the_largest_size_is_accepted(volume: Path, to: Path) -> None:
    """The limit counts the content and a block for each file or folder, no more."""
    (volume / "model.onnx").write_bytes(bytes(100_000))
    assert fetch(str(volume), to, max_bytes=100_000 + OVERHEAD)
    with pytest.raises(FetchError, match=r"larger than spec.model.maxSize \(124575 bytes"):
        fetch(str(volume), to, max_bytes=100_000 + OVERHEAD - 1)


@pytest.mark.parametrize("name", [*PACKERS, "m.zip"])
def test_nothing_is_unpacked_before_it_is_verified(volume: Path, to: Path, name: str) -> None:
    """With another digest than the expected one, no decompressor sees the archive."""
    source = put(volume, name, b"what no decompressor accepts")
    with pytest.raises(FetchError, match=r"spec\.model\.sha256"):
        fetch(source, to, sha256="0" * 64)
