"""Revisions: everything that changes the pod, its hash, and the record that is kept of it."""

import hashlib
import json
from base64 import b64encode
from dataclasses import dataclass, field, replace

from halimede.api.base import Manifest, RevisionHash
from halimede.api.source import Inputs, ModelFiles, cache_claim, config_maps
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import config_pbtxt, names
from halimede.render.config_pbtxt import ModelConfig
from halimede.render.env import canonical, fragment, with_digest
from halimede.render.files_view import COPIED
from halimede.render.merge import merge
from halimede.render.platform import Platform
from halimede.render.view import STARTUP_PERIOD_SECONDS, model_name, pod_view

CONFIG_KEY = "config.pbtxt"
UNKNOWN_FILES = ModelFiles("", manifest="0" * 64)
"""Stands for the files in a cache where they cannot be known, as in `halimede render`. The
operator renders no revision before they are known."""
RECORD_KEY = "revision.json"
HASH_DIGITS = 8
"""Hex digits of the digest in names. So few can collide, so the digest decides what is equal."""
POD_FIELDS = frozenset(
    {
        *("model", "runtime", "resources", "gpu", "probes", "drain"),
        *("service_account_name", "pod_template"),
    }
)
"""The fields of the spec that a revision is rendered from."""


class InvalidRecordError(Exception):
    """A ConfigMap is not the record of a revision, although it should be."""


@dataclass(frozen=True, slots=True)
class Revision:
    """Everything that is needed to run one state of the model after the spec has changed."""

    hash: RevisionHash
    """Eight hex digits, which name it: see `revision_hash`."""
    model: str
    """The model's name in Triton's URLs."""
    config_pbtxt: str
    pod_template: Manifest = field(hash=False)
    """Without what depends on the hash: the revision's labels and its ConfigMap's name."""
    source: Manifest = field(default_factory=dict, hash=False)
    """Copy of a `configMap://` source: `data` and `binaryData`, each only where it is not empty.
    The user may change theirs at any time; this revision's next pod needs the old files."""
    spec_digest: str = ""
    """Digest of what the revision was rendered from: `POD_FIELDS` of the spec, the source, and the
    digest of the model's files if that was resolved.
    Revisions of one digest differ only because two versions or settings of the operator rendered
    them. Records of earlier versions have the first 16 hex digits, or none."""
    digest: str = ""
    """SHA-256, in hex digits, of the pod template without the fetcher's image, Triton's
    configuration and the source. Empty if an earlier version wrote the record."""
    record: str = field(default="", repr=False)
    """The JSON text in the revision's ConfigMap from which the other fields are read. It stays as
    it is, whichever version of the operator wrote it, because a record is immutable."""


def render_revision(
    md: ModelDeployment, platform: Platform, inputs: Inputs, files: ModelFiles | None = None
) -> Revision:
    """Render the revision that the spec asks for.

    Args:
        md: The owner.
        platform: The operator's settings.
        inputs: The ConfigMaps that the spec reads.
        files: What the source was resolved to, if it was.

    If a record of the same hash exists, use that instead: it has the fetcher's image of its own
    time, which the hash excludes, so that an update of the operator restarts no model.

    Raises:
        config_pbtxt.InvalidConfigError: `find_violations` reports this too.
    """
    model = model_name(md)
    config = config_pbtxt.model_config(model, md.spec)
    if files is None and cache_claim(md.spec) is not None:
        files = UNKNOWN_FILES
    template = render_pod_template(md, platform, config, inputs, files)
    text = config_pbtxt.text(config)
    source = _copy_source(md, inputs)
    digest = _digest(template, platform.fetch_image, text, source)
    rendered = Revision(
        hash=revision_hash(digest),
        model=model,
        config_pbtxt=text,
        pod_template=template,
        source=source,
        spec_digest=_spec_digest(md, source, files),
        digest=digest,
    )
    return replace(rendered, record=_serialise(rendered))


def render_pod_template(
    md: ModelDeployment,
    platform: Platform,
    config: ModelConfig,
    inputs: Inputs,
    files: ModelFiles | None,
) -> Manifest:
    """Render the pod template that the spec asks for, with the user's changes: see `pod_view`."""
    view = pod_view(md, platform, config, inputs, files)
    template = fragment("pod", pod=view, startup_period=STARTUP_PERIOD_SECONDS)
    return merge(template, md.spec.pod_template or {})


def with_fetcher(rendered: Revision, platform: Platform, image: str) -> Revision:
    """Return a rendered revision as an operator with another image of the fetcher rendered it."""
    template = _replace_image(rendered.pod_template, platform.fetch_image, image)
    other = replace(rendered, pod_template=template)
    return replace(other, record=_serialise(other))


def revision_hash(digest: str, collisions: int = 0) -> RevisionHash:
    """Return the hash that names a revision: the first digits of its digest, salted if needed.

    The Deployment controller salts the hash of a ReplicaSet with `status.collisionCount` in the
    same way (`ComputeHash` in kubernetes/pkg/controller).

    Args:
        digest: The revision's digest.
        collisions: How many times the hash of a revision was taken; 0 leaves the digest unsalted.

    >>> revision_hash("0123456789abcdef")
    '01234567'
    >>> revision_hash("0123456789abcdef", 1) == revision_hash("0123456789abcdef", 2)
    False
    """
    salted = _sha256(f"{digest}-{collisions}").hex() if collisions else digest
    return RevisionHash(salted[:HASH_DIGITS])


