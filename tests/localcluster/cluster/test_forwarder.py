"""The forwarder: it copies bytes both ways and passes on the end of a connection."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def inside() -> Iterator[socket.socket]:
    """A server's socket behind the forwarder."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        yield listening


@pytest.fixture
def outside(inside: socket.socket) -> Iterator[tuple[str, int]]:
    """The address at which the forwarder listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        routes = json.dumps([[listening.fileno(), *inside.getsockname()]])
        command = [sys.executable, "-m", "localcluster.forwarder", routes]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as forwarder:
            yield listening.getsockname()
            forwarder.kill()


def test_much_is_carried_whole_and_in_order(
    inside: socket.socket, outside: tuple[str, int]
) -> None:
    """An echo returns all bytes in order after the sender has closed its side."""
    sent = bytes(range(256)) * 40_000

    def echo() -> None:
        connection, _ = inside.accept()
        with connection:
            received = b"".join(iter(lambda: connection.recv(65536), b""))
            connection.sendall(received)

    echoing = threading.Thread(target=echo)
    echoing.start()
    with socket.create_connection(outside, timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    echoing.join()
    assert received == sent


def test_a_connection_without_a_backend_is_closed(
    inside: socket.socket, outside: tuple[str, int]
) -> None:
    """If nothing listens inside, the caller's connection ends at once."""
    inside.close()
    caller = socket.create_connection(outside, timeout=20)
    with caller, contextlib.suppress(ConnectionResetError):
        assert caller.recv(1) == b""
