"""How many pods: the autoscaler, and the budget of those that may be evicted at once."""

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render
from halimede.render.merge import merge

CALM = {"scaleDown": {"stabilizationWindowSeconds": 300}}
"""Models are slow to start, so pods are not given up for a lull of minutes."""
FROZEN = {"scaleDown": {"selectPolicy": "Disabled"}}


def hpa(md: ModelDeployment, revision: RevisionHash, *, frozen: bool = False) -> Manifest | None:
    """Render the autoscaler of the stable revision; None where the spec asks for none.

    Args:
        md: The owner.
        revision: Hash of the revision whose Deployment is scaled.
        frozen: Do not scale down: a canary takes load off the stable revision, which must be able
            to take it back at once.
    """
    scaling = md.spec.autoscaling
    if scaling is None:
        return None
    name = md.metadata.name
    behavior = merge(CALM, scaling.behavior or {})
    return render(
        "hpa",
        metadata=names.metadata(md, name),
        target=names.revision_name(name, revision),
        scaling=scaling,
        behavior=merge(behavior, FROZEN) if frozen else behavior,
    )


def pdb(md: ModelDeployment) -> Manifest:
    """Render the disruption budget: of all pods of the model, one at a time."""
    name = md.metadata.name
    return render("pdb", metadata=names.metadata(md, name), selector=names.selector(name))
