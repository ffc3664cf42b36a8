"""The commands on a cache: what reaches the log and the pod's status, and the exit status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from halimede_fetch import report
from halimede_fetch.exit_codes import TRY_AGAIN
from halimede_fetch.main import main
from tests.support.pages import ROOT
from tests.support.waiting import wait_until
from tests.unit.fetch.cached import KEPT, Cache, source_of
from tests.unit.fetch.conftest import TLS, Site, mount_secret, published


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the termination message."""
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(report, "TERMINATION_LOG", path)
    return path


def test_job_fetches_and_pods_verify(cache: Cache, log: Path, tmp_path: Path) -> None:
    """Given a source, `fetch` reports what `verify` needs, also on a read-only volume."""
    source = source_of(tmp_path / "source")
    assert main(["fetch", "--source", str(source), "--cache", str(cache.root)]) == 0
    (files,) = cache.models()
    assert log.read_text() == f"sha256:{cache.fetch(source)[0]} files:{files}"
    before = published(cache.root)
    assert main(["verify", "--cache", str(cache.root), "--files", files]) == 0
    assert log.read_text() == f"files:{files}"
    assert published(cache.root) == before
    assert published(cache.model(files)) == KEPT


def test_damage_is_the_termination_message(cache: Cache, log: Path, tmp_path: Path) -> None:
    """Given a damaged model, the pod's status names the file and the cure."""
    _, files = cache.fetch(source_of(tmp_path / "source"))
    cache.edit(cache.model(files) / "1/model.onnx", b"")
    assert main(["verify", "--cache", str(cache.root), "--files", files]) == 1
    assert log.read_text() == (
        f"the model {files} in the cache is damaged: '1/model.onnx' differs. Use the command"
        " `retry`, which fetches it again if the spec asks for it, or restore the volume of the"
        " claim in spec.model.supply.cache.volume.claimName"
    )


def test_slow_volume_is_tried_again(cache: Cache, log: Path, tmp_path: Path) -> None:
    """Given too little time, the restart of the pod is no crash of the revision."""
    _, files = cache.fetch(source_of(tmp_path / "source"))
    limit = ("--timeout-seconds", "0")
    verify = ["verify", "--cache", str(cache.root), "--files", files, *limit]
    assert main(verify) == TRY_AGAIN
    assert "spec.model.fetchTimeoutSeconds (0 s)" in log.read_text()


@pytest.mark.parametrize("arguments", [(), ("--to", "a", "--cache", "b")])
def test_there_is_one_place(arguments: tuple[str, ...]) -> None:
    """Given no place or two, the command does nothing."""
    with pytest.raises(SystemExit) as ended:
        main(["fetch", "--source", "/", *arguments])
    assert ended.value.code == 2


def test_deleted_job_leaves_nothing(cache: Cache, site: Site, tmp_path: Path) -> None:
    """Given a Job that is deleted during a download, its stage is deleted: the volume stays."""
    site.slow["/model.onnx"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    secret = mount_secret(tmp_path / "secret", {"ca.crt": (TLS / "ca.pem").read_bytes()})
    arguments = ("--source", f"{site.url}/model.onnx", "--credentials", str(secret))
    command = [sys.executable, "-m", "halimede_fetch", "fetch", "--cache", str(cache.root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "jobs/fetch")}
    with subprocess.Popen([*command, *arguments], env=environment) as process:
        wait_until(
            lambda: [*cache.root.glob("stage/*/*/*/*/model.onnx")],
            explain=lambda: str(cache.stages()),
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert cache.stages() == []
