"""Names of a model's files, which archives and servers choose."""

import re
import unicodedata
from pathlib import PurePosixPath

from halimede_fetch.errors import FetchError

MAX_DEPTH = 64
"""The largest number of folders in each other; deleting deeper trees would exceed the stack."""
_SHOWN = 100
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of control characters, surrogates and separators of lines."""
_NATIVE = re.compile(r"(?:libtriton_.*|.*\.so(?:\..*)?)", re.DOTALL)
_ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_OF_MACOS = re.compile(r"__MACOSX|\.DS_Store|\._.*", re.DOTALL)
_GZIPPED_TAR = re.compile(r"\.(tgz|tar\.gz)$", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"\.(tar\.\w+|taz|tlz|tzst|7z|rar|gz|bz2|xz|zst|lzma|lz4?|z)$", re.IGNORECASE
)


def check(name: str) -> PurePosixPath:
    """Return *name* as a path inside the model's folder.

    Control characters and line breaks would make the digest of a folder ambiguous and logs
    unreadable. Triton's own paths have no backslashes, which are separators elsewhere.

    Raises:
        FetchError: It is not a path inside the folder, or has such a character.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise FetchError(
            f"a file of the model is named {shown(name)}, which is outside its folder"
        )
    if any(char == "\\" or unicodedata.category(char) in _UNPRINTABLE for char in name):
        raise FetchError(
            f"a file of the model is named {shown(name)}: remove control characters, line breaks,"
            " backslashes and what is not UTF-8 from its name"
        )
    if len(path.parts) > MAX_DEPTH:
        raise FetchError(
            f"the file {shown(name)} is in more than {MAX_DEPTH} folders: move it further up"
        )
    return path


def is_native(name: str) -> bool:
    """Whether a file of this name is a shared library or a backend of Triton.

    Triton looks for `libtriton_<backend>.so` in the model's folders first ("Backend Shared
    Library" in the documentation of its backends), and the dynamic linker follows versions.

    >>> [is_native(name) for name in ("libtriton_python.so", "a.so.1", "model.so.onnx.py", "so")]
    [True, True, True, False]
    """
    return _NATIVE.fullmatch(name) is not None


def is_archive(name: str) -> bool:
    """Whether *name* is the name of an archive that `archive.unpack` supports."""
    return _ARCHIVE.search(name) is not None


def is_of_macos(name: str) -> bool:
    """Whether macOS adds a file of this path to archives, besides the files themselves.

    >>> [is_of_macos(name) for name in ("__MACOSX/1/a", "1/._model.onnx", ".DS_Store", "1/_a")]
    [True, True, True, False]
    """
    return any(_OF_MACOS.fullmatch(part) for part in PurePosixPath(name).parts)


def is_gzipped_tar(name: str) -> bool:
    """Whether *name* is the name of a tar archive that gzip has compressed."""
    return _GZIPPED_TAR.search(name) is not None


def check_file(name: str) -> None:
    """Check the name of a file that is the whole source.

    Raises:
        FetchError: It can be neither unpacked nor served, or is invalid.
    """
    check(name)
    if not is_archive(name) and _UNSUPPORTED.search(name):
        raise FetchError(
            f"the file {shown(name)} is compressed in a way that is not supported: use .zip, .tar,"
            " .tar.gz, .tar.bz2 or .tar.xz"
        )


def shown(name: str) -> str:
    r"""Return *name* for a message: quoted, and cut if it is long.

    >>> shown("a\nb")
    "'a\\nb'"
    """
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")
