"""The check before the start: each missing requirement is reported with a remedy."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from localcluster import folders, preflight, toolchain
from localcluster.preflight import CLUSTER, Problem, main, problems

PREFLIGHT = (sys.executable, "-m", "localcluster.preflight", CLUSTER)
IN_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def found(environment: Path) -> str:
    """Return all problems as one text."""
    return "\n".join(map(str, problems(CLUSTER, environment)))


def test_a_suitable_machine_gets_no_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine that runs these tests has no problem."""
    assert main(CLUSTER, tmp_path) == 0
    assert capsys.readouterr().err == ""


def test_everything_that_is_missing_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each problem has a line, and its remedy below it."""
    monkeypatch.setattr(preflight, "check_system", lambda: [Problem("no kernel", "install it")])
    monkeypatch.setattr(preflight, "check_go", lambda: [Problem("no Go", "fetch it")])
    assert main(CLUSTER, tmp_path) == 1
    output = capsys.readouterr().err
    assert output.splitlines()[1:] == [
        "  - no kernel",
        "      install it",
        "  - no Go",
        "      fetch it",
    ]


@pytest.mark.parametrize(("version", "said"), [((3, 10), "3.10"), ((3, 13), "3.13")])
def test_only_versions_with_packages_are_taken(
    version: tuple[int, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older or newer Python is rejected, and a supported one is named if there is one."""
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(preflight, "find_python", lambda: "python3.12")
    assert preflight.check_python() == [
        Problem(
            f"Python 3.11 or 3.12 is needed; {sys.executable} is {said}.",
            "Set the one to use: make PYTHON=python3.12 ...",
        )
    ]


def test_a_stub_on_path_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that answers to the name but fails is not suggested."""
    for version in preflight.PYTHONS:
        stub = tmp_path / "python{}.{}".format(*version)
        stub.write_text("#!/bin/sh\nexit 127\n")
        stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert preflight.find_python() is None


@pytest.mark.parametrize(
    ("system", "machine", "said"),
    [("Darwin", "arm64", "Linux is needed"), ("Linux", "riscv64", "The processor is riscv64")],
)
def test_other_systems_are_named(
    system: str, machine: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operating system or processor has no packages."""
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    (problem,) = preflight.check_system()
    assert problem.what.startswith(said)


def test_a_full_disk_is_found() -> None:
    """The message has the folder, the free and the needed space."""
    script = 'mount -t tmpfs -o size=1m none /mnt && XDG_STATE_HOME=/mnt/state exec "$@"'
    finished = subprocess.run(
        [*IN_NAMESPACES, script, "sh", *PREFLIGHT], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "  - /mnt has 0.0 GiB of disk space; 1 are needed." in finished.stderr


def test_a_folder_without_programs_is_found() -> None:
    """A folder that is mounted noexec or read-only is reported."""
    script = 'mount -t tmpfs -o noexec none /mnt && mkdir /mnt/e && exec "$@" /mnt/e'
    finished = subprocess.run(
        [*IN_NAMESPACES, script, "sh", *PREFLIGHT], capture_output=True, text=True, check=False
    )
    assert "  - /mnt/e is mounted noexec: programs cannot run there." in finished.stderr
    script = 'mount -t tmpfs -o ro none /mnt && exec "$@" /mnt/e'
    finished = subprocess.run(
        [*IN_NAMESPACES, script, "sh", *PREFLIGHT], capture_output=True, text=True, check=False
    )
    assert "  - /mnt is read-only for this user.\n" in finished.stderr
    assert "make VENV=/folder ..." in finished.stderr


def test_a_kernel_without_namespaces_is_found() -> None:
    """The message has the sysctl and the value that allows namespaces."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    finished = subprocess.run(
        [*IN_NAMESPACES, script, "sh", *PREFLIGHT], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "Namespaces cannot be created: unshare: No space left on device" in finished.stderr
    assert "sudo sysctl -w user.max_user_namespaces=10000" in finished.stderr


def test_a_machine_without_go_is_found_only_if_something_is_to_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go is taken from PATH or a wheel; without both it is missing."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(toolchain, "WHEEL_MACHINES", ())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (problem,) = preflight.check_go()
    assert "needed to build 6 programs" in problem.what
    for tool in preflight._unbuilt():
        (folders.cache() / f"{tool.name}-{tool.key}").mkdir(parents=True)
    assert preflight.check_go() == []
