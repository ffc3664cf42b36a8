"""Revisions: everything that changes the pod, its hash, and the record that is kept of it."""

import hashlib
import json
from dataclasses import dataclass, field

from halimede.api.base import Manifest, RevisionHash
from halimede.api.source import Inputs, config_maps
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import config_pbtxt, names
from halimede.render.env import canonical, fragment, with_digest
from halimede.render.images import Platform
from halimede.render.merge import merge
from halimede.render.view import COPIED, STARTUP_PERIOD_SECONDS, model_name, pod_view

CONFIG_KEY = "config.pbtxt"
RECORD_KEY = "revision.json"
POD_FIELDS = frozenset({"model", "runtime", "resources", "gpu", "probes", "drain", "pod_template"})
"""The fields of the spec that a revision is rendered from."""


class InvalidRecordError(Exception):
    """A ConfigMap is not the record of a revision, although it should be."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Everything that is needed to run one state of the model after the spec has changed."""

    hash: RevisionHash
    """Eight hex digits."""
    model: str
    """The model's name in Triton's URLs."""
    config_pbtxt: str
    pod_template: Manifest = field(hash=False)
    """Without what depends on the hash: the revision's labels and its ConfigMap's name."""
    source: Manifest = field(default_factory=dict, hash=False)
    """Copy of a `configMap://` source: `data` and `binaryData`, each only where it is not empty.
    The user may change theirs at any time; this revision's next pod needs the old files."""
    spec_digest: str = ""
    """Digest of what the revision was rendered from: `POD_FIELDS` of the spec and the source.
    Revisions of one digest differ only because two versions or settings of the operator rendered
    them. Empty if the record has none."""


def render_revision(md: ModelDeployment, platform: Platform, inputs: Inputs) -> Revision:
    """Render the revision that the spec asks for.

    If a record of the same hash exists, use that instead: it has the fetcher's image of its own
    time, which the hash excludes, so that an update of the operator restarts no model.

    Raises:
        config_pbtxt.InvalidConfigError: `find_violations` reports this too.
    """
    model = model_name(md)
    config = config_pbtxt.model_config(model, md.spec)
    view = pod_view(md, platform, config, inputs)
    template = fragment("pod", pod=view, startup_period=STARTUP_PERIOD_SECONDS)
    template = merge(template, md.spec.pod_template or {})
    text = config_pbtxt.text(config)
    source = _copy_source(md, inputs)
    return Revision(
        hash=_hash(template, platform.halimede_image, text, source),
        model=model,
        config_pbtxt=text,
        pod_template=template,
        source=source,
        spec_digest=_spec_digest(md, source),
    )


def record(md: ModelDeployment, recorded: Revision) -> Manifest:
    """Return a revision's ConfigMap: what its pods read, and what is needed to render it again."""
    content = {"model": recorded.model, "podTemplate": recorded.pod_template}
    if recorded.spec_digest:
        content["specDigest"] = recorded.spec_digest
    own = {CONFIG_KEY: recorded.config_pbtxt, RECORD_KEY: canonical(content)}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.metadata(
            md, names.revision_name(md.metadata.name, recorded.hash), recorded.hash
        ),
        "immutable": True,
        "data": own | _add_prefix(recorded.source.get("data", {})),
    }
    if binary := recorded.source.get("binaryData"):
        manifest["binaryData"] = _add_prefix(binary)
    return with_digest(manifest)


def from_record(config_map: Manifest) -> Revision:
    """Parse a revision from its ConfigMap.

    Raises:
        InvalidRecordError: `record` did not write it.
    """
    try:
        content = json.loads(config_map["data"][RECORD_KEY])
        source = {
            kind: files
            for kind in ("data", "binaryData")
            if (files := _remove_prefix(config_map.get(kind) or {}))
        }
        return Revision(
            hash=config_map["metadata"]["labels"][names.REVISION_LABEL],
            model=content["model"],
            config_pbtxt=config_map["data"][CONFIG_KEY],
            pod_template=content["podTemplate"],
            source=source,
            spec_digest=content.get("specDigest", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        name = config_map.get("metadata", {}).get("name")
        raise InvalidRecordError(
            f"ConfigMap {name!r} does not contain a valid revision: {error!r}"
        ) from error


def _copy_source(md: ModelDeployment, inputs: Inputs) -> Manifest:
    copied: Manifest = {}
    for name in config_maps(md.spec):
        config_map = inputs.get(name) or {}
        copied |= {
            kind: config_map[kind] for kind in ("data", "binaryData") if config_map.get(kind)
        }
    return copied


def _hash(template: Manifest, fetcher: str, config: str, source: Manifest) -> RevisionHash:
    fetchers = [
        {**container, "image": ""} if container.get("image") == fetcher else container
        for container in template["spec"]["initContainers"]
    ]
    hashed = template | {"spec": template["spec"] | {"initContainers": fetchers}}
    content = canonical({"podTemplate": hashed, "config": config, "source": source})
    return RevisionHash(hashlib.sha256(content.encode()).hexdigest()[:8])


def _spec_digest(md: ModelDeployment, source: Manifest) -> str:
    """Digest what a revision is rendered from.

    Defaults are left out: a field that a later version adds must not change the digest.
    """
    spec = md.spec.model_dump(
        mode="json", by_alias=True, include=set(POD_FIELDS), exclude_defaults=True
    )
    content = canonical({"spec": spec, "source": source})
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _add_prefix(files: Manifest) -> Manifest:
    return {COPIED + name: content for name, content in files.items()}


def _remove_prefix(files: Manifest) -> Manifest:
    return {
        name.removeprefix(COPIED): content
        for name, content in files.items()
        if name.startswith(COPIED)
    }
