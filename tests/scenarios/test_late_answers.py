"""Answers of Prometheus that arrive while the cluster goes on."""

from dataclasses import dataclass, replace

import pytest
from typing_extensions import override

from halimede.api.status import Outcome
from halimede.judge.reading import Reading
from halimede.plan.metrics_request import PollBasis, poll_basis
from halimede.plan.observed import Observed
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


@dataclass
class LateCluster(FakeCluster):
    """A cluster whose Prometheus takes some seconds to answer."""

    seconds: float = 10.0
    _poll: tuple[PollBasis, float, Reading] | None = None
    """What was asked, when its answers arrive, and the answers."""

    @override
    def observe(self) -> Observed:
        """Return answers only when they have arrived, as `reconcile.polls` does."""
        observed = super().observe()
        if observed.reading is None:
            return observed
        basis = poll_basis(observed.deployment)
        assert basis is not None
        if self._poll is not None and self.now < self._poll[1]:
            return replace(observed, reading=None)
        poll, self._poll = self._poll, None
        if poll is not None and poll[0] == basis:
            return replace(observed, reading=poll[2])
        self._poll = (basis, self.now + self.seconds, observed.reading)
        return replace(observed, reading=None)

    @override
    def _news(self) -> object:
        arrived = self._poll is not None and self.now >= self._poll[1]
        return super()._news(), arrived


@pytest.mark.parametrize("seconds", [5.0, 20.0, 45.0])
def test_a_good_revision_is_promoted_and_a_bad_one_aborted(seconds: float) -> None:
    """Late answers delay a rollout and change nothing else."""
    cluster = LateCluster(seconds=seconds)
    cluster.until(cluster.ready)
    cluster.model(2).until(lambda: cluster.parsed.last_rollout)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome is Outcome.PROMOTED
    cluster.until(cluster.ready).model(3, Behaviour(error_rate=0.3))
    cluster.until(lambda: cluster.rollout and cluster.rollout.outcome is Outcome.ABORTED)


def test_no_answer_is_judged_twice_or_for_another_time() -> None:
    """A poll is recorded for the time when it was asked, so the next one is due in time."""
    cluster = LateCluster(seconds=10.0)
    cluster.until(cluster.ready)
    cluster.model(2)
    asked = []
    while cluster.parsed.last_rollout is None:
        cluster.settle()
        polled = cluster.rollout.polled_at if cluster.rollout else None
        if polled is not None and polled not in asked:
            asked.append(polled)
        cluster.tick(5.0)
    times = [request.now for request in cluster.prometheus.asked]
    assert len(asked) > 5
    assert set(asked) <= set(times)


@pytest.mark.parametrize(("seconds", "at_once"), [(10.0, False), (20.0, True)])
def test_the_poll_after_a_late_answer_is_not_forgotten(seconds: float, *, at_once: bool) -> None:
    """Given an answer that took longer than an interval, the next poll begins at once."""
    cluster = LateCluster(seconds=seconds)
    cluster.until(cluster.ready)
    cluster.model(2).until(lambda: cluster.rollout and cluster.rollout.polled_at)
    assert cluster.rollout is not None
    before = cluster.rollout.polled_at
    while cluster.rollout.polled_at == before:
        cluster.tick(5.0)
        plan = cluster.reconcile()
    assert plan.requeue_after is not None
    assert (plan.requeue_after == 0.0) is at_once
    assert plan.requeue_after <= cluster.deployment.spec.rollout.analysis.interval_seconds
