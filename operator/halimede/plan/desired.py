"""Render the desired children of a status, and compare them with the live ones."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from halimede.api.base import Manifest, RevisionHash
from halimede.api.status import Status
from halimede.plan.cluster_state import spec_replicas
from halimede.plan.foreign import ChildKey, child_key
from halimede.plan.plan import ObjectRef
from halimede.plan.renderer import Renderer, RenderKey
from halimede.plan.write_order import ROUTES, is_canary, split_by_names
from halimede.render.platform import NetworkSettings
from halimede.render.revision import Revision
from halimede.render.traffic import Backend
from halimede.rollout.context import RolloutContext
from halimede.rollout.sizing import traffic


@dataclass(frozen=True, slots=True)
class ChildDiff:
    """The writes that change the live children to the desired ones."""

    applies: tuple[Manifest, ...]
    deletes: tuple[ObjectRef, ...]
    handovers: tuple[Manifest, ...]


def weighted_backends(status: Status) -> tuple[Backend, ...]:
    """Return the backends of the revisions with the weights of *status*."""
    return tuple(Backend(revision, weight) for revision, weight in traffic.weights(status))


def traffic_objects(renderer: Renderer, owner: RenderKey, status: Status) -> tuple[Manifest, ...]:
    """Render Services and routes with the weights of *status*."""
    backends = weighted_backends(status)
    if not backends:
        return ()
    plan = traffic.traffic_plan(status, owner.known.spec.rollout)
    return renderer.render_traffic(
        owner,
        backends,
        plan.preview,
        testers=plan.header_routed,
        copies=plan.mirror_percent,
        by_pods=traffic.is_canary(status),
    )


def desired_children(
    renderer: Renderer,
    owner: RenderKey,
    ctx: RolloutContext,
    revisions: Mapping[RevisionHash, Revision],
    led: tuple[Manifest, ...],
    network: NetworkSettings | None,
) -> tuple[Manifest, ...]:
    """Render every child that the context's status desires.

    Args:
        renderer: It caches what it renders.
        owner: The ModelDeployment that owns them.
        ctx: The context of the decision, with the new status.
        revisions: The revisions that could be read or rendered, by hash.
        led: The desired Services and routes.
        network: The settings of NetworkPolicies; None: there are none.
    """
    status, autoscaled = ctx.status, owner.known.spec.autoscaling is not None
    children: list[Manifest] = []
    for name in sorted(traffic.revisions_with_workloads(status) & revisions.keys()):
        replicas = traffic.replicas(ctx, name, autoscaled=autoscaled)
        children.extend(renderer.render_children(owner, revisions[name], replicas, network))
    hpa_target, frozen = traffic.hpa_target(status), status.rollout is not None
    scaling = renderer.autoscaling_objects(owner, hpa_target, frozen=frozen)
    return (*children, *led, *scaling)


def diff_children(
    renderer: Renderer,
    live: tuple[Manifest, ...],
    desired: tuple[Manifest, ...],
    untouched: AbstractSet[str],
    kept: AbstractSet[str],
    running: AbstractSet[str],
    taken: frozenset[ChildKey],
) -> ChildDiff:
    """Compare the live children with the desired ones.

    Args:
        renderer: It caches comparisons.
        live: Children with our labels and the owner's uid.
        desired: The desired children.
        untouched: Names of children that cannot be rendered and may serve: they are not deleted.
        kept: Names of ConfigMaps that record revisions which may serve again: likewise.
        running: Names of the children of revisions and of the Jobs that have pods: these stay
            isolated until they have ended.
        taken: Names that foreign objects have.
    """
    live_by_key = {child_key(child): child for child in live}
    desired_by_key = {child_key(manifest): manifest for manifest in desired}
    outdated = (
        manifest
        for key, manifest in desired_by_key.items()
        if not renderer.is_current(live_by_key.get(key), manifest)
    )
    writable, affected = split_by_names(outdated, taken)
    applies = tuple(_bind(manifest, live_by_key.get(child_key(manifest))) for manifest in writable)
    # The old route serves until the new one can be written.
    without_route = any(manifest["kind"] in ROUTES for manifest in affected)
    deletes = tuple(
        ObjectRef(child["kind"], child["metadata"]["name"], child["metadata"]["uid"])
        for key, child in live_by_key.items()
        if key not in desired_by_key
        and child["metadata"]["name"] not in untouched
        and not (child["kind"] == "ConfigMap" and child["metadata"]["name"] in kept)
        and not _isolates(child, running, desired_by_key.keys())
        and not child["metadata"].get("deletionTimestamp")
        and not (without_route and child["kind"] in ROUTES and not is_canary(child))
    )
    handovers = tuple(
        _handover(deployment)
        for manifest in applies
        if manifest["kind"] == "Deployment"
        and "replicas" not in manifest["spec"]
        and (deployment := live_by_key.get(child_key(manifest)))
    )
    return ChildDiff(applies, deletes, handovers)


def _isolates(child: Manifest, running: AbstractSet[str], desired: AbstractSet[ChildKey]) -> bool:
    """Whether a child is the NetworkPolicy of pods that end with their Deployment or Job."""
    kind, name = child_key(child)
    return kind == "NetworkPolicy" and name in running and ("Deployment", name) not in desired


def _bind(manifest: Manifest, live: Manifest | None) -> Manifest:
    """Name the live object that a manifest is for by its uid; None: it is to be created."""
    if live is None:
        return manifest
    return manifest | {"metadata": manifest["metadata"] | {"uid": live["metadata"]["uid"]}}


def _handover(deployment: Manifest) -> Manifest:
    """Build the apply with which a second field manager takes over the live number of replicas."""
    metadata = deployment["metadata"]
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {field: metadata[field] for field in ("name", "namespace", "uid")},
        "spec": {"replicas": spec_replicas(deployment)},
    }
