"""A proxy before a server that passes bytes as they are, and cuts or slows down connections."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Fault:
    """What happens to a connection after so many bytes from the server; TLS adds some."""

    after: int
    drips: bool = False
    """Whether one byte follows every 10 ms; otherwise the connection is closed."""
    then: Callable[[], None] = lambda: None
    """Called after these bytes, before the connection is closed."""


@dataclass
class Proxy:
    """The running proxy."""

    target: tuple[str, int]
    url: str
    plan: list[Fault | None] = field(default_factory=list)
    """One for each connection, in their order; None and further connections: there is no fault."""
    closed: threading.Event = field(default_factory=threading.Event)

    def serve(self, client: socket.socket, fault: Fault | None) -> None:
        """Serve a connection until one side closes it, or the proxy ends."""
        with client, socket.create_connection(self.target) as server:
            upwards = threading.Thread(target=_pass_on, args=(client, server))
            upwards.start()
            with suppress(OSError):
                self._answer(client, server, fault)
            _end(client)
            _end(server)
            upwards.join()

    def _answer(self, client: socket.socket, server: socket.socket, fault: Fault | None) -> None:
        left = None if fault is None else fault.after
        while left is None or left > 0:
            block = server.recv(_BLOCK if left is None else min(_BLOCK, left))
            if not block:
                return
            client.sendall(block)
            left = None if left is None else left - len(block)
        if fault is not None:
            fault.then()
        while fault and fault.drips and not self.closed.wait(0.01):
            client.sendall(server.recv(1))


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(_BLOCK):
            sink.sendall(block)
    _end(sink)


def _end(side: socket.socket) -> None:
    """End a connection, also for a thread that waits for its next bytes."""
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(address: str, port: int, *, at: str = "127.0.0.1") -> Iterator[Proxy]:
    """Run a proxy to a server during a with block; it listens at the address *at*."""
    with socket.create_server((at, 0)) as listener:
        proxy = Proxy((address, port), f"https://{at}:{listener.getsockname()[1]}")

        def accept() -> None:
            clients: list[socket.socket] = []
            with ThreadPoolExecutor(max_workers=64) as pool:
                with suppress(OSError):  # the listener has ended
                    while True:
                        clients.append(listener.accept()[0])
                        fault = proxy.plan.pop(0) if proxy.plan else None
                        pool.submit(proxy.serve, clients[-1], fault)
                for client in clients:
                    _end(client)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.closed.set()
            _end(listener)
            thread.join()
