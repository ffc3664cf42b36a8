"""Two specs whose revisions have the same hash run different pods, under different names."""

import copy

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from harness.fake_cluster import FakeCluster
from tests.support.collisions import IMAGES, colliding_specs, revision_of
from tests.support.records import children, make_old, replace_record, restore_record


def ask(cluster: FakeCluster, spec: Manifest) -> FakeCluster:
    """Edit what pods are rendered from."""
    pods = {name: spec[name] for name in ("runtime", "podTemplate")}
    return cluster.edit(lambda live: live.update(copy.deepcopy(pods)))


def image(cluster: FakeCluster, revision: str | None) -> str:
    """Return Triton's image in a revision's Deployment."""
    template = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


@pytest.fixture
def first() -> FakeCluster:
    """Make a cluster in which the first one of two colliding specs is served."""
    cluster = ask(FakeCluster(), colliding_specs()[0])
    cluster.until(cluster.ready).run(120)
    cluster.lost = 0.0
    return cluster


def test_the_specs_collide() -> None:
    """The hashes are equal, and the digests are not."""
    one, other = map(revision_of, colliding_specs())
    assert one.hash == other.hash
    assert one.digest != other.digest


@pytest.mark.transition("hash-collision")
def test_a_colliding_spec_is_rolled_out_under_another_name(first: FakeCluster) -> None:
    """Given a spec that collides with the stable revision, it is judged, and then serves."""
    stable = first.stable
    before = children(first, stable)["Deployment", f"digits-{stable}"]["spec"]["template"]
    ask(first, colliding_specs()[1]).until(lambda: first.state is State.ANALYSING)
    live = first.objects["Deployment", f"digits-{stable}"]["spec"]["template"]
    assert (live, first.parsed.collision_count) == (before, 1)
    first.until(first.ready)
    assert first.stable != stable
    assert image(first, first.stable) == IMAGES[1]
    (message,) = [one.message for one in first.events if one.reason == "HashCollision"]
    assert message.startswith(f"The name digits-{stable} belongs to another content")
    assert message.endswith(f"is named digits-{first.stable}.")
    assert (first.lost, first.parsed.newer_revision) == (0.0, None)


def test_the_way_back_finds_the_first_one(first: FakeCluster) -> None:
    """Given the first spec again, and then the second one, both have the names of before."""
    stable = first.stable
    ask(first, colliding_specs()[1]).run(10).until(first.ready)
    salted = first.stable
    ask(first, colliding_specs()[0]).run(10).until(first.ready)
    assert (first.stable, image(first, first.stable)) == (stable, IMAGES[0])
    assert first.parsed.newer_revision is None
    ask(first, colliding_specs()[1]).run(10).until(first.ready)
    assert (first.stable, image(first, first.stable)) == (salted, IMAGES[1])
    assert (first.parsed.collision_count, first.reasons.count("HashCollision")) == (1, 1)


def test_a_kill_before_the_colliding_revision_is_written(first: FakeCluster) -> None:
    """Given a kill after the status was written, the next operator uses the same name."""
    first.alive = False
    ask(first, colliding_specs()[1]).reconcile()
    assert first.rollout is not None
    salted = first.rollout.revision
    assert (first.parsed.collision_count, salted in first.parsed.records) == (1, True)
    first.alive = True
    first.until(first.ready)
    assert (first.stable, first.parsed.collision_count) == (salted, 1)


def test_a_collision_with_a_former_revision(first: FakeCluster) -> None:
    """Given a former revision of the same hash, it is kept for a rollback."""
    former = first.stable
    first.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    first.model(2).run(10).until(first.ready).run(60)
    first.model(1)
    ask(first, colliding_specs()[1]).run(10).until(first.ready)
    assert image(first, first.stable) == IMAGES[1]
    first.command(f"rollback:{former}@1").until(lambda: first.stable == former)
    assert image(first, former) == IMAGES[0]


def test_a_collision_with_a_revision_whose_record_is_lost(first: FakeCluster) -> None:
    """Given that the stable revision's record was deleted, its pods stay as they are."""
    stable = first.stable
    first.objects.pop(("ConfigMap", f"digits-{stable}"))
    ask(first, colliding_specs()[1]).until(lambda: first.state is State.ANALYSING)
    assert image(first, stable) == IMAGES[0]
    first.until(first.ready)
    assert image(first, first.stable) == IMAGES[1]


def test_a_collision_with_a_revision_whose_record_is_invalid(first: FakeCluster) -> None:
    """Given that nobody knows what the record was, it must be restored first."""
    stable = first.stable
    record = replace_record(first, stable)
    ask(first, colliding_specs()[1]).run(300)
    assert (image(first, stable), first.rollout) == (IMAGES[0], None)
    assert first.condition("Ready") == ("False", "InvalidRecord")
    restore_record(first, record)
    first.until(first.ready)
    assert image(first, first.stable) == IMAGES[1]


def test_a_collision_with_a_record_without_a_digest(first: FakeCluster) -> None:
    """Given a record of an operator that stored none, it is computed."""
    stable = first.stable
    make_old(first)
    ask(first, colliding_specs()[1]).until(lambda: first.state is State.ANALYSING)
    assert image(first, stable) == IMAGES[0]
    first.until(first.ready)
    assert image(first, first.stable) == IMAGES[1]
