"""Serves one file over HTTPS to clients with the right Authorization header.

It is a program, because pods reach only what runs inside the cluster's namespaces. Arguments: the
address, the file, its certificate and key. The header is the first line of the standard input, so
that no argument has the credential. It prints its port, then a line for each request, and answers
after another line of the input. It ends with the input.
"""

import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(address: str, file: str, certificate: str, key: str) -> None:
    """Serve until the standard input ends."""
    expected = sys.stdin.readline().strip()
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != expected:
                self.send_error(401)
                return
            sys.stdout.write("authorized\n")
            sys.stdout.flush()
            released.wait()
            content = Path(file).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((address, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        released.set()


if __name__ == "__main__":
    serve(*sys.argv[1:])
