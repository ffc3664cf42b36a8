"""Simulate many users: over HTTP single images, over gRPC batches, at a steady rate.

The load runs in a process of its own, so that drawing the screen never delays a request. It ends
after its time, on a signal, or when the process that started it is gone.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from harness.callers import Caller, GrpcCaller, HttpCaller
from harness.images import Images
from harness.records import Journal, Protocol


@dataclass(frozen=True, slots=True)
class Plan:
    """The target of a load, its images, rate and duration."""

    http: str
    """Where to send HTTP, host:port; behind the gateway the same as ``grpc``."""
    grpc: str
    authority: str
    """The hostname that the route answers to."""
    model: str
    images: Images
    """The images to send."""
    records: Path
    """File that each request adds a line to."""
    rate: float = 70.0
    """Requests started per second, both protocols together."""
    seconds: float = 270.0
    """The most seconds that the load runs."""
    grpc_share: float = 0.4
    batch: int = 4
    """Images in one gRPC request."""
    in_flight: int = 64
    """Requests under way at once; beyond it the load slows down instead of piling up."""
    seed: int = 0


class Load:
    """The running load, as the process that started it sees it."""

    def __init__(self, plan: Plan) -> None:
        """Prepare to send according to ``plan``; old records in its file are deleted."""
        plan.records.parent.mkdir(parents=True, exist_ok=True)
        plan.records.unlink(missing_ok=True)
        self.plan = plan
        self.journal = Journal(plan.records)
        # spawn, not fork: gRPC's threads do not survive a fork.
        self._process = multiprocessing.get_context("spawn").Process(
            target=run, args=(plan,), name="load", daemon=True
        )

    def start(self) -> None:
        """Start sending in a process of its own."""
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether requests are still being sent."""
        return self._process.is_alive()

    def stop(self) -> None:
        """Let the requests under way finish, end the process, and read its last records."""
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()
        self.journal.catch_up()


def run(plan: Plan) -> None:
    """Send requests according to ``plan`` until it is over."""
    asyncio.run(_run(plan))


async def _run(plan: Plan) -> None:
    over = _end_signal()
    with plan.records.open("a", buffering=1) as records:
        async with _callers(plan) as callers, asyncio.TaskGroup() as group:
            await _pace(plan, callers, records, group, over)


def _end_signal() -> asyncio.Event:
    """Return an event that is set on SIGTERM, SIGINT or when the parent process ends."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if parent := multiprocessing.parent_process():
        loop.add_reader(parent.sentinel, over.set)
    return over


@asynccontextmanager
async def _callers(plan: Plan) -> AsyncIterator[dict[Protocol, Caller]]:
    callers: dict[Protocol, Caller] = {
        Protocol.HTTP: HttpCaller(plan.http, plan.authority, plan.model),
        Protocol.GRPC: GrpcCaller(plan.grpc, plan.authority, plan.model),
    }
    try:
        yield callers
    finally:
        for caller in callers.values():
            await caller.close()


async def _pace(
    plan: Plan,
    callers: dict[Protocol, Caller],
    records: TextIO,
    group: asyncio.TaskGroup,
    over: asyncio.Event,
) -> None:
    """Start a request at each tick of a fixed clock: a slow answer delays no other user."""
    loop = asyncio.get_running_loop()
    random = np.random.default_rng(plan.seed)
    slots = asyncio.Semaphore(plan.in_flight)
    start = loop.time()
    for number in range(round(plan.rate * plan.seconds)):
        await _sleep_until(start + number / plan.rate, over)
        if over.is_set():
            return
        protocol = Protocol.GRPC if random.random() < plan.grpc_share else Protocol.HTTP
        count = plan.batch if protocol is Protocol.GRPC else 1
        images = plan.images.pick(random.integers(len(plan.images), size=count))
        await slots.acquire()
        task = group.create_task(_ask(callers[protocol], images, records))
        task.add_done_callback(lambda _: slots.release())


async def _ask(caller: Caller, images: Images, records: TextIO) -> None:
    record = await caller.ask(images)
    records.write(record.line() + "\n")


async def _sleep_until(tick: float, over: asyncio.Event) -> None:
    """Sleep until the next tick, or less when the load is to end."""
    pause = tick - asyncio.get_running_loop().time()
    try:
        await asyncio.wait_for(over.wait(), max(pause, 0))
    except TimeoutError:
        return
