"""Properties that hold for any archive, also one that nobody would write."""

import bz2
import gzip
import lzma
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halimede_fetch.errors import FetchError
from halimede_fetch.selection import EVERYTHING, Selection
from tests.support.fetching import fetch
from tests.unit.fetch.archives import END, PACKERS, member, packed_zip, pax

MAX_BYTES = 100_000
NAMES = st.one_of(
    st.sampled_from(
        ["model.py", "1/model.py", "../x", "/x", "a/../../x", "./a", "a/b/c", "1", ""]
    ),
    st.text(max_size=20),
)
BODIES = st.one_of(st.binary(max_size=600), st.builds(bytes, st.integers(0, 200_000)))
KINDS = st.one_of(st.sampled_from(list(b"0057LKxgX")), st.integers(0, 255)).map(
    lambda n: bytes([n])
)
SIZES = st.one_of(st.none(), st.binary(min_size=12, max_size=12), st.just(b"77777777777\0"))


def encode(name: str) -> bytes:
    """Return the bytes of a name in an archive."""
    return name.encode(errors="surrogatepass")


MEMBERS = st.one_of(
    st.builds(
        lambda name, body, kind, size: member(encode(name)[:100], body, kind, size),
        NAMES,
        BODIES,
        KINDS,
        SIZES,
    ),
    st.builds(lambda name: pax(("path", encode(name))), NAMES),
    st.builds(lambda size: pax(("size", size)), st.binary(max_size=9)),
)
TARS = st.builds(
    lambda parts, end: b"".join(parts) + end,
    st.lists(MEMBERS, max_size=6),
    st.sampled_from([END, b"", END + b"x"]),
)
PACKED = st.builds(
    lambda content, pack: pack(content),
    TARS,
    st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress]),
)
ZIPS = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), BODIES), max_size=4
).map(
    lambda files: packed_zip(*{name.split("\0")[0]: (name, body) for name, body in files}.values())
)


def spoil(content: bytes, place: int, byte: int, cut: int) -> bytes:
    """Change one byte, and cut some off."""
    if not content:
        return content
    place %= len(content)
    changed = content[:place] + bytes([byte]) + content[place + 1 :]
    return changed[: max(0, len(changed) - cut)]


SELECTIONS = st.builds(
    Selection,
    include=st.lists(st.sampled_from(["*.py", "a/", "*/*", "1"])).map(tuple),
    exclude=st.lists(st.sampled_from(["model*", "a/*", "*/model.py"])).map(tuple),
)
SPOILED = st.builds(
    spoil,
    st.one_of(PACKED, ZIPS),
    st.integers(min_value=0, max_value=1 << 20),
    st.integers(0, 255),
    st.sampled_from([0, 0, 0, 1, 8, 500]),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    content=st.one_of(PACKED, ZIPS, SPOILED, st.binary(max_size=2000)),
    name=st.sampled_from([*PACKERS, "m.zip"]),
    selection=st.one_of(st.just(EVERYTHING), SELECTIONS),
)
def test_an_archive_is_published_within_the_limits_or_rejected(
    content: bytes, name: str, selection: Selection
) -> None:
    """No other error, no byte more than allowed, and nothing outside of the model's folder."""
    here = Path(tempfile.mkdtemp())
    try:
        to = here / "models" / "digits"
        (here / name).write_bytes(content)
        rejection = ""
        try:
            fetch(str(here / name), to, max_bytes=MAX_BYTES, selection=selection)
        except FetchError as error:
            rejection = str(error)
        assert bool(rejection) != to.exists()
        paths = {path for path in here.rglob("*") if path.is_file() or path.is_symlink()}
        published = paths - {here / name}
        assert all(path.is_relative_to(to) and not path.is_symlink() for path in published)
        assert sum(path.stat().st_size for path in published) + len(content) <= MAX_BYTES or (
            not published
        )
    finally:
        shutil.rmtree(here)
