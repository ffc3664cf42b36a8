"""One large file over HTTPS on loopback, which may be an S3 object, for `bench.fetch`.

It is a process of its own: `python -m bench.file_server MEBIBYTES` prints its port.
"""

import os
import ssl
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from typing_extensions import override

TLS = Path(__file__).parent.parent / "tests" / "unit" / "fetch" / "tls"
CA = TLS / "ca.pem"
MEBIBYTE = 1 << 20


def serve(mebibytes: int) -> None:
    """Serve the file at any path until the process ends, and print the port."""
    block = os.urandom(MEBIBYTE)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_HEAD()
            with suppress(ConnectionError):  # the client may have closed the connection
                for _ in range(mebibytes):
                    self.wfile.write(block)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(mebibytes * MEBIBYTE))
            self.send_header("ETag", '"1"')
            self.send_header("Last-Modified", self.date_time_string())
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
