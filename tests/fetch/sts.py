"""A token service: it gives credentials for the token of a ServiceAccount, as AWS STS does."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from harness.signed_request import ADMINISTRATOR

ROLE = "arn:aws:iam::123456789012:role/models"
TOKEN = "token-of-the-service-account"
_ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken></SessionToken><Expiration>{end}</Expiration>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
_REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
<Type>Sender</Type><Code>{code}</Code><Message>{token}</Message></Error></ErrorResponse>"""


@dataclass
class TokenService:
    """The running service."""

    url: str = ""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Status and code of the answers to the next requests."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The parameters of each request."""

    def answer(self, asked: dict[str, str]) -> tuple[int, str]:
        """Return the status and the text of an answer."""
        self.asked.append(asked)
        if self.refusals:
            status, code = self.refusals.pop(0)
            return status, _REFUSED.format(code=code, token=asked["WebIdentityToken"])
        if (asked["RoleArn"], asked["WebIdentityToken"]) != (ROLE, TOKEN):
            return 403, _REFUSED.format(code="AccessDenied", token=asked["WebIdentityToken"])
        end = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251  (AWS states a time)
        key, secret = ADMINISTRATOR.values()
        return 200, _ANSWER.format(key=key, secret=secret, end=f"{end:%Y-%m-%dT%H:%M:%SZ}")


@contextmanager
def token_service(certificate: Path) -> Iterator[TokenService]:
    """Run a token service during a with block."""
    service = TokenService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            query = self.path.partition("?")[2] or self.rfile.read(size).decode()
            asked = {key: values[0] for key, values in parse_qs(query).items()}
            status, text = service.answer(asked)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
