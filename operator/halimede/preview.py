"""What a ModelDeployment becomes, without a cluster."""

import json

import yaml
from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import KIND, ModelDeployment
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
    try:
        documents = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ValueError(f"this is no YAML: {error}") from error
    config_maps = {
        document["metadata"]["name"]: document
        for document in documents
        if document.get("kind") == "ConfigMap"
    }
    rendered = [
        manifest
        for document in documents
        if document.get("kind") == KIND
        for manifest in _manifests(document, platform, config_maps)
    ]
    if not rendered:
        raise ValueError(f"there is no {KIND} in it")
    # By way of JSON: what two manifests share would become an alias of YAML.
    return yaml.safe_dump_all(json.loads(json.dumps(rendered)), sort_keys=False, width=100)


def _manifests(
    document: Manifest, platform: Platform, config_maps: dict[str, Manifest]
) -> tuple[Manifest, ...]:
    placed = {"namespace": "default", **document.get("metadata", {})}
    try:
        md = ModelDeployment.from_manifest({**document, "metadata": placed})
    except ValidationError as error:
        raise ValueError(str(error)) from error
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
