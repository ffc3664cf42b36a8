"""The HorizontalPodAutoscaler and the PodDisruptionBudget of a model."""

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.env import render
from halimede.render.merge import merge

CALM = {"scaleDown": {"stabilizationWindowSeconds": 300}}
"""Models are slow to start, so pods are kept when the load is low for only a few minutes."""
FROZEN = {"scaleDown": {"selectPolicy": "Disabled"}}


def hpa(md: ModelDeployment, revision: RevisionHash, *, frozen: bool = False) -> Manifest | None:
    """Render the autoscaler of the stable revision; None if the spec has no `autoscaling`.

    Args:
        md: The owner.
        revision: Hash of the revision whose Deployment is scaled.
        frozen: Do not scale down: a canary takes load off the stable revision, which must be able
            to take all of it again immediately.
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
    """Render the disruption budget: one of all the model's pods at a time."""
    name = md.metadata.name
    return render("pdb", metadata=names.metadata(md, name), selector=names.selector(name))
