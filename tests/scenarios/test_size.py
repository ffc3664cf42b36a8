"""The status stays small; the fake API server rejects 14 KB or more."""

import json

from bench.decide import REVISIONS, WARM, crowded
from halimede.api.analysis import Analysis
from halimede.api.base import Manifest
from halimede.api.status import Evidence, State
from halimede.api.v1alpha1 import COMMANDER_ANNOTATION
from halimede.judge.bake import start_bake
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import initial_evidence, update_confirmation, update_evidence
from halimede.judge.reading import Counts
from halimede.judge.thresholds import levels, limits
from halimede.plan.planner import decide
from halimede.plan.records import revision_configmaps
from halimede.plan.renderer import Renderer
from halimede.plan.status_limits import trim
from harness.fake_cluster import MOST_BYTES, PLATFORM, FakeCluster

ALL_SOURCES = Analysis.model_validate(
    {
        "latency": {"thresholdMilliseconds": 100, "maxSlowPercent": "1"},
        "metrics": [
            {"name": letter * 30, "requests": "{{ revision }}", "errors": "{{ revision }}"}
            for letter in "abc"
        ],
    }
)
"""The analysis with the most sources."""


def size(written: Manifest) -> int:
    """Return the number of bytes that the API server would store."""
    return len(json.dumps(written, separators=(",", ":")))


def _judged() -> Evidence:
    """Return evidence with errors of every source, at the maximum of steps and in the bake."""
    bounds, fixed = limits(ALL_SOURCES), levels(ALL_SOURCES, 20, 0.001, 0.05)
    seen = WindowCounts(Counts(123_456, 1_234), Counts(1_234_567, 12_345), 1e9, 1e9, 15.0)
    sources = []
    for source in bounds.sources:
        before = start_bake(
            initial_evidence(source, bounds, fixed, 1e9), bounds.ceiling_of(source)
        )
        weighed = update_evidence(before, seen, bounds, fixed, tolerated=3.0)
        sources.append(update_confirmation(weighed, seen, 1.0, suspicion=True))
    return Evidence(levels=fixed, sources=tuple(sources), message="m" * 1000)


def test_a_decision_over_twenty_revisions_is_always_the_same() -> None:
    """Given the maximum of revisions, a repeated decision is the same, whatever is cached."""
    observed, now = crowded()
    assert len(revision_configmaps("digits", observed.children)) == REVISIONS
    renderer = Renderer()
    first, second = (decide(observed, renderer, PLATFORM, now) for _ in range(2))
    assert first == second == decide(observed, Renderer(), PLATFORM, now)


def test_a_long_life_leaves_a_small_status() -> None:
    """Given every list full, a long step and every source, the status is under 14 KB.

    Revisions that are warm and others that are not are the most that can be kept. Each has 58
    bytes of `records`, as a digest that is shortened can be forged.
    """
    cluster = FakeCluster()
    cluster.spec["rollout"] |= {"strategy": "BlueGreen", "scaleDownDelaySeconds": 604800}
    cluster.spec["rollout"]["blueGreen"] = {"autoPromote": True, "bakeSeconds": 0}
    cluster.until(cluster.ready)
    for number in range(2, WARM + 12):
        if number == WARM + 2:
            cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
        cluster.model(number).until(cluster.ready)
    steps = [{"weight": 20, "minSeconds": 86400}]
    cluster.edit(lambda spec: spec["rollout"].update(strategy="Canary", canary={"steps": steps}))
    for number in range(30, 41):
        cluster.model(number).until(lambda: cluster.state is State.ANALYSING)
        cluster.annotations[COMMANDER_ANNOTATION] = "system:serviceaccount:" + "x" * 120
        assert cluster.rollout is not None
        cluster.command(f"abort:{cluster.rollout.revision}@{number:018}")
        cluster.until(lambda: cluster.state is None)
    cluster.model(50).until(lambda: cluster.state is State.ANALYSING).run(300)
    early = size(cluster.status)
    cluster.run(600)
    status = cluster.parsed
    lists = (
        status.warm_revisions,
        status.history,
        status.failed_revisions,
        status.commands,
        status.records,
    )
    assert [len(one) for one in lists] == [WARM, WARM + 10, 5, 5, WARM + 12]
    assert size(cluster.status) < early + 100
    assert status.rollout is not None
    rollout = status.rollout.evolve(evidence=_judged())
    largest = trim(status.evolve(rollout=rollout))
    assert largest.last_rollout is not None
    assert largest.last_rollout.evidence is None
    assert size(largest.to_manifest()) < MOST_BYTES
