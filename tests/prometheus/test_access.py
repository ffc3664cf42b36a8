"""A real Prometheus behind TLS and a password."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.queries import plan_queries
from halimede.judge.reading import Answer, CounterSamples, Unavailable
from harness.prometheus import started
from localcluster import build
from tests.support.series import request
from tests.support.waiting import wait_until

OPEN, HASHED = "opensesame", "$2b$04$abcdefghijklmnopqrstuuFuhxWRTXIsURoluSTZ1N4tYaWGn9oOi"
"""A password and its bcrypt hash."""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Create a folder like a mounted Secret with all needed files."""
    folder = tmp_path / "secret"
    folder.mkdir()
    made = build.build((build.CONTROL_PLANE,)) / "make-certificate"
    subprocess.run([made, folder, "127.0.0.1"], check=True)
    (folder / "username").write_text("halimede")
    (folder / "password").write_text(OPEN)
    return folder


@pytest.fixture
def guarded(files: Path, tmp_path: Path) -> Iterator[str]:
    """Start a Prometheus that requires a certificate and a password."""
    tls = tmp_path / "tls"
    shutil.copytree(files, tls)
    web = tmp_path / "web.json"
    settings = {
        "tls_server_config": {
            "cert_file": str(tls / "tls.crt"),
            "key_file": str(tls / "tls.key"),
            "client_auth_type": "RequireAnyClientCert",
        },
        "basic_auth_users": {"halimede": HASHED},
    }
    web.write_text(json.dumps(settings))
    with started(tmp_path, {}, f"--web.config.file={web}") as address:
        host, _, port = address.partition(":")
        wait_until(lambda: _listens(host, int(port)), explain=(tmp_path / "log").read_text)
        yield f"https://{address}"


def _listens(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


async def said(url: str, folder: Path, *, insecure: bool = False) -> Answer:
    """Ask once."""
    metrics = PrometheusReader(url, credentials=str(folder), insecure=insecure)
    try:
        return (await metrics.read(plan_queries(request()))).answers[Source.TRITON]
    finally:
        metrics.close()


async def test_prometheus_is_asked_through_tls_with_certificate_and_password(
    guarded: str, files: Path
) -> None:
    """Both are required, and the error names the missing one."""
    answer = await said(guarded, files)
    assert answer == CounterSamples(())
    (files / "password").write_text("wrong")
    answer = await said(guarded, files)
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.REJECTED
    assert "HTTP 401" in answer.message
    (files / "password").write_text(OPEN)
    (files / "ca.crt").unlink()
    answer = await said(guarded, files)
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.UNREACHABLE
    assert "signed by ca.crt" in answer.message
    assert await said(guarded, files, insecure=True) == CounterSamples(())
    (files / "tls.crt").unlink()
    (files / "tls.key").unlink()
    answer = await said(guarded, files, insecure=True)
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.UNREACHABLE
