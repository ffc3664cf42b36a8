"""The examples, also those in the docs, are accepted and can be rendered."""

import re
from pathlib import Path

import pytest
import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.platform import Platform
from halimede.render.revision import render_revision
from halimede.validation.spec import find_violations
from localcluster.cluster import Cluster
from tests.support.pages import PAGES as PAGE_NAMES

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path.read_text() for path in sorted((ROOT / "examples").glob("*.yaml"))}
PAGES = {page: (ROOT / page).read_text() for page in PAGE_NAMES}
QUOTED = {
    f"{page}-{number}": block
    for page, markdown in PAGES.items()
    for number, block in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", markdown, flags=re.MULTILINE | re.DOTALL), start=1
    )
}


@pytest.mark.parametrize("name", EXAMPLES | QUOTED)
def test_example(gateway_api: Cluster, name: str) -> None:
    """`kubectl apply -f` accepts it, and a ModelDeployment in it can be rendered as stored."""
    example = (EXAMPLES | QUOTED)[name]
    applied = gateway_api.kubectl("apply", "-f", "-", "-oyaml", input=example)
    stored = yaml.safe_load(applied)
    objects: list[Manifest] = stored.get("items", [stored])
    config_maps = {one["metadata"]["name"]: one for one in objects if one["kind"] == "ConfigMap"}
    for manifest in (one for one in objects if one["kind"] == "ModelDeployment"):
        md = ModelDeployment.from_manifest(manifest)
        assert find_violations(md, config_maps) == ()
        assert len(render_revision(md, Platform("halimede:1"), config_maps).hash) == 8
    gateway_api.kubectl("delete", "-f", "-", "--timeout=180s", input=example)


def test_the_docs_name_every_example() -> None:
    """Each example is mentioned on a page, and every mentioned one exists."""
    named = set(re.findall(r"examples/([\w-]+)\.yaml", "".join(PAGES.values())))
    assert "README.md-1" in QUOTED
    assert named == EXAMPLES.keys()
