"""The examples, and those in the README: each is accepted as it stands, and can be rendered."""

import re
from pathlib import Path

import pytest
import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.checks import violations
from halimede.render.platform import Platform
from halimede.render.revision import revision
from local.cluster import Cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path.read_text() for path in sorted((ROOT / "examples").glob("*.yaml"))}
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
QUOTED = {f"readme-{number}": block for number, block in enumerate(BLOCKS, start=1)}


@pytest.mark.parametrize("name", EXAMPLES | QUOTED)
def test_example(gateway_api: Cluster, name: str) -> None:
    """`kubectl apply -f` takes it, and nothing keeps it from being rendered as it is stored."""
    example = (EXAMPLES | QUOTED)[name]
    applied = gateway_api.kubectl("apply", "-f", "-", "-oyaml", input=example)
    stored = yaml.safe_load(applied)
    objects: list[Manifest] = stored.get("items", [stored])
    config_maps = {one["metadata"]["name"]: one for one in objects if one["kind"] == "ConfigMap"}
    (manifest,) = [one for one in objects if one["kind"] == "ModelDeployment"]
    md = ModelDeployment.from_manifest(manifest)
    assert violations(md, config_maps) == ()
    assert len(revision(md, Platform("halimede:1"), config_maps).hash) == 8
    gateway_api.kubectl("delete", "-f", "-", "--timeout=30s", input=example)


def test_the_readme_names_examples_that_exist() -> None:
    """Whoever follows the README finds the files."""
    named = set(re.findall(r"examples/([\w-]+)\.yaml", README))
    assert {"readme-1"} <= QUOTED.keys()
    assert set() < named <= EXAMPLES.keys()
