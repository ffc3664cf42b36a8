"""A real S3 store, versitygw, and requests that its administrator signs.

The requests are signed here and not by a library, so that keys can be stored that libraries
normalize, and so that the fetcher's library is not tested by itself.
"""

import hashlib
import hmac
import json
import os
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from localcluster.build import VERSITYGW, build
from tests.support.waiting import wait_until

REGION = "us-east-1"
ADMINISTRATOR = {"AWS_ACCESS_KEY_ID": "administrator", "AWS_SECRET_ACCESS_KEY": "its-secret-key"}
"""The keys of a Secret that may read and write everything."""
STRANGER = {"AWS_ACCESS_KEY_ID": "stranger", "AWS_SECRET_ACCESS_KEY": "another-secret-key"}
"""The keys of a user who may read nothing."""
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running store."""

    port: int
    address: str
    """Where it listens."""
    ca: Path
    """Certificate of the CA that signed the store's."""
    objects: Path
    """The folder with a folder for each bucket."""

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"https://{self.address}:{self.port}"

    def add_bucket(self, bucket: str) -> None:
        """Create a bucket."""
        self._send("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, content: bytes = b"") -> None:
        """Store an object."""
        self._send("PUT", f"/{bucket}/{quote(key, safe='/~-._')}", content)

    def place(self, bucket: str, key: str) -> Path:
        """Return the path of a new file that the store serves as an object without an ETag."""
        path = self.objects / bucket / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _send(self, method: str, path: str, content: bytes = b"") -> None:
        """Send a request with the signature of the administrator ("Signature Version 4")."""
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"  # noqa: TID251  (part of the signature)
        digest = hashlib.sha256(content).hexdigest()
        host = f"{self.address}:{self.port}"
        headers = f"host:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n"
        request = f"{method}\n{path}\n\n{headers}\n{_SIGNED}\n{digest}"
        parts = (now[:8], REGION, "s3", "aws4_request")
        scope, hashed = "/".join(parts), hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{ADMINISTRATOR['AWS_SECRET_ACCESS_KEY']}".encode()
        for part in parts:
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashed}"
        credential = f"Credential={ADMINISTRATOR['AWS_ACCESS_KEY_ID']}/{scope}"
        signature = f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
        sent = urllib.request.Request(
            f"https://{host}{path}",
            content,
            {
                "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={_SIGNED},"
                f" {signature}",
                "x-amz-content-sha256": digest,
                "x-amz-date": now,
            },
            method=method,
        )
        context = ssl.create_default_context(cafile=self.ca)
        try:
            urllib.request.urlopen(sent, context=context, timeout=60).close()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error}: {error.read()!r}") from None


@contextmanager
def object_store(
    folder: Path,
    ca: Path,
    certificate: Path,
    key: Path,
    *,
    address: str = "127.0.0.1",
    enter: Sequence[str | Path] = (),
) -> Iterator[ObjectStore]:
    """Run a store during a with block.

    Args:
        folder: Where its objects are; those of an earlier store are there again.
        ca: Certificate of the CA.
        certificate: Its certificate, for *address*.
        key: The key of that.
        address: Where it listens.
        enter: A command that runs another one where *address* is.
    """
    folder = folder.resolve()
    paths = [folder / name for name in ("accounts", "versions", "objects")]
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
    accounts, versions, objects = paths
    _add_stranger(accounts)
    store = ObjectStore(_free_port(), address, ca, objects)
    keeps = ("posix", "--versioning-dir", versions, objects)
    listens = ("--port", f"{address}:{store.port}", "--cert", certificate, "--key", key)
    program = build((VERSITYGW,)) / VERSITYGW.name
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*enter, program, "--quiet", *listens, "--iam-dir", accounts, *keeps],
            env={
                **os.environ,
                "ROOT_ACCESS_KEY": ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
                "ROOT_SECRET_KEY": ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            if not enter:
                wait_until(lambda: _listens(store), explain=log.read_text)
            yield store
        finally:
            process.terminate()


def _add_stranger(accounts: Path) -> None:
    """Write the file from which the store reads its users."""
    user = {
        "access": STRANGER["AWS_ACCESS_KEY_ID"],
        "secret": STRANGER["AWS_SECRET_ACCESS_KEY"],
        "role": "user",
    }
    file = accounts / "users.json"
    file.write_text(json.dumps({"accessAccounts": {user["access"]: user}}))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _listens(store: ObjectStore) -> bool:
    try:
        socket.create_connection((store.address, store.port), timeout=10).close()
    except OSError:
        return False
    return True
