"""Random answers, addresses and cuts: a hub can do nothing worse than make the fetch fail."""

import hashlib
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from halimede_fetch.errors import FetchError
from halimede_fetch.hub import address, answers
from halimede_fetch.patience import Patience
from tests.support.fake_hub import Fault, Hub, serve
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import TLS, TRUSTED, published

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
ENTRY = st.fixed_dictionaries(
    {"type": st.just("file") | JSON},
    optional={"path": JSON, "oid": JSON, "size": JSON, "lfs": JSON},
)
WORD = st.text(string.ascii_letters + string.digits, min_size=1)
SEGMENT = st.text(min_size=1).filter(lambda one: "/" not in one and one not in {".", ".."})


@given(st.binary() | st.text().map(str.encode))
@example(b"[" * 100_000)
@example(b'{"sha": 1e999999}')
@example(b"9" * 5000)
def test_any_bytes(content: bytes) -> None:
    """Given any bytes as an answer, then there is a value or the fetcher's own error."""
    with pytest.raises(FetchError, match="as a hub does"):
        answers.commit(answers.parse(content, "h"), "h")


@given(JSON | st.lists(ENTRY | JSON))
def test_any_list(answer: Any) -> None:
    """Given any JSON as a list of files, then there are files or the fetcher's own error."""
    try:
        found = list(answers.files(answer, "h"))
    except FetchError:
        return
    assert all(isinstance(one.path, str) and isinstance(one.size, int) for one in found)


@given(st.text())
@example('<https://[/?a=b>; rel="next"')
def test_any_link(link: str) -> None:
    """Given any header, then there is a query or none."""
    assert answers.next_query(link) is None or "rel=" in link.lower()


@given(WORD, WORD, SEGMENT, st.lists(SEGMENT, max_size=3))
def test_any_revision_and_path(org: str, repo: str, revision: str, path: list[str]) -> None:
    """Given any revision and path, then both are found again in the parsed address."""
    written = address.quote(revision, safe="")
    uri = "/".join([f"hf://{org}/{repo}@{written}", *path])
    model = address.parse(uri, "https://h")
    assert (model.name, model.revision) == (f"{org}/{repo}", revision)
    assert model.path == "/".join(path)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 300), max_size=4))
def test_any_cut(cuts: list[int]) -> None:
    """Given connections that are cut anywhere, then the file is complete in the end."""
    content = bytes(range(256))
    digest = hashlib.sha256(content).hexdigest()
    patience = Patience(first_delay_seconds=0.001)
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Hub(), "127.0.0.1", TLS / "server.pem") as hub,
    ):
        hub.push({"model.safetensors": content, "config.json": content})
        for end in (f"/xet/{digest}", "/config.json"):
            hub.faults[end] = [Fault(cut=cut) for cut in cuts]
        to = Path(folder) / "models" / "m"
        fetch("hf://org/repo", to, endpoint=hub.url, credentials=TRUSTED, patience=patience)
        assert published(to) == {"1/config.json": content, "1/model.safetensors": content}
