"""The children that a status asks for, and what is to be done about those that are live."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from halimede.api.base import Manifest, RevisionHash
from halimede.api.status import Status
from halimede.plan import renderer
from halimede.plan.cluster_state import revision_of, spec_replicas
from halimede.plan.plan import ObjectRef
from halimede.plan.renderer import RenderKey, autoscaling_objects, is_current, render_traffic
from halimede.render.revision import InvalidRecordError, Revision
from halimede.render.traffic import Backend
from halimede.rollout.context import RolloutContext
from halimede.rollout.sizing import traffic


@dataclass(frozen=True, slots=True)
class ChildDiff:
    """The writes that make the live children what they should be."""

    applies: tuple[Manifest, ...]
    deletes: tuple[ObjectRef, ...]
    handovers: tuple[Manifest, ...]


def revision_configmaps(children: Iterable[Manifest]) -> dict[str, Manifest]:
    """Find the ConfigMaps that record revisions."""
    return {
        revision: child
        for child in children
        if child["kind"] == "ConfigMap" and (revision := revision_of(child)) is not None
    }


def load_revisions(
    known: Mapping[str, Manifest], needed: AbstractSet[RevisionHash]
) -> dict[RevisionHash, Revision]:
    """Read revisions back from their `records`. One that cannot be read is left out."""
    revisions = {}
    for name in needed & known.keys():
        with suppress(InvalidRecordError):
            revisions[name] = renderer.load_revision(known[name])
    return revisions


def weighted_backends(status: Status) -> tuple[Backend, ...]:
    """List the shares of the revisions with the weights of *status*."""
    return tuple(Backend(revision, weight) for revision, weight in traffic.weights(status))


def traffic_objects(owner: RenderKey, status: Status) -> tuple[Manifest, ...]:
    """Render Services and routes with the weights of *status*."""
    backends = weighted_backends(status)
    if not backends:
        return ()
    asked = traffic.traffic_plan(status, owner.known.spec.rollout)
    return render_traffic(
        owner,
        backends,
        asked.preview,
        testers=asked.header_routed,
        copies=asked.mirror_percent,
        by_pods=traffic.is_canary(status),
    )


def desired_children(
    owner: RenderKey,
    ctx: RolloutContext,
    revisions: Mapping[RevisionHash, Revision],
    led: tuple[Manifest, ...],
) -> tuple[Manifest, ...]:
    """Render every child that the status in `ctx` asks for.

    Args:
        owner: Whose they are.
        ctx: What was decided, and on what.
        revisions: What is known of the revisions, by hash.
        led: The Services and routes that the status asks for.
    """
    status, autoscaled = ctx.status, owner.known.spec.autoscaling is not None
    wanted: list[Manifest] = []
    for name in sorted(traffic.revisions_with_workloads(status) & revisions.keys()):
        replicas = traffic.replicas(ctx, name, autoscaled=autoscaled)
        wanted.extend(renderer.render_children(owner, revisions[name], replicas))
    scaled, frozen = traffic.hpa_target(status), status.rollout is not None
    return (*wanted, *led, *autoscaling_objects(owner, scaled, frozen=frozen))


def diff_children(
    live: tuple[Manifest, ...],
    wanted: tuple[Manifest, ...],
    untouched: frozenset[str],
    kept: frozenset[str] = frozenset(),
) -> ChildDiff:
    """Compare the live children with the wanted ones.

    Args:
        live: Children with our labels and the owner's uid.
        wanted: Children as they should be.
        untouched: Revisions that serve but cannot be rendered: theirs are left as they are.
        kept: Revisions that may serve again: their records are left as they are.
    """
    known = {_key(child): child for child in live}
    asked = {_key(manifest): manifest for manifest in wanted}
    applies = tuple(
        manifest for key, manifest in asked.items() if not is_current(known.get(key), manifest)
    )
    deletes = tuple(
        ObjectRef(child["kind"], child["metadata"]["name"], child["metadata"]["uid"])
        for key, child in known.items()
        if key not in asked
        and revision_of(child) not in untouched
        and not (child["kind"] == "ConfigMap" and revision_of(child) in kept)
        and not child["metadata"].get("deletionTimestamp")
    )
    handovers = tuple(
        _handover(found)
        for manifest in applies
        if manifest["kind"] == "Deployment"
        and "replicas" not in manifest["spec"]
        and (found := known.get(_key(manifest)))
    )
    return ChildDiff(applies, deletes, handovers)


def _handover(deployment: Manifest) -> Manifest:
    """Say the live number of pods, for a second field manager to own it from now on."""
    metadata = deployment["metadata"]
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"replicas": spec_replicas(deployment)},
    }


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
