"""Measure how soon a bad revision is aborted, and how soon traffic leaves deleted pods.

It runs on a local cluster with real Triton behind a real Envoy, under load, first alone and then
while very many ModelDeployments are created: `python -m bench.reaction`.
"""

import argparse
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

from bench import crowd
from demo.screen import Screen
from demo.stage import Stage
from demo.story import staged
from demo.supply import ConfigMaps
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
"""Requests per second."""
DETECTION_SECONDS = 150.0
"""The target at that rate for 5 % errors; v3 has more, but the warm-up must end first."""
SHED_SECONDS = 2.0
"""The target from the EndpointSlice without a ready address to the route without the revision."""
CROWDED = 1.5
"""The target for both beside the crowd, as a multiple of the time without it."""
QUARTER = [{"weight": 25, "minSeconds": 3600, "maxSeconds": 3600}]
SELDOM = {"intervalSeconds": 300, "warmupSeconds": 2, "settleSeconds": 2}


@dataclass(frozen=True, slots=True)
class Detection:
    """How a bad revision with 10 % of the requests was aborted, with the default analysis."""

    seconds: float
    """Time from the first failed request to the stored decision."""
    error_share: float
    """The fraction of its requests that failed."""


@dataclass(frozen=True, slots=True)
class Reactions:
    """The reactions to both kinds of trouble, beside what the API server takes."""

    detection: Detection
    sheds: list[float]
    """Seconds from the EndpointSlice without a ready address to the route without the weight."""
    echoes: list[float]
    """Seconds from a bare write until a watch reports it: what the API server alone takes."""


def main() -> int:
    """Measure and print; return 1 if a result is over its target."""
    parser = argparse.ArgumentParser("python -m bench.reaction", description=__doc__)
    parser.add_argument("--crowd", type=int, default=2000, help="ModelDeployments to create")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        up(f"bench-reaction-{os.getpid()}") as cluster,
    ):
        chart.install(cluster)
        with staged(cluster, ConfigMaps(), train(), Screen(Console()), Path(folder)) as stage:
            _serve(stage)
            with (
                Changes(cluster.kubeconfig, manifests.NAMESPACE, ENDPOINT_SLICES) as slices,
                Changes(cluster.kubeconfig, manifests.NAMESPACE, HTTP_ROUTES) as routes,
            ):
                alone = react(stage, slices, routes, "alone")
                with crowd.arriving(cluster, arguments.crowd):
                    crowded = react(stage, slices, routes, "crowded")
                    reconciled = crowd.reconciled(cluster)
                    print(f"{reconciled} of {arguments.crowd} had been reconciled then")
    return show(alone, crowded)


def react(stage: Stage, slices: Changes, routes: Changes, attempt: str) -> Reactions:
    """Measure all; *attempt* makes the names differ from those of another attempt."""
    echoes = echo(stage, routes, attempt)
    sheds = shed(stage, slices, routes, attempt)
    return Reactions(detect(stage, attempt), sheds, echoes)


def detect(stage: Stage, attempt: str) -> Detection:
    """Roll out v3, which fails on some inputs, and wait until it is aborted."""
    since = time.time()
    _roll_out(stage, "v3", attempt, canary={"steps": [{"weight": 10}]}, analysis={})
    rollout = stage.wait("the verdict", _aborted).status.rollout
    if rollout is None or rollout.decided_at is None:
        raise RuntimeError("a rollout that was aborted tells when")
    records = [record for record in stage.records(since=since) if record.version == "v3"]
    failed = [record for record in records if record.outcome is not Answer.OK]
    return Detection(rollout.decided_at - failed[0].at, len(failed) / len(records))


def shed(
    stage: Stage, slices: Changes, routes: Changes, attempt: str, times: int = 5
) -> list[float]:
    """Repeatedly delete the pods of a revision with 25 % of the requests."""
    canary = {"steps": QUARTER, "bakeSeconds": 0}
    _roll_out(stage, "v2", attempt, canary=canary, analysis=SELDOM)
    seconds = []
    for _ in range(times):
        revision = stage.wait("25 %", _at_weight(25)).target
        since = time.time()
        selector = f"halimede.dev/revision={revision}"
        _kubectl(stage, "delete", "pods", "--selector", selector, "--wait=false")
        stage.wait("the shed", _at_weight(0))
        seconds.append(_shed_seconds(revision, slices, routes, since))
    return seconds


