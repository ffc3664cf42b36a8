"""What a ModelDeployment becomes, without a cluster."""

import json

import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.manifests import deployments, documents
from halimede.render.checks import violations
from halimede.render.platform import Platform
from halimede.render.revision import revision
from halimede.render.scaling import hpa, pdb
from halimede.render.traffic import Backend, traffic
from halimede.render.workload import workload


def preview(text: str, platform: Platform) -> str:
    """Render every ModelDeployment in *text* as it will be once its first revision serves.

    Args:
        text: YAML documents: ModelDeployments, and the ConfigMaps that they read.
        platform: The operator's own settings.

    Raises:
        ValueError: A document is not to be understood; the message names the field.
    """
    found = documents(text)
    config_maps = {
        document["metadata"]["name"]: document
        for document in found
        if document.get("kind") == "ConfigMap"
    }
    rendered = [
        manifest for md in deployments(found) for manifest in _manifests(md, platform, config_maps)
    ]
    # By way of JSON: what two manifests share would become an alias of YAML.
    return yaml.safe_dump_all(json.loads(json.dumps(rendered)), sort_keys=False, width=100)


def _manifests(
    md: ModelDeployment, platform: Platform, config_maps: dict[str, Manifest]
) -> tuple[Manifest, ...]:
    if wrong := violations(md, config_maps):
        raise ValueError(" ".join(f"{one}." for one in wrong))
    target = revision(md, platform, config_maps)
    replicas = None if md.spec.autoscaling else md.spec.replicas
    scaler = hpa(md, target.hash)
    return (
        *workload(md, target, replicas),
        *traffic(md, (Backend(target.hash, 100),)),
        *((scaler,) if scaler else ()),
        pdb(md),
    )
