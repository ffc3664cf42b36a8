"""Clients of the gateway, over HTTP and gRPC, that count every response."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import grpc
import grpc.aio

from tests.localcluster.addons.manifests import GRPC_PATH
from tests.support.waiting import WITHIN

METHOD = f"{GRPC_PATH}/ModelInfer"
CALLERS = 6
"""Concurrent callers per protocol."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one call."""

    protocol: str
    status: str
    """The HTTP status, or the name of the gRPC code."""
    backend: str = ""
    revision: str = ""
    """The header that the route adds."""

    @property
    def good(self) -> bool:
        """Whether the call succeeded."""
        return self.status in {"200", "OK"}


@dataclass
class Calls:
    """The results so far."""

    answers: Counter[Answer] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def bad(self) -> list[Answer]:
        """The failed calls."""
        return [answer for answer in self.answers if not answer.good]

    def of(self, backend: str, protocol: str | None = None) -> int:
        """Return the number of responses of a backend."""
        return sum(
            number
            for answer, number in self.answers.items()
            if answer.backend == backend and protocol in {None, answer.protocol}
        )

    async def note(self, answer: Answer) -> None:
        """Record a result."""
        async with self.changed:
            self.answers[answer] += 1
            self.changed.notify_all()

    async def more(self, number: int, backend: str | None = None) -> None:
        """Wait for this number of further responses, optionally of one backend."""
        goal = self._count(backend) + number
        try:
            async with asyncio.timeout(WITHIN), self.changed:
                await self.changed.wait_for(lambda: self._count(backend) >= goal)
        except TimeoutError as error:
            seen = "\n".join(f"{count} of {answer}" for answer, count in self.answers.items())
            why = f"not {goal} answers within {WITHIN:g} s; seen:\n{seen}"
            raise AssertionError(why) from error

    def _count(self, backend: str | None) -> int:
        return self.answers.total() if backend is None else self.of(backend)


async def call_http(session: aiohttp.ClientSession, url: str, hostname: str) -> Answer:
    """Call once over HTTP."""
    try:
        async with session.post(url, data=b"x" * 500, headers={"Host": hostname}) as answer:
            text = await answer.text()
            revision = answer.headers.get("x-revision", "")
            return Answer("http", str(answer.status), text, revision)
    except (aiohttp.ClientError, OSError) as error:
        return Answer("http", repr(error))


async def call_grpc(channel: grpc.aio.Channel, body: bytes = b"x" * 500) -> Answer:
    """Call once over gRPC."""
    call = channel.unary_unary(METHOD)(body, timeout=10)
    try:
        backend = (await call).decode()
    except grpc.aio.AioRpcError as error:
        return Answer("grpc", error.code().name)
    metadata = dict(await call.initial_metadata() or ())
    return Answer("grpc", "OK", backend, str(metadata.get("x-revision", "")))


def open_channel(gateway: tuple[str, int], hostname: str) -> grpc.aio.Channel:
    """Return a channel whose requests have the hostname of a route."""
    address = f"{gateway[0]}:{gateway[1]}"
    return grpc.aio.insecure_channel(address, options=[("grpc.default_authority", hostname)])


@asynccontextmanager
async def calling(gateway: tuple[str, int], hostname: str) -> AsyncIterator[Calls]:
    """Call over both protocols continuously while the block runs."""
    calls = Calls()
    url = f"http://{gateway[0]}:{gateway[1]}/v2/models/digits/infer"
    async with aiohttp.ClientSession() as session, open_channel(gateway, hostname) as channel:
        going = True

        async def over_http() -> None:
            while going:
                await calls.note(await call_http(session, url, hostname))

        async def over_grpc() -> None:
            while going:
                await calls.note(await call_grpc(channel))

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(over_http())
                group.create_task(over_grpc())
            try:
                yield calls
            finally:
                going = False
