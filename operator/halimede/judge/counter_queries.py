"""The queries for a source's raw counters.

They are instant queries with a range selector, so that Prometheus answers with raw samples, and
the answer has either all counters of a scrape or none.
"""

from dataclasses import dataclass
from math import ceil

from halimede.api.sources import SourceId
from halimede.judge.promql import Query, render
from halimede.judge.query_limits import limit_builtin
from halimede.judge.query_policy import NAMESPACED_ONLY, QueryPolicy


@dataclass(frozen=True, slots=True)
class CounterQueries:
    """The queries for a source's raw counters; its answer is all their series."""

    source: SourceId
    queries: tuple[Query, ...]
    window: float
    """Length in seconds."""
    now: float
    """UNIX time at which the window ends."""
    policy: QueryPolicy = NAMESPACED_ONLY

    @property
    def since(self) -> float:
        """UNIX time after which samples belong to the answer."""
        return self.now - ceil(self.window)

    @property
    def texts(self) -> tuple[str, ...]:
        """The queries as PromQL.

        Raises:
            UnusableQueryError: The administrator's matchers contradict a query.
        """
        return tuple(
            limit_builtin(render(query, self.window), self.source, self.policy)
            for query in self.queries
        )
