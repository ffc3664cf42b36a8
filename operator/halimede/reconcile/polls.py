"""Polls of Prometheus, which run beside the reconciles.

A reconcile never waits for Prometheus. If a poll is due, it begins the poll and ends; when the
answers are there, the key is put on the queue, and the next reconcile judges them. A
ModelDeployment has one poll at a time. Polls of a namespace share their queries, unless a user has
written some of them. A namespace reads a few polls, or batches of them, at a time, so that slow
queries do not delay the polls of others.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from halimede import telemetry
from halimede.adapters.prometheus import THREADS, MetricsReader
from halimede.adapters.store import Key
from halimede.api.reasons import UnavailableReason
from halimede.judge.reading import History, MetricsQueries, Reading, Unavailable
from halimede.plan.metrics_request import PollBasis
from halimede.reconcile.fair_slots import FairSlots
from halimede.reconcile.shared_polls import Group, PlanPoll, SharedPolls

LANE = THREADS // 2
"""Slots of the polls with users' queries, and of those without. Users may write slow queries; the
built-in ones take milliseconds."""
CUSTOM_PER_NAMESPACE = 2
BUILT_IN_PER_NAMESPACE = 4
WAIT_SECONDS = 60.0
"""How long a poll waits for a slot before it ends without answers and says so."""


@dataclass(frozen=True, slots=True)
class _Poll:
    basis: PollBasis
    task: "asyncio.Task[Reading | None]"


class Polls:
    """The polls that run, and the answers that no reconcile has judged yet."""

    def __init__(
        self,
        reader: MetricsReader,
        wake: Callable[[Key], None],
        clock: Callable[[], float],
        *,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Poll by *reader*.

        Args:
            reader: It runs the queries.
            wake: Puts a key on the queue; called when its answers are there.
            clock: Returns the UNIX time.
            wait_seconds: How long a poll waits for a slot.
        """
        self._reader, self._wake, self._clock = reader, wake, clock
        self._wait_seconds = wait_seconds
        self._polls: dict[Key, _Poll] = {}
        built_in = FairSlots(LANE, BUILT_IN_PER_NAMESPACE)
        self._custom = FairSlots(LANE, CUSTOM_PER_NAMESPACE)
        self._shared = SharedPolls(reader, built_in, clock)

    def take(self, key: Key, basis: PollBasis, plan: PlanPoll) -> Reading | None:
        """Return the answers of the poll that is due; None: they are not there yet.

        The poll begins if it has not. Answers to another basis are dropped: they belong to what
        the rollout was then.

        Raises:
            Exception: The poll failed by an error of ours.
        """
        poll = self._polls.get(key)
        if poll is not None and not poll.task.done():
            return None
        reading = self._remove(key)
        if poll is not None and reading is not None and poll.basis == basis:
            return reading
        task = asyncio.create_task(self._run(key, basis, plan))
        task.add_done_callback(lambda _: self._wake(key))
        self._polls[key] = _Poll(basis, task)
        return None

    def skip(self, key: Key) -> None:
        """Drop answers that came too late: no poll is due.

        Raises:
            Exception: The poll failed by an error of ours.
        """
        poll = self._polls.get(key)
        if poll is not None and poll.task.done():
            self._remove(key)

    def forget(self, key: Key) -> None:
        """Cancel the poll of a ModelDeployment that is gone."""
        poll = self._polls.pop(key, None)
        if poll is not None:
            poll.task.cancel()

    def close(self) -> None:
        """Cancel all polls, and release the threads without waiting for running queries."""
        for key in tuple(self._polls):
            self.forget(key)
        self._shared.close()
        self._reader.close()

    def _remove(self, key: Key) -> Reading | None:
        poll = self._polls.pop(key, None)
        return poll.task.result() if poll else None

    async def _run(self, key: Key, basis: PollBasis, plan: PlanPoll) -> Reading | None:
        """Run a poll when it has its turn; the queries are for the time from which it has it."""
        with telemetry.POLLS.track_inprogress():
            try:
                if basis.custom:
                    return await self._read_alone(key, plan)
                group = Group(key.namespace, basis.provider, history=basis.history)
                return await self._shared.read(
                    group, key, plan, basis.interval, self._wait_seconds
                )
            except TimeoutError:
                queries = plan(self._clock())
                return None if queries is None else self._without_answers(queries)

    async def _read_alone(self, key: Key, plan: PlanPoll) -> Reading | None:
        async with self._custom.take(key.namespace, self._wait_seconds):
            queries = plan(self._clock())
            return None if queries is None else await self._reader.read(queries)

    def _without_answers(self, queries: MetricsQueries) -> Reading:
        message = (
            f"not queried, because other polls took {self._wait_seconds:.0f} s: make the queries"
            " of spec.rollout.analysis in this namespace faster, for example by recording rules,"
            " and check that Prometheus is not overloaded"
        )
        answers = {
            source: Unavailable(UnavailableReason.UNREACHABLE, f"{source} counters: {message}")
            for source in queries.by_source
        }
        if queries.request.since is None:
            return Reading(queries.request, history=History(queries.request, answers))
        return Reading(queries.request, answers)
