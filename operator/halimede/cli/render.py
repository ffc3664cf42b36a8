"""`halimede render`: render a ModelDeployment's children, without a cluster."""

import json

import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.cli.manifests import InvalidManifestError, load_documents, parse_model_deployments
from halimede.cli.yaml_dialect import Dumper
from halimede.judge.query_policy import NAMESPACED_ONLY, QueryPolicy
from halimede.render.field_types import mistyped
from halimede.render.network import render_network
from halimede.render.platform import Platform
from halimede.render.revision import render_revision
from halimede.render.scaling import hpa, pdb
from halimede.render.traffic import Backend, render_traffic
from halimede.render.workload import render_workload
from halimede.validation.spec import find_violations


def render_manifests(text: str, platform: Platform, policy: QueryPolicy = NAMESPACED_ONLY) -> str:
    """Return the children of every ModelDeployment in *text* once its first revision serves.

    Args:
        text: YAML documents with ModelDeployments and the ConfigMaps that they read.
        platform: The operator's settings for rendering.
        policy: Its settings for queries.

    Raises:
        InvalidManifestError: A document is invalid; the message names the field.
    """
    documents = load_documents(text)
    config_maps = [document for document in documents if document["kind"] == "ConfigMap"]
    for config_map in config_maps:
        _check(config_map)
    rendered = [
        manifest
        for md in parse_model_deployments(documents)
        for manifest in _manifests(
            md, platform, _inputs(config_maps, md.metadata.namespace), policy
        )
    ]
    # Through JSON: YAML would write an alias for what two manifests share.
    output: str = yaml.dump_all(
        json.loads(json.dumps(rendered)), Dumper=Dumper, sort_keys=False, width=100
    )
    return output


def _check(config_map: Manifest) -> None:
    name = f"ConfigMap {config_map['metadata']['name']!r}"
    for path, message, cure in mistyped(config_map, "V1ConfigMap", name):
        raise InvalidManifestError(f"{path}: {message}; {cure}")


def _inputs(config_maps: list[Manifest], namespace: str) -> dict[str, Manifest]:
    """Return the ConfigMaps that a ModelDeployment in *namespace* can read, by name.

    Those without a namespace are taken to be in that of the ModelDeployment.
    """
    candidates = [
        config_map for config_map in config_maps if _namespace(config_map) in (None, namespace)
    ]
    candidates.sort(key=lambda config_map: _namespace(config_map) is not None)
    return {
        config_map["metadata"]["name"]: _without_nulls(config_map) for config_map in candidates
    }


def _namespace(manifest: Manifest) -> str | None:
    namespace: str | None = manifest["metadata"].get("namespace")
    return namespace


def _without_nulls(config_map: Manifest) -> Manifest:
    """Replace null values by empty ones, as the API server does."""
    kinds = {kind: config_map[kind] for kind in ("data", "binaryData") if config_map.get(kind)}
    return config_map | {
        kind: {name: content or "" for name, content in files.items()}
        for kind, files in kinds.items()
    }


def _manifests(
    md: ModelDeployment,
    platform: Platform,
    config_maps: dict[str, Manifest],
    policy: QueryPolicy,
) -> tuple[Manifest, ...]:
    violations = find_violations(
        md,
        config_maps,
        policy,
        sha256_required=platform.sha256_required,
        specs=platform.specs,
    )
    if violations:
        raise InvalidManifestError(" ".join(f"{violation}." for violation in violations))
    target = render_revision(md, platform, config_maps)
    replicas = None if md.spec.autoscaling else md.spec.replicas
    scaler = hpa(md, target.hash)
    return (
        *render_workload(md, target, replicas),
        *render_network(md, target, platform.network),
        *render_traffic(md, (Backend(target.hash, 100),)),
        *((scaler,) if scaler else ()),
        pdb(md),
    )
