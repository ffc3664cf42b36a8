"""Requests to an S3 store with the signature of its administrator ("Signature Version 4").

They are signed here and not by a library, so that keys can be stored that libraries normalize, and
so that the fetcher's library is not tested by itself.
"""

import hashlib
import hmac
import ssl
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from localcluster.access import ClusterError

REGION = "us-east-1"
ADMINISTRATOR = {"AWS_ACCESS_KEY_ID": "administrator", "AWS_SECRET_ACCESS_KEY": "its-secret-key"}
"""The keys of a Secret that may read and write everything."""
TIMEOUT_SECONDS = 60.0
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


def send(
    method: str, address: str, port: int, path: str, content: bytes = b"", *, ca: Path
) -> None:
    """Send a request.

    Args:
        method: Of HTTP.
        address: Where the store is reached. Variables that name a proxy are ignored.
        port: The port there.
        path: Percent-encoded.
        content: The body.
        ca: Certificate of the CA that signed the store's.

    Raises:
        ClusterError: The store could not be reached, or returned an error.
    """
    trusting = ssl.create_default_context(cafile=ca)
    connection = HTTPSConnection(address, port, timeout=TIMEOUT_SECONDS, context=trusting)
    with closing(connection):
        try:
            connection.request(
                method, path, content, _headers(method, f"{address}:{port}", path, content)
            )
            response = connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            reason = f"{error or type(error).__name__}"
            raise ClusterError(f"{method} https://{address}:{port}{path}: {reason}") from error
    if response.status >= 300:
        raise ClusterError(f"{method} {path}: status {response.status}: {answer!r}")


def _headers(method: str, host: str, path: str, content: bytes) -> dict[str, str]:
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"  # part of the signature
    digest = hashlib.sha256(content).hexdigest()
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
    return {
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={_SIGNED}, {signature}",
        "x-amz-content-sha256": digest,
        "x-amz-date": now,
    }