def _shed_seconds(revision: str, slices: Changes, routes: Changes, since: float) -> float:
    unready = slices.first(lambda change: ready_endpoints(change, revision) == 0, since)
    # A watch that begins again delivers the routes of `echo` too, which have no such backend.
    moved = routes.first(lambda change: weights(change).get(revision) == 0, since)
    return moved.at - unready.at


def echo(stage: Stage, routes: Changes, attempt: str, times: int = 20) -> list[float]:
    """Create an unused route, and wait until the same watch reports it."""
    objects = client.CustomObjectsApi(
        config.new_client_from_config(config_file=str(stage.cluster.kubeconfig))
    )
    group, version, plural = HTTP_ROUTES
    seconds = []
    for number in range(times):
        route = {
            "apiVersion": f"{group}/{version}",
            "kind": "HTTPRoute",
            "metadata": {"name": f"echo-{attempt}-{number}", "namespace": manifests.NAMESPACE},
            "spec": {},
        }
        since = time.time()
        objects.create_namespaced_custom_object(group, version, manifests.NAMESPACE, plural, route)
        seconds.append(_observed_at(f"echo-{attempt}-{number}", routes, since) - since)
    return seconds


def _observed_at(name: str, routes: Changes, since: float) -> float:
    return routes.first(lambda manifest: bool(manifest["metadata"]["name"] == name), since).at


def show(alone: Reactions, crowded: Reactions) -> int:
    """Print the results with their targets; return 1 if a target is missed."""
    detection, sheds, echoes = alone.detection, alone.sheds, alone.echoes
    beside = "  … while others are created"
    rows = [
        (
            f"first bad request to the stored abort ({detection.error_share:.0%} fail)",
            detection.seconds,
            DETECTION_SECONDS,
        ),
        (beside, crowded.detection.seconds, CROWDED * detection.seconds),
        ("no endpoint to no weight in the route, median", median(sheds), SHED_SECONDS),
        (beside, median(crowded.sheds), max(CROWDED * median(sheds), SHED_SECONDS)),
        (f"  … the longest of {len(sheds)}", max(sheds), SHED_SECONDS),
        (beside, max(crowded.sheds), None),
        (f"a bare write until it is seen, median of {len(echoes)}", median(echoes), None),
        (beside, median(crowded.echoes), None),
    ]
    table = Table("", "s", "aim, s", "of the aim", title=f"Reactions at {RATE:.0f} requests/s")
    for what, figure, aim in rows:
        share = "" if aim is None else f"{figure / aim:.0%}"
        table.add_row(what, f"{figure:.3f}", "" if aim is None else f"{aim:g}", share)
    Console().print(table)
    return int(any(aim is not None and figure > aim for _, figure, aim in rows))


def _serve(stage: Stage) -> None:
    stage.apply(manifests.namespace(), *map(manifests.config_map, stage.versions.values()))
    _roll_out(stage, "v1", "first")
    stage.wait("v1", lambda seen: seen.ready)
    stage.load = Load(replace(stage.load.plan, rate=RATE, seconds=3600.0))
    stage.load.start()


def _roll_out(stage: Stage, version: str, attempt: str, **rollout: object) -> None:
    manifest = manifests.model_deployment(version)
    annotations = {"bench.example.com/attempt": attempt}
    manifest["spec"]["podTemplate"] = {"metadata": {"annotations": annotations}}
    manifest["spec"]["rollout"] |= rollout
    stage.apply(manifest)


def _aborted(seen: Snapshot) -> bool:
    rollout = seen.status.rollout
    return rollout is not None and rollout.outcome is Outcome.ABORTED


def _at_weight(weight: int) -> Callable[[Snapshot], bool]:
    def live(seen: Snapshot) -> bool:
        rollout = seen.status.rollout
        return rollout is not None and rollout.weight == weight and bool(rollout.weight_applied_at)

    return live


def _kubectl(stage: Stage, *arguments: str) -> None:
    stage.cluster.kubectl("--namespace", manifests.NAMESPACE, *arguments)


if __name__ == "__main__":
    sys.exit(main())
