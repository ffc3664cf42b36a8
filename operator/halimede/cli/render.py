"""What a ModelDeployment becomes, without a cluster."""

import json

import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.cli.manifests import InvalidManifestError, load_documents, parse_model_deployments
from halimede.cli.yaml_dialect import Dumper
from halimede.render.field_types import mistyped
from halimede.render.images import Platform
from halimede.render.revision import render_revision
from halimede.render.scaling import hpa, pdb
from halimede.render.traffic import Backend, render_traffic
from halimede.render.workload import render_workload
from halimede.validation.spec import find_violations


def render_manifests(text: str, platform: Platform) -> str:
    """Render every ModelDeployment in *text* as it will be once its first revision serves.

    Args:
        text: YAML documents: ModelDeployments, and the ConfigMaps that they read.
        platform: The operator's own settings.

    Raises:
        InvalidManifestError: A document is not to be understood; the message names the field.
    """
    found = load_documents(text)
    config_maps = [document for document in found if document["kind"] == "ConfigMap"]
    for config_map in config_maps:
        _check(config_map)
    rendered = [
        manifest
        for md in parse_model_deployments(found)
        for manifest in _manifests(md, platform, _inputs(config_maps, md.metadata.namespace))
    ]
    # By way of JSON: what two manifests share would become an alias of YAML.
    printed: str = yaml.dump_all(
        json.loads(json.dumps(rendered)), Dumper=Dumper, sort_keys=False, width=100
    )
    return printed


def _check(config_map: Manifest) -> None:
    name = f"ConfigMap {config_map['metadata']['name']!r}"
    for path, told, cure in mistyped(config_map, "V1ConfigMap", name):
        raise InvalidManifestError(f"{path}: {told}; {cure}")


def _inputs(config_maps: list[Manifest], namespace: str) -> dict[str, Manifest]:
    """Find the ConfigMaps that a ModelDeployment in *namespace* reads, by name.

    Those that say no namespace are applied to that of the ModelDeployment.
    """
    near = [one for one in config_maps if _namespace(one) in (None, namespace)]
    near.sort(key=lambda one: _namespace(one) is not None)
    return {one["metadata"]["name"]: _filled(one) for one in near}


def _namespace(manifest: Manifest) -> str | None:
    namespace: str | None = manifest["metadata"].get("namespace")
    return namespace


def _filled(config_map: Manifest) -> Manifest:
    """Read a value that is null as the API server does: it is empty."""
    kinds = {kind: config_map[kind] for kind in ("data", "binaryData") if config_map.get(kind)}
    return config_map | {
        kind: {name: content or "" for name, content in files.items()}
        for kind, files in kinds.items()
    }


def _manifests(
    md: ModelDeployment, platform: Platform, config_maps: dict[str, Manifest]
) -> tuple[Manifest, ...]:
    if wrong := find_violations(md, config_maps):
        raise InvalidManifestError(" ".join(f"{one}." for one in wrong))
    target = render_revision(md, platform, config_maps)
    replicas = None if md.spec.autoscaling else md.spec.replicas
    scaler = hpa(md, target.hash)
    return (
        *render_workload(md, target, replicas),
        *render_traffic(md, (Backend(target.hash, 100),)),
        *((scaler,) if scaler else ()),
        pdb(md),
    )
