"""Starts that cannot succeed end within their time limit and name the cause."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcluster import build, chart, launch
from localcluster.access import ClusterError
from localcluster.cluster import Part, up
from localcluster.launch import ClusterRequest

LIMIT = 120
"""Seconds after which a start counts as stuck; each cause is reported much earlier."""


def start(binaries: Path, *parts: Part) -> None:
    """Start a cluster of these programs and return the error."""
    request = ClusterRequest(f"broken-{os.getpid()}", binaries, parts, kwok_nodes=0, bound=True)
    launch.launch(request, lambda _: None)


@pytest.fixture
def binaries(tmp_path: Path) -> Path:
    """Return copies of a cluster's programs, to be broken one by one."""
    for program in build.build(build.EVERYTHING).iterdir():
        (tmp_path / program.name).symlink_to(program.resolve())
    return tmp_path


@pytest.mark.parametrize("name", ["make-certificate", "etcd", "kube-apiserver", "contour"])
def test_a_program_that_is_missing_is_named(binaries: Path, name: str) -> None:
    """Any missing program is named, whenever it is started."""
    (binaries / name).unlink()
    with pytest.raises(ClusterError, match=rf"No such file or directory: '[^']*/{name}'"):
        start(binaries, Part.GATEWAY)


def test_a_program_that_fails_shows_its_last_words(binaries: Path) -> None:
    """The error has its exit status and output."""
    (binaries / "kube-scheduler").unlink()
    (binaries / "kube-scheduler").write_text("#!/bin/sh\necho wrong machine; exit 3\n")
    (binaries / "kube-scheduler").chmod(0o755)
    with pytest.raises(ClusterError, match=r"kube-scheduler exited with status 3[^\0]*wrong mach"):
        start(binaries)


def test_a_start_that_hangs_times_out(binaries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging start ends after its time limit and names what it waited for."""
    (binaries / "make-certificate").unlink()
    (binaries / "make-certificate").write_text("#!/bin/sh\nexec sleep 1000\n")
    (binaries / "make-certificate").chmod(0o755)
    monkeypatch.setattr(launch, "START_SECONDS", 1)
    with pytest.raises(ClusterError, match="after 1 s it is still waiting for the certificates"):
        start(binaries)


@pytest.mark.parametrize("size", ["8k", "40k", "100k"])
def test_a_full_disk_is_named(size: str) -> None:
    """A full disk is reported at any point of the start."""
    script = f'mount -t tmpfs -o size={size} none /mnt && XDG_STATE_HOME=/mnt exec "$@"'
    up_there = (sys.executable, "-m", "localcluster", "up", "--name=full", "--only=control-plane")
    finished = subprocess.run(
        [
            "/usr/bin/env",
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
            *up_there,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert "No space left on device" in finished.stderr or "is full" in finished.stderr


def test_an_image_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart's installation ends after its time limit, with the node's message."""
    monkeypatch.setattr(chart, "REPOSITORY", "no-such-halimede")
    with up(f"image-{os.getpid()}", parts=(Part.NODE,)) as cluster:
        with pytest.raises(ClusterError) as caught:
            chart.install(cluster, within=30)
        assert 'has no image "no-such-' in str(caught.value)
        assert "ImagePull" in str(caught.value)
