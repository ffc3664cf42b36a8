"""Random and hostile specs: each is rendered or reported, and the operator survives it."""

import copy
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.plan.unreadable import plan_for_unreadable
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster
from tests.support.hostile_specs import specs

BATCHES = 20
EXAMPLES = 500
"""Specs in each batch; batches run on all cores."""
MOST_RECONCILES = 5
"""Reconciles without a change from outside after which nothing may be written any more."""


JOB_SECONDS = Behaviour().resolve_seconds
"""Seconds after which a Job has determined the digest of a model."""


def copied(cluster: FakeCluster) -> FakeCluster:
    """Return a copy of a cluster that shares the renderer."""
    shared = {id(cluster.renderer): cluster.renderer}
    return copy.deepcopy(cluster, shared)


def reports_invalid_spec(cluster: FakeCluster) -> bool:
    """Whether Ready says that the spec is invalid, and what about it."""
    return (
        cluster.condition("Ready") == ("False", "InvalidSpec") and cluster.message("Ready") != ""
    )


def waits_for_a_digest(cluster: FakeCluster) -> bool:
    """Whether a Job determines the digest of the model."""
    return any(kind == "Job" for kind, _ in cluster.objects)


def reconcile_unreadable(cluster: FakeCluster, error: ValidationError) -> None:
    """Check an object that the models do not accept: it is reported once."""
    first = plan_for_unreadable(cluster.manifest(), error, cluster.now)
    assert first.status is not None
    cluster.status = first.status.to_manifest()
    assert reports_invalid_spec(cluster)
    assert plan_for_unreadable(cluster.manifest(), error, cluster.now).status is None


def reconcile_until_rest(cluster: FakeCluster) -> None:
    """Reconcile until nothing is written any more."""
    for _ in range(MOST_RECONCILES):
        written = len(cluster.writes)
        plan = cluster.reconcile()
        if plan.status is None and len(cluster.writes) == written:
            return
    raise AssertionError(f"it writes without end: {plan}")


def check(cluster: FakeCluster, spec: Manifest) -> None:
    """Check that a spec is rendered or reported."""
    before = {name: copy.deepcopy(one) for name, one in cluster.objects.items()}
    served = cluster.stable
    cluster.edit(lambda current: (current.clear(), current.update(spec)))
    try:
        _ = cluster.deployment
    except ValidationError as error:
        reconcile_unreadable(cluster, error)
    else:
        reconcile_until_rest(cluster)
        if waits_for_a_digest(cluster):
            cluster.now += JOB_SECONDS
            reconcile_until_rest(cluster)
        if not reports_invalid_spec(cluster) and not waits_for_a_digest(cluster):
            target = cluster.parsed.target
            assert target is not None
            assert ("Deployment", f"digits-{target.revision}") in cluster.objects
            return
    workloads = {name for name, _ in before.items() if name[0] == "Deployment"}
    assert workloads <= cluster.objects.keys()
    assert cluster.stable == served


@pytest.fixture(scope="module")
def serving() -> FakeCluster:
    """Return a cluster whose first revision serves."""
    cluster = FakeCluster()
    return cluster.until(cluster.ready)


def run(start: Callable[[], FakeCluster], batch: int) -> None:
    """Check a batch of random specs, each from the same start."""

    @seed(batch)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def every_spec(spec: Manifest) -> None:
        check(start(), spec)

    every_spec()


@pytest.mark.parametrize("batch", range(BATCHES // 2))
def test_a_new_object_is_rendered_or_reported(batch: int) -> None:
    """Given any spec, there are children, or a condition with the cause, and then no writes."""
    run(FakeCluster, batch)


@pytest.mark.parametrize("batch", range(BATCHES // 2, BATCHES))
def test_an_edit_is_rolled_out_or_reported(serving: FakeCluster, batch: int) -> None:
    """Given any edit of a model that serves, the same, and the stable revision goes on serving."""
    run(lambda: copied(serving), batch)
