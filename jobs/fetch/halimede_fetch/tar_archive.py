"""Read tar archives as a stream: the plain files and folders of ustar, GNU and pax archives.

The standard library's reader keeps headers of any size in memory and follows chains of them by
recursion; this one has one header of limited size in memory. Format: "ustar Interchange Format"
and "pax Interchange Format" in POSIX.1-2017 (`pax`), "Basic Tar Format" in GNU tar's manual.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from halimede_fetch.errors import FetchError
from halimede_fetch.limits import CHUNK, Budget
from halimede_fetch.names import shown
from halimede_fetch.tree import Tree

MAX_HEADER = 1 << 20
"""The largest pax header or GNU long name: names are far shorter."""
_RECORD = 512
_REGULAR, _FOLDER = (b"0", b"\0", b"7"), b"5"
_WITHOUT_CONTENT = (b"1", b"2", b"3", b"4", b"6")
"""Links, devices and FIFOs, whatever size they state."""
_LONG_NAME, _LONG_LINK = b"L", b"K"
_PAX, _PAX_FOR_ALL = (b"x", b"X"), b"g"
_SIZE_DIGITS = 19
_EXTENDED = (*_PAX, _PAX_FOR_ALL, _LONG_NAME, _LONG_LINK)


class InvalidTarError(Exception):
    """The data is not a complete tar archive; the message continues "cannot be unpacked: "."""


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    kind: bytes
    size: int
    """Bytes of content, which is padded to whole records."""


@dataclass(frozen=True, slots=True)
class _Extended:
    """What extended headers state about the next member."""

    name: str | None = None
    size: int | None = None


def unpack_tar(chunks: Iterator[bytes], tree: Tree) -> None:
    """Write the selected files of an archive, and read it to the end.

    Raises:
        FetchError: One of them must not be in a model, or the budget is exceeded.
        InvalidTarError: The archive is damaged or cut.
    """
    archive = _Records(chunks, tree.budget)
    extended = _Extended()
    while (block := archive.read(_RECORD)).count(0) < _RECORD:
        header = _parse(block)
        if header.kind in _EXTENDED:
            extended = _extend(extended, header, _read_extended(archive, header))
        else:
            _unpack_member(archive, header, extended, tree)
            extended = _Extended()
            archive.start_member()
    archive.read_padding()


class _Records:
    """Reads the archive from chunks of any size, and accounts for the bytes."""

    def __init__(self, chunks: Iterator[bytes], budget: Budget) -> None:
        self._chunks = chunks
        self._chunk, self._position = b"", 0
        self._budget = budget
        self._spent_on_member = 0

    def start_member(self) -> None:
        """Begin to count what is spent on the next member."""
        self._spent_on_member = 0

    def read(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        return b"".join(self._paid(size))

    def content(self, size: int) -> Iterator[bytes]:
        """Yield the content of a member in parts, and read its padding."""
        yield from self._paid(size)
        self.read(-size % _RECORD)

    def skip(self, size: int) -> None:
        """Read the content of a member that is left out; neither it nor its headers take space."""
        self._budget.refund(self._spent_on_member)
        self._budget.skip_bytes(self._spent_on_member)
        for part in self._parts(size + -size % _RECORD):
            self._budget.skip_bytes(len(part))

    def read_padding(self) -> None:
        """Read to the end of the chunks; nothing but zeros may follow."""
        rest = self._chunk[self._position :]
        while not rest.strip(b"\0"):
            self._budget.spend(len(rest))
            try:
                rest = next(self._chunks)
            except StopIteration:
                return
        raise InvalidTarError("it has data after its end")

    def _paid(self, size: int) -> Iterator[bytes]:
        for part in self._parts(size):
            self._budget.spend(len(part))
            self._spent_on_member += len(part)
            yield part

    def _parts(self, size: int) -> Iterator[bytes]:
        while size:
            while self._position == len(self._chunk):
                self._position = 0
                try:
                    self._chunk = next(self._chunks)
                except StopIteration:
                    raise InvalidTarError("it is cut: its end is missing") from None
            part = self._chunk[self._position : self._position + min(size, CHUNK)]
            self._position += len(part)
            size -= len(part)
            yield part


def _parse(block: bytes) -> _Header:
    fields = block[:148] + b" " * 8 + block[156:]
    signed = sum(fields) - 256 * sum(byte >> 7 for byte in fields)  # of some old programs
    if _number(block[148:156]) not in (sum(fields), signed):
        raise InvalidTarError("a header has a wrong checksum")
    name = _text(block[:100])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return _Header(
        name=f"{prefix}/{name}" if prefix else name,
        kind=block[156:157],
        size=_number(block[124:136]),
    )


def _number(field: bytes) -> int:
    r"""Parse an octal number, or GNU tar's binary one.

    >>> _number(b"0000644\0"), _number(b"\x80\x01\x00")
    (420, 256)
    """
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.split(b"\0")[0].strip(b" ")
    if digits.strip(b"01234567"):
        raise InvalidTarError("a header has a number that is not octal")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    """Return a name; what is not UTF-8 becomes surrogates, which `names.check` rejects."""
    return field.split(b"\0")[0].decode(errors="surrogateescape")


def _read_extended(archive: _Records, header: _Header) -> bytes:
    if header.size > MAX_HEADER:
        raise FetchError(
            f"the archive has a header of {header.size} bytes, more than {MAX_HEADER} (1 MiB):"
            " create it with shorter names and without further attributes"
        )
    return b"".join(archive.content(header.size))


def _extend(extended: _Extended, header: _Header, content: bytes) -> _Extended:
    if header.kind == _LONG_NAME:
        return replace(extended, name=_text(content))
    if header.kind == _LONG_LINK:
        return extended  # the name that a link has, and links are rejected
    records = dict(_pax_records(content))
    if any(key.startswith(b"GNU.sparse.") for key in records):
        raise FetchError("the archive contains sparse files: create it without --sparse")
    name, size = records.get(b"path"), records.get(b"size")
    if header.kind == _PAX_FOR_ALL:
        if name is not None or size is not None:
            raise InvalidTarError("it has one name or size for all files")
        return extended  # a comment, as git archive writes it
    if size is not None and not (size.isdigit() and len(size) <= _SIZE_DIGITS):
        raise InvalidTarError("a pax header has a size that is not a number")
    return _Extended(
        name=extended.name if name is None else name.decode(errors="surrogateescape"),
        size=extended.size if size is None else int(size),
    )


def _pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Parse records such as `18 path=a/b.onnx` and a line break; the number is their length."""
    start = 0
    while start < len(content):
        digits = content[start : start + _SIZE_DIGITS + 1].partition(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[start : start + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not equals or len(record) < length or not record.endswith(b"\n"):
            raise InvalidTarError("a pax header is damaged")
        yield key, value
        start += length


def _unpack_member(archive: _Records, header: _Header, extended: _Extended, tree: Tree) -> None:
    name = header.name if extended.name is None else extended.name
    size = header.size if extended.size is None else extended.size
    if header.kind == _FOLDER or (header.kind in _REGULAR and name.endswith("/") and not size):
        tree.add_folder(name)
        if not tree.selection.unlimited:
            archive.skip(0)
    elif header.kind in (*_REGULAR, *_WITHOUT_CONTENT) and not tree.takes(name):
        archive.skip(size if header.kind in _REGULAR else 0)
    elif header.kind in _REGULAR:
        tree.write(name, archive.content(size))
    else:
        raise FetchError(
            f"the archive contains {shown(name)}, which is not a regular file: replace links by"
            " what they lead to"
        )
