"""A model from a hub that wants a token."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from harness.models import Version
from localcluster import credentials
from localcluster.addresses import CLUSTER_IP
from tests.e2e.user import User
from tests.e2e.visible import leaks, seen_by_users, seen_of_processes
from tests.support import fake_hub

SECRET = "hub"


@dataclass
class Hub:
    """The hub."""

    url: str
    token: str
    authority: str
    """The certificate of its CA."""


@pytest.fixture
def hub(user: User, versions: dict[str, Version], tmp_path: Path) -> Iterator[Hub]:
    """Serve the files of v1 inside the cluster to clients that know the token."""
    files = versions["v1"].write(tmp_path / "files")
    (tmp_path / "tls").mkdir()
    made = credentials.create(tmp_path / "tls", user.cluster.binaries)
    token = f"hf_{uuid4().hex}"
    arguments = (CLUSTER_IP, files, made.certificate, made.key)
    command = user.cluster.inside(sys.executable, fake_hub.__file__, *arguments)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{token}\n")
        process.stdin.flush()
        yield Hub(process.stdout.readline().strip(), token, made.authority.read_text())
        process.stdin.close()


def test_a_model_from_a_hub_answers(user: User, hub: Hub) -> None:
    """Given a private model on a mirror of the hub, then it is served.

    While the Secret lacks the token, the message says what to put where. Nothing shows the token.
    """
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": user.namespace},
        "stringData": {"ca.crt": hub.authority},
    }
    user.apply(secret)
    user.asks_for(
        "v1",
        model__storageUri=f"hf://{fake_hub.MODEL}",
        model__secretName=SECRET,
        model__supply={"endpoint": hub.url},
        rollout__progressDeadlineSeconds=600,
    )
    user.sees(
        "the cure",
        lambda seen: "put a token that may read it as the key HF_TOKEN" in str(seen.status),
    )
    user.apply(secret | {"stringData": {"ca.crt": hub.authority, "HF_TOKEN": f"{hub.token}\n"}})
    user.sees("Ready", lambda seen: seen.ready)
    user.starts_load()
    assert user.errors() == []
    assert leaks(seen_of_processes(user) | seen_by_users(user), hub.token) == []
