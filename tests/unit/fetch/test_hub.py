"""Models from a hub: which files of which commit, and what is verified."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import Formats
from halimede_fetch.patience import Patience
from halimede_fetch.selection import Selection
from tests.support.fake_hub import Fault, Hub, Repository
from tests.support.fetching import fetch
from tests.unit.fetch import archives
from tests.unit.fetch.conftest import TLS, TRUSTED, published

QUICK = Patience(first_delay_seconds=0.001)
REAL = Path(__file__).with_name("real_hub_client.py")
WITH_TOKEN = replace(TRUSTED, hf_token="hf_token")
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "onnx/model.onnx": b"graph",
    "onnx/größe 1.json": b"[1]",
    "empty.txt": b"",
}


def get(hub: Hub, to: Path, uri: str = "hf://org/repo", **arguments: Any) -> str:
    """Fetch a model from the hub."""
    given = {"credentials": TRUSTED, "patience": QUICK} | arguments
    return fetch(uri, to, endpoint=hub.url, **given)


def version_1(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files as they are published."""
    return {f"1/{name}": files[name] for name in sorted(files)}


def test_all_files_of_a_model(hub: Hub, to: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a model, then its files are published, and the log has the commit."""
    commit = hub.push(FILES)
    digest = get(hub, to)
    assert published(to) == version_1(FILES)
    lines = "".join(
        f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n"
        for name in sorted(FILES, key=str.encode)
    )
    assert digest == hashlib.sha256(lines.encode()).hexdigest()
    assert f"revision 'main' is commit {commit}" in capsys.readouterr().out
    assert get(hub, to, sha256=digest) == digest
    with pytest.raises(FetchError, match="the digest of the files is"):
        get(hub, to, sha256="0" * 64)


@pytest.mark.parametrize("private", [False, True])
def test_the_same_bytes_as_with_huggingface_hub(
    hub: Hub, to: Path, tmp_path: Path, *, private: bool
) -> None:
    """Given a model that huggingface_hub downloads, then the fetcher gets the same files."""
    hub.models["org/repo"] = Repository(private=private)
    hub.push(FILES | {f"many/{number}.txt": b"%d" % number for number in range(9)})
    hub.push({"other.txt": b"later"}, ref="later")
    get(hub, to, credentials=WITH_TOKEN)
    folder = tmp_path / "real"
    home = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    subprocess.run(
        [
            *(sys.executable, str(REAL)),
            *(hub.url, "org/repo", "main", str(folder), str(TLS / "ca.pem")),
        ],
        check=True,
        input="hf_token\n",
        text=True,
        env=os.environ | home | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
    )
    real = {name: one for name, one in published(folder).items() if not name.startswith(".cache")}
    assert published(to) == version_1(real)


REVISIONS = {
    "a branch": ("feature/x", "hf://org/repo@feature%2Fx"),
    "a tag": ("v1.0", "hf://org/repo@v1.0"),
    "a pull request": ("refs/pr/12", "hf://org/repo@refs/pr/12"),
    "a pull request, and a folder": ("refs/pr/12", "hf://org/repo@refs/pr/12/onnx"),
}


@pytest.mark.parametrize("name", REVISIONS)
def test_revisions(hub: Hub, to: Path, name: str) -> None:
    """Given a revision, then its files are fetched, not those of main."""
    ref, uri = REVISIONS[name]
    hub.push(FILES)
    hub.push({"onnx/model.onnx": b"new"}, ref=ref)
    get(hub, to, uri)
    assert list(published(to).values()) == [b"new"]


def test_a_commit(hub: Hub, to: Path) -> None:
    """Given a commit that no branch has any longer, then its files are fetched."""
    commit = hub.push(FILES)
    hub.push({"a.txt": b"new"})
    get(hub, to, f"hf://org/repo@{commit}")
    assert published(to) == version_1(FILES)
    assert [path for path in hub.paths() if "/revision/" in path] == []


def test_a_push_during_the_fetch_mixes_nothing(hub: Hub, to: Path) -> None:
    """Given a push after the revision was resolved, then all files are of the earlier commit."""
    hub.push(FILES)

    def push() -> None:
        hub.push(dict.fromkeys(FILES, b"new"))

    hub.faults["/config.json"] = [Fault(before=push)]
    get(hub, to)
    assert published(to) == version_1(FILES)
    assert hub.models["org/repo"].commits[hub.models["org/repo"].refs["main"]] != FILES


PATHS = {
    "a folder": ("onnx", ["größe 1.json", "model.onnx"]),
    "a folder, with slashes": ("onnx/", ["größe 1.json", "model.onnx"]),
    "a file": ("onnx/model.onnx", ["model.onnx"]),
    "a file at the top": ("config.json", ["config.json"]),
    "a name with a space": ("onnx/größe 1.json", ["größe 1.json"]),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_selects_a_part(hub: Hub, to: Path, name: str) -> None:
    """Given the path of a folder or file, then only that is fetched."""
    path, found = PATHS[name]
    hub.push(FILES)
    get(hub, to, f"hf://org/repo/{path}")
    assert sorted(published(to)) == [f"1/{one}" for one in found]
    assert [one for one in hub.paths("hub") if "resolve/" in one and "safetensors" in one] == []


def test_only_the_folder_around_a_path_is_listed(hub: Hub, to: Path) -> None:
    """Given a path, then the files of other folders are not listed."""
    commit = hub.push(FILES | {"onnx/fp16/model.onnx": b"small"})
    get(hub, to, "hf://org/repo/onnx/fp16")
    assert published(to) == {"1/model.onnx": b"small"}
    assert hub.paths()[1] == f"/api/models/org/repo/tree/{commit}/onnx"


def test_an_archive_is_unpacked(hub: Hub, to: Path) -> None:
    """Given the path of an archive, then it is unpacked, and the digest is that of the archive."""
    archive = archives.tar(("model.onnx", b"graph"))
    hub.push({"model.tar": archive})
    digest = hashlib.sha256(archive).hexdigest()
    assert get(hub, to, "hf://org/repo/model.tar", sha256=digest) == digest
    assert published(to) == {"1/model.onnx": b"graph"}


def test_only_selected_files_are_requested(hub: Hub, to: Path) -> None:
    """Given 10,000 files and patterns, then only what they select is requested."""
    hub.push(FILES | {f"data/{number}.txt": b"" for number in range(10_000)})
    hub.upstream = "https://huggingface.co"
    get(hub, to, selection=Selection(("onnx/*", "*.json"), ("config.json",)))
    assert sorted(published(to)) == ["1/größe 1.json", "1/model.onnx"]
    assert len([path for path in hub.paths() if "/tree/" in path]) == 11
    assert len([path for path in hub.paths() if "/resolve/" in path]) == 2


def test_too_many_files(hub: Hub, to: Path) -> None:
    """Given more than 10,000 files, then none is requested, and the rest is not listed."""
    hub.push({f"data/{number}.txt": b"" for number in range(13_000)})
    with pytest.raises(FetchError, match="more than 10000 files"):
        get(hub, to)
    assert [path for path in hub.paths() if "/resolve/" in path] == []
    assert len([path for path in hub.paths() if "/tree/" in path]) == 11


PICKLED = {
    "pytorch_model.bin": b"p",
    "pytorch_model-00001-of-00002.bin": b"p",
    "unet/diffusion_pytorch_model.fp16.bin": b"p",
    "adapter_model.bin": b"p",
    "training_args.bin": b"p",
    "model.pt": b"p",
    "original/consolidated.00.pth": b"p",
    "scaler.pkl": b"p",
}


def test_pickled_copies_are_left_out(hub: Hub, to: Path) -> None:
    """Given safetensors, then files that pickle loads are left out, but no other formats."""
    kept = FILES | {"openvino_model.bin": b"o", "openvino_model.xml": b"<o/>"}
    hub.push(kept | PICKLED)
    get(hub, to)
    assert published(to) == version_1(kept)


def test_pickled_copies_can_be_included(hub: Hub, to: Path) -> None:
    """Given patterns to include, then they decide alone."""
    hub.push(FILES | PICKLED)
    get(hub, to, selection=Selection(("*.safetensors", "pytorch_model.bin")))
    assert sorted(published(to)) == ["1/model.safetensors", "1/pytorch_model.bin"]


def test_files_of_pytorch_without_safetensors(hub: Hub, to: Path) -> None:
    """Given no safetensors, then nothing is left out, and pickle needs to be allowed."""
    hub.push({"config.json": b"{}", "model.pth": b"p"})
    with pytest.raises(FetchError, match=r"model\.pth.*list pickle in spec\.model\.supply"):
        get(hub, to)
    get(hub, to, formats=Formats(("pickle", "json")))
    assert sorted(published(to)) == ["1/config.json", "1/model.pth"]


def test_a_cut_download_continues(hub: Hub, to: Path) -> None:
    """Given a store that cuts connections, then only the rest is requested, by a new signature."""
    content = bytes(range(256)) * 1024
    hub.push({"model.safetensors": content})
    digest = hashlib.sha256(content).hexdigest()
    hub.faults[f"/xet/{digest}"] = [Fault(cut=200_000), Fault(cut=0), Fault(cut=62_000)]
    assert get(hub, to) == digest
    assert published(to) == {"1/model.safetensors": content}
    ranges = [one.range for one in hub.asked if one.server == "store"]
    assert ranges == [None, "bytes=200000-", "bytes=200000-", "bytes=262000-"]


def test_the_token_is_sent_to_the_hub_only(hub: Hub, to: Path) -> None:
    """Given redirects, then the hub gets the token again, and the store does not."""
    hub.models["new/repo"] = Repository(private=True)
    hub.moved["org/repo"] = "new/repo"
    hub.push(FILES, "new/repo")
    get(hub, to, credentials=WITH_TOKEN)
    assert published(to) == version_1(FILES)
    sent = {one.server: set[str | None]() for one in hub.asked}
    for one in hub.asked:
        sent[one.server].add(one.authorization)
    assert sent == {"hub": {"Bearer hf_token"}, "store": {None}}


def test_the_token_does_not_return_from_another_host(hub: Hub, to: Path) -> None:
    """Given a store that redirects back, then the hub does not get the token from there."""
    hub.models["org/repo"] = Repository(private=True)
    hub.push({"model.onnx": b"graph"})
    digest = hashlib.sha256(b"graph").hexdigest()
    back = {"Location": f"{hub.url}/org/repo/resolve/main/chosen"}
    hub.faults[f"/xet/{digest}"] = [Fault(status=302, headers=back)]
    with pytest.raises(FetchError, match="does not exist"):
        get(hub, to, credentials=WITH_TOKEN)
    assert hub.asked[-1].path.endswith("/chosen")
    assert hub.asked[-1].authorization is None


WRONG = {
    "another content in Git LFS": ("model.safetensors", b"wEights", r"SHA-256 is .*hub states"),
    "another content in Git": ("config.json", b"[]", r"its name in Git is .*hub states"),
    "another size": ("config.json", b"{ }", "3 bytes arrived, but the hub states 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_the_hub_has_not_listed(hub: Hub, to: Path, name: str) -> None:
    """Given a file that changed after it was listed, then nothing is published."""
    path, content, says = WRONG[name]
    hub.push(FILES)
    end = f"/xet/{hashlib.sha256(FILES[path]).hexdigest()}"
    if path == "config.json":
        end = f"resolve-cache/models/org/repo/{hub.models['org/repo'].refs['main']}/{path}"
    hub.faults[end] = [Fault(content=content)]
    with pytest.raises(FetchError, match=f"'{path}' of .*changed or damaged.*{says}"):
        get(hub, to)
    assert list(to.parent.iterdir()) == []


def test_a_hub_without_git(hub: Hub, to: Path) -> None:
    """Given a mirror that states no names of Git, then only sizes are compared."""
    hub.push(FILES)
    hub.listed = lambda found: [{**one, "oid": "etag-1"} for one in found]
    get(hub, to)
    assert published(to) == version_1(FILES)


HOSTILE = {
    "out of the folder": ("../a", "outside its folder"),
    "absolute": ("/a", "outside its folder"),
    "two lines": ("a\nb", "remove control characters"),
    "native code": ("libtriton_x.so", "native code"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(hub: Hub, to: Path, name: str) -> None:
    """Given a name that no model may have, then no file is requested."""
    path, says = HOSTILE[name]
    hub.push({"config.json": b"{}", path: b"x"})
    with pytest.raises(FetchError, match=says):
        get(hub, to)
    assert [one for one in hub.paths() if "/resolve/" in one] == []


def test_the_size_is_known_before(hub: Hub, to: Path) -> None:
    """Given a model that is too large, then no file is requested."""
    hub.push({"a.txt": b"x" * 600_000, "b.txt": b"x" * 600_000})
    with pytest.raises(FetchError, match=r"larger than spec\.model\.maxSize"):
        get(hub, to, max_bytes=1 << 20)
    assert [one for one in hub.paths() if "/resolve/" in one] == []


LISTS: dict[str, Callable[[list[Any]], Any]] = {
    "no list": lambda _: {"error": "x"},
    "no objects": lambda _: ["a"],
    "no size": lambda found: [{k: v for k, v in one.items() if k != "size"} for one in found],
    "no digest": lambda found: [*found, {**found[0], "lfs": {"oid": "x", "size": 1}}],
    "a name twice": lambda found: [*found, found[0]],
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_that_are_none(hub: Hub, to: Path, name: str) -> None:
    """Given an answer that is not of the hub's API, then the message says what to correct."""
    hub.push({"config.json": b"{}"})
    hub.listed = LISTS[name]
    with pytest.raises(FetchError, match=r"as a hub does: set spec\.model\.supply\.endpoint"):
        get(hub, to)


LONG = b'{"sha": "' + b"0" * 40 + b'"}' + b" " * (17 << 20)
"""An answer that would be valid if it were shorter."""


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b'{"sha": "main"}', LONG])
def test_servers_that_are_no_hub(hub: Hub, to: Path, body: bytes) -> None:
    """Given something else at the address, then the message says so."""
    hub.faults["/revision/main"] = [Fault(status=200, body=body)]
    with pytest.raises(FetchError, match="did not answer as a hub does"):
        get(hub, to)


def test_the_same_page_again(hub: Hub, to: Path) -> None:
    """Given a list of files that leads in a circle, then it is not followed."""
    hub.push({f"{number}.txt": b"" for number in range(1001)})
    first = {"Link": f'<{hub.url}/?recursive=true&cursor=1000>; rel="next"'}
    hub.faults[f"/tree/{hub.models['org/repo'].refs['main']}"] = [
        Fault(),
        Fault(status=200, headers=first, body=b"[]"),
    ]
    with pytest.raises(FetchError, match="did not answer as a hub does"):
        get(hub, to)


def test_credentials_of_other_servers_are_not_preferred(hub: Hub, to: Path) -> None:
    """Given HF_TOKEN and token, then the hub gets the first."""
    hub.push({"a.txt": b"a"})
    get(hub, to, credentials=replace(WITH_TOKEN, token="other"))
    assert {one.authorization for one in hub.asked} == {"Bearer hf_token"}
    get(hub, to, credentials=Credentials(token="hf_token", ca=TRUSTED.ca))
    assert {one.authorization for one in hub.asked} == {"Bearer hf_token"}
