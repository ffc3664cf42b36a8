"""Names, labels and owners of the children: invariants, hence in Python, not in templates."""

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import API_VERSION, GROUP, KIND, ModelDeployment

MANAGER = "halimede"
"""Server-side apply's field manager, and the value of the managed-by label."""
NAME_LABEL = f"{GROUP}/name"
"""On every child: the ModelDeployment that it belongs to."""
REVISION_LABEL = f"{GROUP}/revision"
"""On children and pods of one revision: its hash."""
FETCHER = "fetch"
"""The container that fetches the model's files."""
RESOLVER_LABEL = f"{GROUP}/resolver-of"
"""On the pods of the Job that resolves a source, instead of `NAME_LABEL`, by which Services and
disruption budgets select: the ModelDeployment that they belong to."""
ISOLATED_LABEL = f"{GROUP}/isolated"
"""On pods, with the value `true`: their revision has a NetworkPolicy."""
REVISION_HEADER = "x-halimede-revision"
"""Response header with the revision that answered."""


def revision_name(name: str, revision: RevisionHash) -> str:
    """Return the name of a revision's Deployment, Service and ConfigMap.

    >>> revision_name("digits", "a1b2c3d4")
    'digits-a1b2c3d4'
    """
    return f"{name}-{revision}"


def labels(name: str, revision: RevisionHash | None = None) -> dict[str, str]:
    """Return a child's labels: the six recommended `app.kubernetes.io` ones, and our own.

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
    """Return the labels that select the pods of a ModelDeployment, or of one of its revisions.

    They must never change: a Deployment's selector is immutable.
    """
    if revision is None:
        return {NAME_LABEL: name}
    return {NAME_LABEL: name, REVISION_LABEL: revision}


def metadata(md: ModelDeployment, name: str, revision: RevisionHash | None = None) -> Manifest:
    """Return the metadata of a child, which is deleted together with its ModelDeployment."""
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
