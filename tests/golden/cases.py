"""The cases of the golden files: inputs and rendering."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from halimede.api.base import Manifest
from halimede.api.source import ModelFiles
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.network import render_network
from halimede.render.platform import NetworkSettings, Platform
from halimede.render.revision import render_revision
from halimede.render.scaling import hpa, pdb
from halimede.render.spec_policy import PodTemplatePolicy, SpecPolicy
from halimede.render.traffic import Backend, render_traffic
from halimede.render.user_route import with_revisions
from halimede.render.workload import render_workload
from halimede.validation.spec import find_violations

GOLDEN = Path(__file__).parent
CASES = sorted(file.parent.name for file in GOLDEN.glob("*/input.yaml"))
PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")
ANYTHING = SpecPolicy(PodTemplatePolicy.FULL, ("*",), ("*",))


def rendered(case: str) -> list[Manifest]:
    """Render a case's input."""
    md, inputs, asked = read(case)
    assert find_violations(md, inputs, specs=ANYTHING) == ()
    network = NetworkSettings(**asked["network"]) if "network" in asked else None
    platform = replace(PLATFORM, network=network)
    files = ModelFiles("", manifest=asked["files"]) if "files" in asked else None
    own = render_revision(md, platform, inputs, files)
    backends = tuple(
        Backend(own.hash if one["revision"] == "self" else one["revision"], one["weight"])
        for one in asked.get("backends", [{"revision": "self", "weight": 100}])
    )
    preview = own.hash if asked.get("preview") else None
    replicas = None if md.spec.autoscaling else md.spec.replicas
    autoscaler = hpa(md, own.hash, frozen=asked.get("frozen", False))
    return [
        *render_workload(md, own, replicas),
        *render_network(md, own, network),
        *render_traffic(
            md,
            backends,
            preview,
            testers=asked.get("testers", False),
            copies=asked.get("copies", 0),
            by_pods=asked.get("byPods", False),
        ),
        *(
            with_revisions(
                with_revisions(one, md.metadata.name, backends), md.metadata.name, backends
            )
            for one in asked.get("routes", ())
        ),
        *([autoscaler] if autoscaler else []),
        pdb(md),
    ]


def read(case: str) -> tuple[ModelDeployment, dict[str, Manifest | None], dict[str, Any]]:
    """Read a case: the ModelDeployment, its ConfigMaps and the options."""
    first, *rest = yaml.safe_load_all((GOLDEN / case / "input.yaml").read_text())
    config_maps = {one["metadata"]["name"]: one for one in rest if one.get("kind") == "ConfigMap"}
    routes = [one for one in rest if one.get("kind") == "HTTPRoute"]
    (asked,) = [one for one in rest if "kind" not in one] or [{}]
    return ModelDeployment.from_manifest(first), config_maps, {**asked, "routes": routes}
