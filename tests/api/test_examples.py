"""The examples: each is accepted as it stands, and can be rendered."""

from pathlib import Path

import pytest
import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.checks import violations
from halimede.render.platform import Platform
from halimede.render.revision import revision
from local.cluster import Cluster

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example(api_server: Cluster, example: Path) -> None:
    """`kubectl apply -f` takes it, and nothing keeps it from being rendered as it is stored."""
    applied = api_server.kubectl("apply", "-f", str(example), "-oyaml")
    stored = yaml.safe_load(applied)
    objects: list[Manifest] = stored.get("items", [stored])
    config_maps = {one["metadata"]["name"]: one for one in objects if one["kind"] == "ConfigMap"}
    (manifest,) = [one for one in objects if one["kind"] == "ModelDeployment"]
    md = ModelDeployment.from_manifest(manifest)
    assert violations(md, config_maps) == ()
    assert len(revision(md, Platform("halimede:1"), config_maps).hash) == 8
    api_server.kubectl("delete", "-f", str(example), "--timeout=30s")
