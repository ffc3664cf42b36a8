"""Archives, well-formed and hostile, built byte by byte."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

File = tuple[str, bytes]
END = bytes(1024)
"""The end of a tar archive."""
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "m.tar": bytes,
    "m.tar.gz": gzip.compress,
    "m.tgz": gzip.compress,
    "m.tar.bz2": bz2.compress,
    "m.tar.xz": lzma.compress,
}
"""How the tar archives of these names are compressed."""


def tar(*files: File, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive, as the standard library writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def member(name: bytes, body: bytes = b"", kind: bytes = b"0", size: bytes | None = None) -> bytes:
    """Return a member of a tar archive; *size* replaces the real one."""
    length = b"%011o\0" % len(body) if size is None else size
    fields = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + length + b"0" * 11 + b"\0"
    after = kind + bytes(100) + b"ustar\x0000" + bytes(247)
    checksum = sum(fields) + sum(after) + 8 * 32
    return fields + b"%06o\0 " % checksum + after + body + bytes(-len(body) % 512)


def pax(*records: File) -> bytes:
    """Return a pax header for the next member."""
    return member(b"pax", b"".join(_record(key.encode(), value) for key, value in records), b"x")


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    size = len(rest)
    while len(b"%d" % size) + len(rest) != size:
        size = len(b"%d" % size) + len(rest)
    return b"%d" % size + rest


def packed_zip(*files: File, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in files:
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return buffer.getvalue()


def changed_zip(name: str, **fields: int) -> bytes:
    """Return a zip archive of one file with other numbers in both of its headers."""
    content = bytearray(packed_zip((name, b"content")))
    central = content.index(b"PK\x01\x02")
    for field, value in fields.items():
        at_file, at_central = {"flags": (6, 8), "method": (8, 10)}[field]
        struct.pack_into("<H", content, at_file, value)
        struct.pack_into("<H", content, central + at_central, value)
    return bytes(content)


def zip_of_unix(name: bytes) -> bytes:
    """Return a zip archive of one file as `zip` and macOS write it: without a flag for UTF-8."""
    placeholder = "n" * len(name)
    return packed_zip((placeholder, b"content")).replace(placeholder.encode(), name)


def zip_with_mode(name: str, mode: int) -> bytes:
    """Return a zip archive of one file with this Unix mode."""
    buffer = io.BytesIO()
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    return buffer.getvalue()


def gzipped_name(size: int) -> bytes:
    """Return gzip data with a file name of *size* bytes, before an empty content."""
    header = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * size + b"\0"
    return header + zlib.compress(b"", wbits=-15) + bytes(8)
