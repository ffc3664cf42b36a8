"""How soon a bad revision is stopped, and how soon traffic leaves pods that are gone.

On a local cluster with real Triton behind a real Envoy, under load: `python -m bench.reaction`.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from kubernetes import client, config
from rich.console import Console
from rich.table import Table

from demo.screen import Screen
from demo.stage import Stage
from demo.story import staged
from halimede.api.status import Outcome
from harness import manifests
from harness.changes import ENDPOINT_SLICES, HTTP_ROUTES, Changes, ready_endpoints, weights
from harness.load import Load
from harness.models import train
from harness.records import Outcome as Answer
from harness.watch import Snapshot
from localcluster import chart
from localcluster.cluster import up

RATE = 100.0
"""Requests a second."""
DETECTION_SECONDS = 150.0
"""The aim at that rate for 5 % of errors; v3 has more, but a judge's warm-up has to end first."""
SHED_SECONDS = 2.0
"""The aim from the EndpointSlice without a ready address to the route without the revision."""
QUARTER = [{"weight": 25, "minSeconds": 3600, "maxSeconds": 3600}]
SELDOM = {"intervalSeconds": 300, "warmupSeconds": 2, "settleSeconds": 2}
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Detection:
    """How a bad revision with 10 % of the requests was stopped, by the judge's defaults."""

    seconds: float
    """From the first request that failed to the stored decision."""
    error_share: float
    """Of its requests."""


def main() -> int:
    """Measure and print; exit 1 if a figure is over its aim."""
    with (
        tempfile.TemporaryDirectory() as folder,
        up(f"bench-reaction-{os.getpid()}") as cluster,
    ):
        chart.install(cluster)
        with staged(cluster, train(), Screen(Console()), Path(folder)) as stage:
            _serve(stage)
            with (
                Changes(cluster.kubeconfig, manifests.NAMESPACE, ENDPOINT_SLICES) as slices,
                Changes(cluster.kubeconfig, manifests.NAMESPACE, HTTP_ROUTES) as routes,
            ):
                detection = detect(stage)
                sheds = shed(stage, slices, routes)
                noise = echo(stage, routes)
    return show(detection, sheds, noise)


def detect(stage: Stage) -> Detection:
    """Ask for v3, which fails on part of the inputs, and wait until it is stopped."""
    _ask_for(stage, "v3", canary={"steps": [{"weight": 10}]}, analysis={})
    over = stage.wait("the verdict", _aborted, PATIENCE_SECONDS).status.rollout
    if over is None or over.decided_at is None:
        raise RuntimeError("a rollout that was aborted tells when")
    hit = [one for one in stage.records(since=0.0) if one.version == "v3"]
    failed = [one for one in hit if one.outcome is not Answer.OK]
    return Detection(over.decided_at - failed[0].at, len(failed) / len(hit))


def shed(stage: Stage, slices: Changes, routes: Changes, times: int = 5) -> list[float]:
    """Delete the pods of a revision with 25 % of the requests, again and again."""
    _ask_for(stage, "v2", canary={"steps": QUARTER, "bakeSeconds": 0}, analysis=SELDOM)
    found = []
    for _ in range(times):
        revision = stage.wait("25 %", _live_at(25), PATIENCE_SECONDS).target
        asked = time.time()
        chosen = f"halimede.dev/revision={revision}"
        _kubectl(stage, "delete", "pods", "--selector", chosen, "--wait=false")
        stage.wait("the shed", _live_at(0), PATIENCE_SECONDS)
        found.append(_shed_of(revision, slices, routes, asked))
    return found


def _shed_of(revision: str, slices: Changes, routes: Changes, asked: float) -> float:
    gone = slices.first(lambda one: ready_endpoints(one, revision) == 0, asked)
    moved = routes.first(lambda one: weights(one)[revision] == 0, asked)
    return moved.at - gone.at


def echo(stage: Stage, routes: Changes, times: int = 20) -> list[float]:
    """Write a route that means nothing, and wait until the same watch has seen it."""
    objects = client.CustomObjectsApi(
        config.new_client_from_config(config_file=str(stage.cluster.kubeconfig))
    )
    group, version, plural = HTTP_ROUTES
    found = []
    for number in range(times):
        route = {
            "apiVersion": f"{group}/{version}",
            "kind": "HTTPRoute",
            "metadata": {"name": f"echo-{number}", "namespace": manifests.NAMESPACE},
            "spec": {},
        }
        asked = time.time()
        objects.create_namespaced_custom_object(group, version, manifests.NAMESPACE, plural, route)
        found.append(_seen_at(f"echo-{number}", routes, asked) - asked)
    return found


def _seen_at(name: str, routes: Changes, since: float) -> float:
    return routes.first(lambda one: bool(one["metadata"]["name"] == name), since).at


def show(detection: Detection, sheds: list[float], noise: list[float]) -> int:
    """Print the figures beside their aims; return 1 if one is missed."""
    rows = [
        (
            f"first bad request to the stored abort ({detection.error_share:.0%} fail)",
            detection.seconds,
            DETECTION_SECONDS,
        ),
        ("no endpoint to no weight in the route, median", median(sheds), SHED_SECONDS),
        (f"  … the longest of {len(sheds)}", max(sheds), SHED_SECONDS),
        (f"a bare write until it is seen, median of {len(noise)}", median(noise), None),
        ("  … the longest", max(noise), None),
    ]
    table = Table("", "s", "aim, s", "of the aim", title=f"Reactions at {RATE:.0f} requests/s")
    for what, figure, aim in rows:
        share = "" if aim is None else f"{figure / aim:.0%}"
        table.add_row(what, f"{figure:.3f}", "" if aim is None else f"{aim:g}", share)
    Console().print(table)
    return int(any(aim is not None and figure > aim for _, figure, aim in rows))


def _serve(stage: Stage) -> None:
    stage.apply(manifests.namespace(), *map(manifests.config_map, stage.versions.values()))
    _ask_for(stage, "v1")
    stage.wait("v1", lambda seen: seen.ready, PATIENCE_SECONDS)
    stage.load = Load(replace(stage.load.plan, rate=RATE, seconds=3600.0))
    stage.load.start()


def _ask_for(stage: Stage, version: str, **rollout: object) -> None:
    manifest = manifests.model_deployment(version)
    manifest["spec"]["rollout"] |= rollout
    stage.apply(manifest)


def _aborted(seen: Snapshot) -> bool:
    rollout = seen.status.rollout
    return rollout is not None and rollout.outcome is Outcome.ABORTED


def _live_at(weight: int) -> Callable[[Snapshot], bool]:
    def live(seen: Snapshot) -> bool:
        rollout = seen.status.rollout
        return rollout is not None and rollout.weight == weight and bool(rollout.weight_applied_at)

    return live


def _kubectl(stage: Stage, *arguments: str) -> None:
    stage.cluster.kubectl("--namespace", manifests.NAMESPACE, *arguments)


if __name__ == "__main__":
    sys.exit(main())
