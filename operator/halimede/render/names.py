"""Names, labels and owners of the children: invariants, hence Python and no template."""

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import API_VERSION, GROUP, KIND, ModelDeployment

MANAGER = "halimede"
"""Server-side apply's field manager, and the value of the managed-by label."""
NAME_LABEL = f"{GROUP}/name"
"""On every child: the ModelDeployment that it belongs to."""
REVISION_LABEL = f"{GROUP}/revision"
"""On children and pods of one revision: its hash."""
REVISION_HEADER = "x-halimede-revision"
"""Response header that tells which revision answered."""


def revision_name(name: str, revision: RevisionHash) -> str:
    """Name the Deployment, Service and ConfigMap of a revision.

    >>> revision_name("digits", "a1b2c3d4")
    'digits-a1b2c3d4'
    """
    return f"{name}-{revision}"


def labels(name: str, revision: RevisionHash | None = None) -> dict[str, str]:
    """Label a child: the recommended `app.kubernetes.io` six, and our own to select by.

    Args:
        name: The ModelDeployment's name.
        revision: The revision's hash; None for what all revisions share.
    """
    common = {
        "app.kubernetes.io/name": "triton",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "server",
        "app.kubernetes.io/part-of": "halimede",
        "app.kubernetes.io/managed-by": MANAGER,
        NAME_LABEL: name,
    }
    if revision is None:
        return common
    return common | {"app.kubernetes.io/version": revision, REVISION_LABEL: revision}


def selector(name: str, revision: RevisionHash | None = None) -> dict[str, str]:
    """Select the pods of a ModelDeployment, or of one of its revisions.

    Only labels that never change may be here: a Deployment's selector is immutable.
    """
    if revision is None:
        return {NAME_LABEL: name}
    return {NAME_LABEL: name, REVISION_LABEL: revision}


def metadata(md: ModelDeployment, name: str, revision: RevisionHash | None = None) -> Manifest:
    """Write the metadata of a child that goes when its ModelDeployment goes."""
    owner = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": md.metadata.name,
        "uid": md.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": md.metadata.namespace,
        "labels": labels(md.metadata.name, revision),
        "ownerReferences": [owner],
    }
