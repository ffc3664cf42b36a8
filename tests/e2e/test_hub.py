"""A model from a hub that wants a token."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from halimede.api.reasons import Reason
from harness.models import Version
from localcluster import credentials
from localcluster.addresses import CLUSTER_IP
from tests.e2e.user import User, ready
from tests.e2e.visible import leaks, seen_by_users, seen_of_processes
from tests.support import fake_hub
from tests.support.waiting import wait_until

SECRET = "hub"


@dataclass
class Hub:
    """The hub."""

    process: subprocess.Popen[str]
    url: str
    token: str
    authority: str
    """The certificate of its CA."""

    def push(self, folder: Path) -> None:
        """Let the files in a folder be the model's next commit."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


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
        url = process.stdout.readline().strip()
        yield Hub(process, url, token, made.authority.read_text())
        process.stdin.close()


def asks_for(user: User, hub: Hub, **changes: object) -> None:
    """Ask for the model on the hub."""
    user.asks_for(
        "v1",
        model__storageUri=f"hf://{fake_hub.MODEL}",
        model__secretName=SECRET,
        model__supply={"endpoint": hub.url},
        **changes,
    )


def ready_pods(user: User) -> int:
    """Return how many pods are ready."""
    pods = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    conditions = [one for pod in pods for one in pod["status"].get("conditions", ())]
    return sum((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def test_a_model_from_a_hub_answers(user: User, hub: Hub, tmp_path: Path) -> None:
    """Given a private model on a mirror of the hub, then it is served.

    Nothing shows the token. While the Secret lacks it, the message says what to put where. After
    a push, the new pods of the revision serve the commit that its first pod served.
    """
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": user.namespace},
        "stringData": {"ca.crt": hub.authority},
    }
    user.apply(secret)
    asks_for(user, hub)
    seen = user.sees("the failure", lambda seen: ready(seen).reason == Reason.UNRESOLVED)
    assert "put a token that may read it as the key HF_TOKEN" in ready(seen).message

    user.apply(secret | {"stringData": {"ca.crt": hub.authority, "HF_TOKEN": f"{hub.token}\n"}})
    user.commands("retry")
    revision = user.sees("Ready", lambda seen: seen.ready).stable
    user.starts_load()

    hub.push(user.versions["v2"].write(tmp_path / "next"))
    asks_for(user, hub, replicas=3)
    wait_until(lambda: ready_pods(user), lambda found: found == 3, explain=user.explain)
    user.waits_for_requests(100)
    assert user.errors() == []
    assert {record.revision for record in user.requests()} == {revision}
    assert leaks(seen_of_processes(user) | seen_by_users(user), hub.token) == []
