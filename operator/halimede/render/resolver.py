"""The Job that resolves a source: it fetches the model's files to determine their digest.

Its one container is the container `fetch` of the revision's pods, with what the user has changed
in it. It expects a digest only if the spec states it, or if nothing but the cache lacks the files.
So whatever would prevent a pod of the revision from fetching is found before there is one. The
container's termination message has the digest.

With a cache, the Job puts the files there, and is all that reads the source: the pods of the
revision read the cache.
"""

import hashlib

from halimede.api.base import Manifest, RevisionHash
from halimede.api.source import ModelFiles, cache_claim
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import config_pbtxt, names
from halimede.render.env import canonical, with_digest
from halimede.render.network import render_fetch_only
from halimede.render.platform import Platform
from halimede.render.revision import HASH_DIGITS, render_pod_template
from halimede.render.view import model_name

MOST_RESTARTS = 10_000
"""The Job's `backoffLimit`. Time limits it, not the number of restarts: a server may be busy for
long, and the kubelet waits up to five minutes between two of them."""
_OF_SERVER = frozenset(
    {
        "containers",
        "initContainers",
        "resourceClaims",
        "resources",
        "terminationGracePeriodSeconds",
        "topologySpreadConstraints",
        "volumes",
    }
)
"""The fields of the pod that are for Triton: the Job must not wait for a GPU that serves."""
_WITHOUT = frozenset({"config"})
"""The volumes of the fetcher that only a revision has."""


def source_digest(md: ModelDeployment) -> str:
    """Digest the fields of the spec that determine the model's files."""
    model = md.spec.model
    supply = model.supply
    fields = {"endpoint", "include", "exclude"}
    selected = supply.model_dump(mode="json", include=fields) if supply else {}
    content = {"storageUri": model.storage_uri} | {
        name: value for name, value in selected.items() if value is not None
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def cache_digest(md: ModelDeployment) -> str | None:
    """Digest what determines whether files are fetched to the cache again; None: there is none.

    It is the claim, and what the files may contain: no pod checks that again.
    """
    claim, model = cache_claim(md.spec), md.spec.model
    if claim is None:
        return None
    formats = model.supply.allowed_formats if model.supply else None
    content = {
        "claimName": claim,
        "allowedFormats": sorted(formats or ()),
        "allowNativeCode": model.allow_native_code,
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def render_resolver(
    md: ModelDeployment, platform: Platform, expected: ModelFiles | None = None
) -> tuple[Manifest, ...]:
    """Render the Job, and its NetworkPolicy where there are any.

    A Job's pod template cannot be changed, so the name contains the hash of its content.

    Args:
        md: The owner.
        platform: The operator's settings.
        expected: The files, if they are known and only the cache lacks them.
    """
    config = config_pbtxt.model_config(model_name(md), md.spec)
    template = render_pod_template(md, platform, config, {}, expected)
    job_spec = {"backoffLimit": MOST_RESTARTS, "template": _pod_template(md, template)}
    digest = hashlib.sha256(canonical(job_spec).encode()).hexdigest()[:HASH_DIGITS]
    metadata = names.metadata(md, names.revision_name(md.metadata.name, RevisionHash(digest)))
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job_spec}
    if platform.network is None:
        return (with_digest(job),)
    return render_fetch_only(metadata, _selector(md), template), with_digest(job)


def _pod_template(md: ModelDeployment, template: Manifest) -> Manifest:
    """Return the pod template of the Job, from that of the revision's pods."""
    spec = template["spec"]
    fetcher = next(one for one in spec["initContainers"] if one["name"] == names.FETCHER)
    # podTemplate may have removed its arguments and mounts; the API server says what is wrong.
    mounts = [
        mount for mount in fetcher.get("volumeMounts") or () if mount.get("name") not in _WITHOUT
    ]
    mounted = {mount.get("name") for mount in mounts}
    labels = names.labels(md.metadata.name) | {"app.kubernetes.io/component": "resolver"}
    del labels[names.NAME_LABEL]
    metadata = template["metadata"] | {"labels": labels | _selector(md)}
    return {
        "metadata": metadata,
        "spec": {
            **{name: value for name, value in spec.items() if name not in _OF_SERVER},
            "restartPolicy": "OnFailure",
            "containers": [
                fetcher
                | {"args": _without_config(fetcher.get("args") or []), "volumeMounts": mounts}
            ],
            "volumes": [volume for volume in spec["volumes"] if volume["name"] in mounted],
        },
    }


def _without_config(args: list[str]) -> list[str]:
    if "--config" not in args:
        return args
    start = args.index("--config")
    return [*args[:start], *args[start + 2 :]]


def _selector(md: ModelDeployment) -> Manifest:
    return {names.RESOLVER_LABEL: md.metadata.name}
