"""The whole story, scene after scene, on one stage."""

from collections.abc import Iterator

import pytest
from rich.console import Console

from demo.scenes import SCENES, Scene
from demo.screen import Screen
from demo.stage import Stage
from demo.story import staged
from demo.supply import supplied
from harness.models import Version
from localcluster.cluster import Cluster


@pytest.fixture(scope="module")
def stage(
    cluster: Cluster, versions: dict[str, Version], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Make a stage in the tests' cluster, and delete the story's objects afterwards."""
    screen, out = Screen(Console()), tmp_path_factory.mktemp("demo")
    with (
        supplied(cluster, screen.tell) as supply,
        staged(cluster, supply, versions, screen, out) as stage,
    ):
        yield stage
    cluster.kubectl("delete", "namespace", "demo", "--timeout=120s")


@pytest.mark.parametrize("play", SCENES, ids=lambda play: f"{play.__module__}.{play.__name__}")
def test_every_claim_of_the_scene_holds(stage: Stage, play: Scene) -> None:
    """Every scene's claims hold, and each scene has at least three."""
    play(stage)
    claims = [claim for claim in stage.claims if claim.scene == stage.scene]
    assert len(claims) >= 3
    assert [claim.line() for claim in claims if not claim.holds] == []
