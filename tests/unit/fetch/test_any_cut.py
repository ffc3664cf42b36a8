"""Properties that hold whatever a server does between the parts of a download."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from halimede_fetch.errors import FetchError
from halimede_fetch.patience import Patience
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import OVERHEAD, TRUSTED, Site, published, serve_site
from tests.unit.fetch.resource import Resource, Turn

PATH = "/model.onnx"
SIZES = (140, 150)
VERSIONS = 4
PATIENCE = Patience(
    retry_seconds=0.003, first_delay_seconds=0.001, progress_bytes=30, silence_seconds=30
)


def content(version: int, size: int) -> bytes:
    """Return bytes that are others at each place, and in each version."""
    return b"".join(b"%d:%04d;" % (version, place) for place in range(0, size, 7))[:size]


def changed(version: int, size: int, cut: int | None, *, ignores_condition: bool) -> Turn:
    """Return a turn before which the file changes."""
    return Turn(
        cut,
        content=content(version, size),
        etag=f'"{version}"',
        ignores_condition=ignores_condition,
    )


CUTS = st.integers(0, 70)
CONTENT_RANGES = st.builds(
    "bytes {}-{}/{}".format,
    st.integers(0, 9),
    st.integers(0, max(SIZES)),
    st.sampled_from(SIZES),
)
ANOTHER_SIZE = Turn(
    50, content=content(VERSIONS, 130), etag='"9"', part_etag="", ignores_condition=True
)
"""Only the size shows that the rest is that of another version."""
TURNS = st.one_of(
    st.builds(Turn, cut=CUTS),
    st.builds(Turn, cut=CUTS, ignores_range=st.booleans()),
    st.builds(Turn, cut=CUTS, earlier=st.integers(0, 20)),
    st.builds(Turn, status=st.sampled_from([416, 429, 503])),
    st.builds(Turn, cut=CUTS, part_etag=st.sampled_from(["", '"0"', '"1"', 'W/"0"'])),
    st.builds(Turn, cut=CUTS, shorter=st.integers(0, 70)),
    st.builds(Turn, cut=CUTS, content_range=CONTENT_RANGES),
    st.builds(
        changed,
        st.integers(1, VERSIONS - 1),
        st.sampled_from(SIZES),
        st.one_of(st.none(), CUTS),
        ignores_condition=st.booleans(),
    ),
    st.just(ANOTHER_SIZE),
)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Site, Site]]:
    """Start two servers, the second for redirects."""
    with serve_site() as first, serve_site() as second:
        yield first, second


def outcome(site: Site) -> bytes | None:
    """Fetch the file; return what was published, or None."""
    here = Path(tempfile.mkdtemp())
    to = here / "models" / "digits"
    site.headers.clear()
    limit = max(SIZES) + OVERHEAD
    try:
        digest = fetch(
            f"{site.url}{PATH}", to, credentials=TRUSTED, patience=PATIENCE, max_bytes=limit
        )
    except FetchError as error:
        event(re.sub(r"\d+", "n", str(error).partition(PATH)[2]))
        assert list(to.parent.iterdir()) == []
        return None
    else:
        event("published, some of it continued" if any(site.asked("Range")) else "published")
        (found,) = published(to).values()
        assert digest == hashlib.sha256(found).hexdigest()
        return found
    finally:
        shutil.rmtree(here)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(size=st.integers(1, max(SIZES)), cuts=st.lists(CUTS, max_size=8))
def test_a_file_that_is_cut_anywhere_is_whole_or_not_published(
    servers: tuple[Site, Site], size: int, cuts: list[int]
) -> None:
    """Cuts neither lose nor repeat bytes.

    Given a server that supports ranges and closes connections after any numbers of bytes,
    when the file is fetched,
    then it equals the source, or the fetch fails and nothing is published.
    """
    site, _ = servers
    source = content(0, size)
    site.resources[PATH] = Resource(source, '"0"', [Turn(cut=cut) for cut in cuts])
    assert outcome(site) in {source, None}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    size=st.sampled_from(SIZES),
    turns=st.builds(lambda cut, turns: [Turn(cut=cut), *turns], CUTS, st.lists(TURNS, max_size=7)),
    places=st.lists(st.integers(0, 8), max_size=3),
)
def test_a_file_is_never_put_together_from_two(
    servers: tuple[Site, Site], size: int, turns: list[Turn], places: list[int]
) -> None:
    """Whatever the server does, the versions of a file are not mixed.

    Given a server that closes connections, is busy, changes the file, ignores or contradicts
    ranges, and redirects to another one that has other bytes of the same size and ETag,
    when the file is fetched,
    then it equals one version, or the fetch fails and nothing is published.
    """
    site, elsewhere = servers
    moved = Turn(redirect=f"{elsewhere.url}{PATH}")
    for place in places:
        turns.insert(place, moved)
    site.resources[PATH] = Resource(content(0, size), '"0"', turns)
    elsewhere.resources[PATH] = Resource(content(VERSIONS + 1, size), '"0"')
    versions = {turn.content for turn in turns} | {content(0, size), content(VERSIONS + 1, size)}
    assert outcome(site) in versions | {None}
