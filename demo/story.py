"""Direct the demo: build the stage, play every scene on it, sum up, and tear it down."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from demo.claims import StuckError, UntrueError
from demo.picture import rollouts
from demo.scenes import SCENES
from demo.screen import Screen
from demo.stage import Stage
from demo.summary import decisions, table
from demo.supply import Supply, supplied
from harness import manifests
from harness.data import digits
from harness.load import Load, Plan
from harness.models import Version, train
from harness.watch import Watch
from localcluster import chart
from localcluster.build import VERSITYGW, BuildError, build
from localcluster.cluster import Access, ClusterError, current, up
from localcluster.progress import Progress
from localcluster.toolchain import ToolchainError

OUT = Path(os.environ.get("HALIMEDE_DEMO_OUT") or Path(__file__).parents[1] / "out" / "demo")
"""The folder for records and pictures."""


def tell(console: Console, out: Path = OUT) -> bool:
    """Play the whole demo; return whether everything it showed was true."""
    began = time.monotonic()
    screen = Screen(console)
    try:
        prepare(out)
        with on_a_cluster(screen, out) as stage:
            if not _play_scenes(stage, screen):
                return False
            _sum_up(stage, console)
    except (BuildError, ToolchainError, ClusterError) as error:
        screen.tell(f"✗ {error}")
        return False
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    screen.tell(f"✓ all {len(stage.claims)} claims held, in {minutes} min {seconds} s")
    return True


def prepare(out: Path) -> None:
    """Create the folder for records and pictures. Raise ``ClusterError`` if that fails."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        remedy = "choose another folder, for example HALIMEDE_DEMO_OUT=/tmp/demo make demo"
        raise ClusterError(
            f"the demo cannot write to {out} ({error.strerror}): {remedy}"
        ) from error


@contextmanager
def on_a_cluster(screen: Screen, out: Path) -> Iterator[Stage]:
    """Train the models, bring a cluster up with Halimede in it, and take it down in the end."""
    screen.tell("● Getting ready")
    versions = train()
    for version in versions.values():
        screen.tell(f"· trained {_in_words(version)}")
    with (
        _cluster(screen) as cluster,
        supplied(cluster, screen.tell) as supply,
        staged(cluster, supply, versions, screen, out) as stage,
    ):
        yield stage


@contextmanager
def _cluster(screen: Screen) -> Iterator[Access]:
    """Start a cluster and install Halimede, or take the user's own, which has both."""
    if os.environ.get("CLUSTER") == "current":
        yield current()
        return
    build((VERSITYGW,))
    with up("demo") as cluster:
        with Progress(screen.tell).step("→ helm install halimede", expected="about 10 s"):
            chart.install(cluster)
        yield cluster


@contextmanager
def staged(
    cluster: Access, supply: Supply, versions: dict[str, Version], screen: Screen, out: Path
) -> Iterator[Stage]:
    """Build the stage in a cluster that has Halimede; the users leave with it."""
    host, port = cluster.gateway
    address = f"{host}:{port}"
    plan = Plan(
        http=address,
        grpc=address,
        authority=manifests.HOSTNAME,
        model=manifests.NAME,
        images=digits()[1],
        records=out / "requests.jsonl",
    )
    watch = Watch(cluster.kubeconfig, manifests.NAMESPACE, manifests.NAME)
    stage = Stage(cluster, versions, out, supply, Load(plan), watch, screen.tell)
    try:
        yield stage
    finally:
        stage.load.stop()
        watch.stop()


def _play_scenes(stage: Stage, screen: Screen) -> bool:
    """Play all scenes; return False, and store what explains it, if one fails."""
    try:
        with screen.showing(stage):
            for play in SCENES:
                play(stage)
    except (StuckError, UntrueError, ClusterError) as error:
        screen.tell(f"✗ {error}")
        _explain(stage)
        return False
    return True


def _sum_up(stage: Stage, console: Console) -> None:
    """Print the table, and draw the picture into the output folder."""
    records, history = stage.records(since=0.0), stage.watch.history
    console.print()
    console.print(table(stage.versions, records, decisions(history, stage.revisions)))
    figure = rollouts(history, records, stage.revisions)
    for kind in ("png", "svg"):
        figure.savefig(stage.out / f"rollouts.{kind}", dpi=130)
        stage.narrate(f"· picture: {stage.out / f'rollouts.{kind}'}")


def _in_words(version: Version) -> str:
    kilobytes = version.size / 1000
    return f"{version.name}: {version.title}, {version.accuracy:.1%} right, {kilobytes:.0f} kB"


def _explain(stage: Stage) -> None:
    """Store the resource, objects, Events and the operator's log beside the records."""
    for name, arguments in {
        "resource.yaml": ("get", "modeldeployments", "--output", "yaml"),
        "objects.txt": ("get", "all,httproutes,configmaps", "--output", "wide"),
        "events.txt": ("get", "events", "--sort-by", "lastTimestamp"),
    }.items():
        output = stage.cluster.kubectl("--namespace", manifests.NAMESPACE, *arguments)
        (stage.out / name).write_text(output)
    log = stage.cluster.kubectl(
        "--namespace",
        chart.NAMESPACE,
        "logs",
        "deployment/halimede",
        "--all-pods",
        "--tail",
        "500",
    )
    (stage.out / "operator.log").write_text(log)
    stage.narrate(f"· the results are in {stage.out}")
