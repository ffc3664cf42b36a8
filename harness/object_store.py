"""A real S3 store, versitygw: inside a local cluster, or on loopback."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from halimede.api.base import Manifest
from harness.signed_request import ADMINISTRATOR, REGION, send
from localcluster import credentials, folders
from localcluster.access import ClusterError
from localcluster.addresses import CLUSTER_IP
from localcluster.build import VERSITYGW, build
from localcluster.cluster import Cluster
from localcluster.waiting import GaveUpError, show_end, wait_until

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
"""Seconds until a store that does not answer counts as failed."""
NO_USERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running store."""

    url: str
    """Its endpoint for those who are where it runs: in a cluster, the pods."""
    address: str
    """Where requests from here reach it."""
    port: int
    ca: Path
    """Certificate of the CA that signed the store's."""
    objects: Path
    """The folder with a folder for each bucket."""

    def add_bucket(self, bucket: str) -> None:
        """Create a bucket. Raise ``ClusterError``, as `put` does."""
        self._send("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, content: bytes = b"") -> None:
        """Store an object."""
        self._send("PUT", f"/{bucket}/{quote(key, safe='/~-._')}", content)

    def place(self, bucket: str, key: str) -> Path:
        """Return the path of a new file that the store serves as an object without an ETag."""
        path = self.objects / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def supply(self) -> Manifest:
        """Return the fields of `spec.model.supply` with which pods reach it."""
        return {"endpoint": self.url, "region": REGION}

    def secret(self, name: str, namespace: str, **changes: str) -> Manifest:
        """Return the Secret with the keys of the administrator, and with other keys instead."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": {**ADMINISTRATOR, "ca.crt": self.ca.read_text(), **changes},
        }

    def missing(self) -> str:
        """Return why it does not answer, "" if it does."""
        try:
            self._send("GET", "/")
        except ClusterError as error:
            return str(error)
        return ""

    def _send(self, method: str, path: str, content: bytes = b"") -> None:
        send(method, self.address, self.port, path, content, ca=self.ca)


@contextmanager
def store_inside(cluster: Cluster) -> Iterator[ObjectStore]:
    """Run an empty store where the pods of a cluster are; its log stays with the cluster's.

    Raise ``ClusterError`` if it does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="object-store-", dir=cluster.directory) as name,
        socket.create_server((LOOPBACK, 0)) as outside,
    ):
        folder, port = Path(name), outside.getsockname()[1]
        (tls := folder / "tls").mkdir()
        made = credentials.create(tls, cluster.binaries)
        # Its port is the one outside: that is free, and differs from those of other stores.
        url, objects = f"https://{CLUSTER_IP}:{port}", _folder(folder, "objects")
        store = ObjectStore(url, LOOPBACK, port, made.authority, objects)
        command = _command(folder, (CLUSTER_IP, port), made.certificate, made.key, NO_USERS)
        log = cluster.directory / "logs" / f"{folder.name}.log"
        with _forwarding(cluster, outside, log), _running(store, cluster.inside(*command), log):
            yield store


@contextmanager
def store_on_loopback(
    folder: Path, ca: Path, certificate: Path, key: Path, users: Mapping[str, str] = NO_USERS
) -> Iterator[ObjectStore]:
    """Run an empty store.

    Args:
        folder: An empty one, for its files.
        ca: Certificate of the CA.
        certificate: Its certificate.
        key: The key of that.
        users: The secret keys of users who may read nothing, by access key.

    Raises:
        ClusterError: It does not start.
    """
    with socket.create_server((LOOPBACK, 0)) as reserved:
        port = reserved.getsockname()[1]
    url, objects = f"https://{LOOPBACK}:{port}", _folder(folder, "objects")
    store = ObjectStore(url, LOOPBACK, port, ca, objects)
    command = _command(folder, (LOOPBACK, port), certificate, key, users)
    with _running(store, command, folder / "log"):
        yield store


def _command(
    folder: Path, listens: tuple[str, int], certificate: Path, key: Path, users: Mapping[str, str]
) -> list[str | Path]:
    """Write the file with the users, and return the command of a store."""
    accounts = {
        access: {"access": access, "secret": secret, "role": "user"}
        for access, secret in users.items()
    }
    file = _folder(folder, "accounts") / "users.json"
    credentials.write_secret(file, json.dumps({"accessAccounts": accounts}))
    return [
        build((VERSITYGW,)) / VERSITYGW.name,
        "--quiet",
        *("--port", "{}:{}".format(*listens), "--cert", certificate, "--key", key),
        *("--iam-dir", file.parent),
        *("posix", "--versioning-dir", _folder(folder, "versions"), _folder(folder, "objects")),
    ]


def _folder(folder: Path, name: str) -> Path:
    path = folder.resolve() / name
    path.mkdir(exist_ok=True)
    return path


@contextmanager
def _forwarding(cluster: Cluster, outside: socket.socket, log: Path) -> Iterator[None]:
    """Forward connections from outside to the same port inside."""
    routes = json.dumps([(outside.fileno(), CLUSTER_IP, outside.getsockname()[1])])
    command = cluster.inside(sys.executable, "-m", "localcluster.forwarder", routes)
    where = folders.SOURCE.parent
    with _process(command, log, cwd=where, pass_fds=(outside.fileno(),)):
        yield


@contextmanager
def _running(store: ObjectStore, command: Sequence[str | Path], log: Path) -> Iterator[None]:
    """Run the command of a store, and wait until it answers."""
    keys = {
        "ROOT_ACCESS_KEY": ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_KEY": ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
    }
    with _process(command, log, env={**os.environ, **keys}) as process:
        _await_answer(store, process, log)
        yield


@contextmanager
def _process(
    command: Sequence[str | Path], log: Path, **how: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends; its output goes to the end of a log."""
    with (
        log.open("ab") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **how) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _await_answer(store: ObjectStore, process: subprocess.Popen[bytes], log: Path) -> None:
    def missing() -> str:
        last = store.missing()
        if last and (status := process.poll()) is not None:
            end = show_end(log)
            raise ClusterError(f"{VERSITYGW.name} exited with status {status}. {end}")
        return last

    try:
        wait_until(f"{VERSITYGW.name}'s answer", missing, START_SECONDS, lambda: show_end(log))
    except GaveUpError as error:
        raise ClusterError(str(error)) from error