def is_asked_for(recorded: Revision, rendered: Revision) -> bool:
    """Whether a recorded revision is what the spec asks for.

    Args:
        recorded: Read from a record.
        rendered: Rendered from the present spec.
    """
    spec_digest = recorded.spec_digest
    if spec_digest and rendered.spec_digest.startswith(spec_digest):
        return True
    return (recorded.digest or find_digest(recorded)) == rendered.digest


def find_digest(recorded: Revision) -> str | None:
    """Compute the digest of a recorded revision; None: its hash was made of another content.

    Records of earlier versions have no digest. Which image the fetcher had when the revision was
    rendered is not recorded either, but only the right one leads to the hash.
    """
    template, config, source = recorded.pod_template, recorded.config_pbtxt, recorded.source
    try:
        images = {container.get("image") for container in template["spec"]["initContainers"]}
        digests = [_digest(template, image, config, source) for image in (None, *images)]
    except (AttributeError, KeyError, RecursionError, TypeError):
        return None
    return next((digest for digest in digests if revision_hash(digest) == recorded.hash), None)


def record(md: ModelDeployment, recorded: Revision) -> Manifest:
    """Return a revision's ConfigMap: what its pods read, and what is needed to render it again."""
    name = names.revision_name(md.metadata.name, recorded.hash)
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.metadata(md, name, recorded.hash),
        "immutable": True,
    }
    return with_digest(manifest | render_data(recorded))


def render_data(recorded: Revision) -> Manifest:
    """Return `data` and `binaryData` of a revision's ConfigMap."""
    own = {CONFIG_KEY: recorded.config_pbtxt, RECORD_KEY: recorded.record}
    data = {"data": own | _add_prefix(recorded.source.get("data", {}))}
    binary = recorded.source.get("binaryData")
    return data | {"binaryData": _add_prefix(binary)} if binary else data


def digest_record(config_map: Manifest) -> str:
    """Return the SHA-256 digest, in Base64, of everything that a ConfigMap contains.

    It includes the fetcher's image, which a revision's own digest leaves out.
    """
    content = {kind: config_map.get(kind) or {} for kind in ("data", "binaryData")}
    return b64encode(_sha256(canonical(content))).decode()


def from_record(revision: RevisionHash, config_map: Manifest) -> Revision:
    """Parse a revision from its ConfigMap.

    Raises:
        InvalidRecordError: `record` did not write it.
    """
    try:
        text = config_map["data"][RECORD_KEY]
        content = json.loads(text)
        source = {
            kind: files
            for kind in ("data", "binaryData")
            if (files := _remove_prefix(config_map.get(kind) or {}))
        }
        return Revision(
            hash=revision,
            model=_string(content["model"]),
            config_pbtxt=config_map["data"][CONFIG_KEY],
            pod_template=content["podTemplate"],
            source=source,
            spec_digest=_string(content.get("specDigest", "")),
            digest=_string(content.get("digest", "")),
            record=text,
        )
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise InvalidRecordError(f"it does not contain a revision ({error!r})") from error


def _string(value: object) -> str:
    """Return a value of a record that must be a string.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _copy_source(md: ModelDeployment, inputs: Inputs) -> Manifest:
    copied: Manifest = {}
    for name in config_maps(md.spec):
        config_map = inputs.get(name) or {}
        copied |= {
            kind: config_map[kind] for kind in ("data", "binaryData") if config_map.get(kind)
        }
    return copied


def _serialise(rendered: Revision) -> str:
    """Write everything of a revision that its ConfigMap has in no other form."""
    return canonical(
        {
            "model": rendered.model,
            "podTemplate": rendered.pod_template,
            "specDigest": rendered.spec_digest,
            "digest": rendered.digest,
        }
    )


def _digest(template: Manifest, fetcher: str | None, config: str, source: Manifest) -> str:
    hashed = _replace_image(template, fetcher, "")
    content = canonical({"podTemplate": hashed, "config": config, "source": source})
    return _sha256(content).hex()


def _replace_image(template: Manifest, before: str | None, after: str) -> Manifest:
    """Replace the image of the init containers that have it."""
    containers = [
        {**container, "image": after} if container.get("image") == before else container
        for container in template["spec"]["initContainers"]
    ]
    return template | {"spec": template["spec"] | {"initContainers": containers}}


def _spec_digest(md: ModelDeployment, source: Manifest, files: ModelFiles | None) -> str:
    """Digest what a revision is rendered from.

    Defaults are left out: a field that a later version adds must not change the digest. What
    changes no pod is left out too: else it would roll out the rendering of a newer operator.
    """
    spec = md.spec.model_dump(
        mode="json",
        by_alias=True,
        include=set(POD_FIELDS),
        exclude={
            "runtime": {"allow_vulnerable_version"},
            "model": {"supply": {"resolve", "resolve_interval_seconds"}},
        },
        exclude_defaults=True,
    )
    if not spec["model"].get("supply"):
        spec["model"].pop("supply", None)
    content: Manifest = {"spec": spec, "source": source}
    if files is not None:  # earlier versions recorded digests without it
        content |= {"model": files.digest}
        if files.manifest is not None:
            content |= {"files": files.manifest}
    return _sha256(canonical(content)).hex()


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _add_prefix(files: Manifest) -> Manifest:
    return {COPIED + name: content for name, content in files.items()}


def _remove_prefix(files: Manifest) -> Manifest:
    return {
        name.removeprefix(COPIED): content
        for name, content in files.items()
        if name.startswith(COPIED)
    }
