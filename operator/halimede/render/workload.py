"""The workload of one revision: its ConfigMap, its Service, its Deployment."""

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render
from halimede.render.merge import merge
from halimede.render.revision import Revision, record


def render_workload(
    md: ModelDeployment, revision: Revision, replicas: int | None
) -> tuple[Manifest, Manifest, Manifest]:
    """Render a revision's ConfigMap, Service and Deployment, in the order to apply them.

    Args:
        md: The owner.
        revision: Rendered from the spec, or read from its record.
        replicas: None leaves the number to its owner, the autoscaler.
    """
    return record(md, revision), service(md, revision.hash), _deployment(md, revision, replicas)


def service(md: ModelDeployment, revision: RevisionHash) -> Manifest:
    """Render the Service of one revision, which never selects another one."""
    name = md.metadata.name
    return render(
        "service",
        metadata=names.metadata(md, names.revision_name(name, revision), revision),
        selector=names.selector(name, revision),
    )


def _deployment(md: ModelDeployment, revision: Revision, replicas: int | None) -> Manifest:
    name = md.metadata.name
    return render(
        "deployment",
        metadata=names.metadata(md, names.revision_name(name, revision.hash), revision.hash),
        replicas=replicas,
        progress_deadline=md.spec.rollout.progress_deadline_seconds,
        selector=names.selector(name, revision.hash),
        pod_template=_complete_pod_template(name, revision),
    )


def _complete_pod_template(name: str, revision: Revision) -> Manifest:
    """Add to the pod template what depends on the hash, and labels that users cannot change."""
    config_map = {"configMap": {"name": names.revision_name(name, revision.hash)}}
    volumes = [
        merge(volume, config_map) if _is_ours(volume) else volume
        for volume in revision.pod_template["spec"]["volumes"]
    ]
    labelled = {"metadata": {"labels": names.labels(name, revision.hash)}}
    template = merge(revision.pod_template, labelled)
    return template | {"spec": template["spec"] | {"volumes": volumes}}


def _is_ours(volume: Manifest) -> bool:
    return volume["name"] in ("config", "source") and "configMap" in volume
