"""Read zip archives: the plain files and folders, in bounded memory.

The standard library's reader keeps the whole directory of an archive in memory, and unpacks what
is compressed by bzip2 or LZMA in one piece. Format: PKWARE's APPNOTE.TXT.
"""

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from halimede_fetch.errors import FetchError
from halimede_fetch.limits import CHUNK, Budget
from halimede_fetch.names import shown
from halimede_fetch.tree import Tree

MAX_DIRECTORY = 4 << 20
"""The largest directory of an archive: 10,000 entries of 400 bytes."""
ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    NotImplementedError,
)
"""What `zipfile` raises for damaged or unsupported archives."""
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX = (3, 19)
"""The systems that write names as they are in the file system: Unix and macOS."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_KINDS = (0, stat.S_IFREG, stat.S_IFDIR)
"""File types of plain files and folders; 0: the archive states none."""


class _Bounded:
    """A file of which no more than `MAX_DIRECTORY` bytes can be read at once."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read *size* bytes, or to the end."""
        if size < 0:
            size = self._size - self._file.tell()
        if size > MAX_DIRECTORY:
            raise FetchError(
                f"the archive has a directory of {size} bytes, more than {MAX_DIRECTORY} (4 MiB):"
                " put fewer files into it"
            )
        return self._file.read(size)


def unpack_zip(archive: Path, tree: Tree) -> None:
    """Write the selected files of an archive.

    Raises:
        FetchError: One of them must not be in a model, or the budget is exceeded.
        *ERRORS: The archive is damaged.
    """
    with (
        archive.open("rb") as file,
        zipfile.ZipFile(_Bounded(file, archive.stat().st_size)) as unzipped,
    ):
        for member in unzipped.infolist():
            _unpack_member(unzipped, member, tree)


def _unpack_member(unzipped: zipfile.ZipFile, member: zipfile.ZipInfo, tree: Tree) -> None:
    name = _name(member)
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_folder = name.endswith("/") or kind == stat.S_IFDIR
    if not is_folder and not tree.takes(name):
        return
    if kind not in _KINDS:
        raise FetchError(
            f"the archive contains {shown(name)}, which is not a regular file: replace links by"
            " what they lead to"
        )
    if is_folder:
        tree.add_folder(name)
        return
    if member.flag_bits & _ENCRYPTED:
        raise FetchError(f"the archive contains {shown(name)}, which is encrypted: decrypt it")
    if member.compress_type not in _METHODS:
        raise FetchError(
            f"the archive contains {shown(name)}, which is compressed by method"
            f" {member.compress_type}: create the archive with deflate, the usual method"
        )
    with unzipped.open(member) as content:
        tree.write(name, _chunks(content, tree.budget))


def _name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, with slashes as separators and the text that was meant."""
    name = member.orig_filename  # `filename` ends at the first zero byte
    if member.create_system in _UNIX and not member.flag_bits & _UTF8:
        # `zip` and macOS write UTF-8 without the flag; `zipfile` decodes that as code page 437.
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")  # some programs for Windows write backslashes


def _chunks(content: IO[bytes], budget: Budget) -> Iterator[bytes]:
    while chunk := content.read(CHUNK):
        budget.spend(len(chunk))
        yield chunk
