"""A server of a model that wants a token, inside the cluster."""

import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from select import select
from uuid import uuid4

from halimede.api.base import Manifest
from harness.models import Version
from localcluster import credentials
from localcluster.addresses import CLUSTER_IP
from localcluster.cluster import Cluster
from tests.support import model_server
from tests.support.waiting import wait_until


@dataclass
class ModelSource:
    """The server of a model."""

    process: subprocess.Popen[str]
    url: str
    token: str
    authority: str
    """The certificate of its CA."""
    archive: Path
    """What it serves."""

    def secret(self, name: str, namespace: str) -> Manifest:
        """Return the Secret with which its files can be fetched."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {"token": f"{self.token}\n", "ca.crt": self.authority},
        }

    def replace(self, version: Version) -> None:
        """Serve the files of another version at the same address."""
        self.archive.write_bytes(packed(version))

    def ends(self) -> None:
        """Stop: from now on there is nothing at the address."""
        self.process.terminate()
        self.process.wait()

    def waits_for_a_request(self, explain: Callable[[], str]) -> None:
        """Wait until a client has sent the token; the client then waits for the answer."""
        output = self.process.stdout
        assert output
        wait_until(lambda: select([output], [], [], 0)[0], explain=explain)
        assert output.readline() == "authorized\n"

    def answers(self) -> None:
        """Answer all requests."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def serving(cluster: Cluster, version: Version, folder: Path) -> Iterator[ModelSource]:
    """Serve the files of a version inside the cluster to clients that know the token."""
    archive = folder / "digits.tar.gz"
    archive.write_bytes(packed(version))
    (folder / "tls").mkdir()
    made = credentials.create(folder / "tls", cluster.binaries)
    token = f"token-{uuid4().hex}"
    arguments = (CLUSTER_IP, archive, made.certificate, made.key)
    command = cluster.inside(sys.executable, model_server.__file__, *arguments)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"Bearer {token}\n")
        process.stdin.flush()
        url = f"https://{CLUSTER_IP}:{process.stdout.readline().strip()}/digits.tar.gz"
        yield ModelSource(process, url, token, made.authority.read_text(), archive)
        process.stdin.close()


def packed(version: Version) -> bytes:
    """Return an archive of a version's files."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in version.files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return buffer.getvalue()
