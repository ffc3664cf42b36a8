"""What the operator and the fetcher, which do not import each other, have in common."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import halimede
import halimede_fetch
from halimede.api import exit_codes, formats
from halimede.api.source import at_commit
from halimede.plan.source_resolution import TERMINATION_MESSAGE
from halimede.render.files_view import cached_model
from halimede_fetch import cache
from halimede_fetch import exit_codes as fetchers_exit_codes
from halimede_fetch import formats as fetchers_formats
from halimede_fetch.command import termination_message
from halimede_fetch.hub import address
from halimede_fetch.manifest import MODEL
from halimede_fetch.obtain import Found
from tests.support.pages import ROOT


def test_exit_codes_have_one_meaning() -> None:
    """Given the exit code of a fetcher, the operator finds the same reason as the fetcher."""
    assert constants(exit_codes) == constants(fetchers_exit_codes)


def test_both_know_the_same_formats_of_pickle() -> None:
    """Given a format, it executes code for the schema exactly if it does for the fetcher."""
    ours = constants(formats)
    assert ours == {name: getattr(fetchers_formats, name) for name in ours}


def test_pods_mount_what_the_fetcher_has_written() -> None:
    """Given the digest of a manifest, both find the model in the same folder of the cache."""
    files = "0123456789abcdef" * 4
    assert Path(cached_model(files)) == cache.place(Path(), files) / MODEL


@pytest.mark.parametrize("files", [None, "fe" * 32])
@pytest.mark.parametrize("commit", [None, "cd" * 20])
def test_operator_reads_what_the_fetcher_has_found(commit: str | None, files: str | None) -> None:
    """Given a termination message, the operator reads the digests from it."""
    match = TERMINATION_MESSAGE.fullmatch(termination_message(Found("ab" * 32, commit), files))
    assert match
    assert match.groups() == ("ab" * 32, commit, files)


@pytest.mark.parametrize(
    "uri",
    [
        "hf://org/repo",
        "hf://org/repo/a/b.onnx",
        "hf://org/repo@v1.0",
        "hf://org/repo@feature%2Fx/a@b",
        "hf://org/repo@refs/pr/12/onnx",
        "hf://org/repo@refs/convert/onnx",
        "hf://org/repo@refs/other",
    ],
)
def test_both_find_the_same_parts_of_an_address_on_a_hub(uri: str) -> None:
    """Given a commit, the operator writes it where the fetcher finds the revision."""
    hub, commit = "https://huggingface.co", "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"
    found = address.parse(at_commit(uri, commit), hub)
    assert found == replace(address.parse(uri, hub), revision=commit)


def test_both_programs_have_the_version_of_the_release() -> None:
    """Given the chart, whose tag is that of both images by default, both programs say it."""
    declared = [
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in ("", "jobs/fetch")
    ]
    assert [halimede.__version__, halimede_fetch.__version__] == declared
    assert len(set(declared)) == 1


def constants(module: Any) -> dict[str, Any]:
    """Return the constants of a module, of which there are some."""
    found = {name: value for name, value in vars(module).items() if name.isupper()}
    assert found
    return found
