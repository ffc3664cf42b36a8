"""The installation: progress from pip's output, and its errors."""

import sys
from pathlib import Path

import pytest

from localcluster import install
from localcluster.install import InstallError, describe, locked
from localcluster.progress import Progress


def test_the_lock_names_all_packages() -> None:
    """Every pinned package counts, whatever its name."""
    names = locked(install.LOCK)
    assert {"kopf", "pydantic-core", "nvidia-pytriton"} <= set(names)
    assert len(names) == install.LOCK.read_text().count("==") - install.LOCK.read_text().count(
        " == "
    )


def test_pip_is_followed_package_by_package() -> None:
    """Packages are counted, also those for other machines; other lines are ignored."""
    names, taken = ["a", "b", "c"], set[str]()
    output = {
        "Collecting a==1.0 (from -r requirements/dev.txt (line 1))\n": "1 of 3: a",
        "  Downloading a-1.0-py3-none-any.whl.metadata (7 kB)\n": "",
        "Ignoring b: markers 'x' don't match your environment\n": "2 of 3: b",
        "Installing collected packages: a, c\n": "all are there, unpacking them",
    }
    assert {line: describe(line, names, taken) for line in output} == output


def test_an_installation_that_fails_shows_the_end_of_pips_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the command, its exit status and its last lines."""
    monkeypatch.setattr(install, "LOCK", tmp_path / "lock.txt")
    install.LOCK.write_text("no-such-package==1.0 --hash=sha256:" + "0" * 64)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(InstallError) as caught:
        install.install(tmp_path / "venv", Progress(lambda _: None))
    assert "--require-hashes" in str(caught.value)
    assert "exited with status 1. Its end:" in str(caught.value)
    assert "No matching distribution found for no-such-package==1.0" in str(caught.value)


def test_an_interpreter_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that cannot be run is an error that names it."""
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(InstallError, match="/nonexistent/python cannot be run"):
        install.install(Path("venv"), Progress(lambda _: None))
