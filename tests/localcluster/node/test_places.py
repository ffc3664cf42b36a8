"""A cluster whose files are in paths over which the cluster or a pod mounts volumes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcluster import folders
from localcluster.cluster import Cluster, find
from localcluster.node.downward_api import Json
from tests.localcluster.node.pods import Pods

CHECKOUT = Path(__file__).parents[3]
MOUNTED = ("/tmp", "/home", "/root", "/srv", "/var", "/dev/shm", "/run")
"""Paths of the test pod's empty volumes."""


@pytest.fixture(params=["/tmp", "/dev/shm"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Make a folder with special characters, behind a link, and too deep for a socket."""
    with tempfile.TemporaryDirectory(dir=request.param, prefix="""a "place", 1 #2 """) as made:
        folder = Path(made, *["deep"] * 25)
        folder.mkdir(parents=True)
        link = Path(made, "link")
        link.symlink_to(folder)
        yield link


@pytest.fixture
def cluster(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Start a cluster with a checkout, a virtual environment and a home in that folder."""
    built = folders.cache()
    name = f"place-{os.getpid()}"
    (place / "checkout").symlink_to(CHECKOUT)
    program = make_environment(place / "venv")
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("TMPDIR", str(place))
    folders.cache().mkdir(parents=True)
    for entry in built.iterdir():
        (folders.cache() / entry.name).symlink_to(entry)
    up = [program, "-m", "localcluster", "up", "--name", name, "--only", "node,gateway,prometheus"]
    started = subprocess.run(
        up,
        cwd=place / "checkout",
        env={**os.environ, "PYTHONPATH": f"{place}/checkout/operator:{place}/checkout"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    with find(name) as running:
        evaluated = ["sh", "-c", f'{started.stdout} printf %s "$KUBECONFIG"']
        result = subprocess.run(evaluated, capture_output=True, text=True, check=True)
        assert result.stdout == str(running.kubeconfig)
        yield running


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with the packages of this one; return its interpreter.

    They are added by a path, so only the cluster's own processes have them.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    used = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "used.pth").write_text("\n".join(used))
    return folder / "bin" / "python"


def test_pods_run_wherever_the_files_lie(cluster: Cluster) -> None:
    """The interpreter starts in a pod whose volumes cover every folder of the host."""
    pods = Pods(cluster)
    volumes = [{"name": f"v{number}", "emptyDir": {}} for number in range(len(MOUNTED))]
    mounts = [
        {"name": volume["name"], "mountPath": path}
        for volume, path in zip(volumes, MOUNTED, strict=True)
    ]
    spec: Json = {"volumes": volumes, "restartPolicy": "Never"}
    script = "import os, ssl, sys; print(sys.prefix, os.listdir('/tmp'))"
    pods.run("p", "python3", "-c", script, spec=spec, volumeMounts=mounts)
    assert pods.output("p") == "/opt/halimede []\n"
