"""fake-gcs-server, which answers as Google Cloud Storage does, but checks no credentials."""

import json
import socket
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from localcluster.build import FAKE_GCS, build
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class GoogleStore:
    """A running store."""

    port: int
    ca: Path
    """Certificate of the CA that signed the store's."""
    address: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"https://{self.address}:{self.port}"

    def add_bucket(self, bucket: str) -> None:
        """Create a bucket."""
        content = json.dumps({"name": bucket}).encode()
        self._post("/storage/v1/b?project=tests", "application/json", content)

    def put(self, bucket: str, key: str, content: bytes = b"") -> None:
        """Store an object."""
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}"
        self._post(path, "application/octet-stream", content)

    def _post(self, path: str, kind: str, content: bytes) -> None:
        request = urllib.request.Request(
            f"{self.url}{path}", content, {"Content-Type": kind}, method="POST"
        )
        context = ssl.create_default_context(cafile=self.ca)
        urllib.request.urlopen(request, context=context, timeout=60).close()


@contextmanager
def google_store(folder: Path, ca: Path, certificate: Path) -> Iterator[GoogleStore]:
    """Run a store during a with block.

    Args:
        folder: Where its objects are.
        ca: Certificate of the CA.
        certificate: Its certificate and key, for 127.0.0.1.
    """
    store = GoogleStore(_free_port(), ca)
    program = build((FAKE_GCS,)) / FAKE_GCS.name
    arguments = ("-filesystem-root", folder / "objects", "-public-host", store.address)
    files = ("-cert-location", certificate, "-private-key-location", certificate)
    at = ("-host", store.address, "-port", str(store.port))
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program, *arguments, *files, *at], stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_until(lambda: _listens(store.address, store.port), explain=log.read_text)
            yield store
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=10).close()
    except OSError:
        return False
    return True
