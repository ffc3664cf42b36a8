"""The children that a status asks for, and what is to be done about those that are live."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.status import Status
from halimede.reconcile.plan import ObjectRef
from halimede.reconcile.world import desired, revision_of
from halimede.render import remembered
from halimede.render.remembered import Owner, as_wanted, scalers, traffic
from halimede.render.revision import InvalidRecordError, Revision
from halimede.render.traffic import Backend
from halimede.rollout import allotment
from halimede.rollout.scene import Scene


@dataclass(frozen=True, slots=True)
class Work:
    """The writes that make the live children what they should be."""

    applies: tuple[Manifest, ...]
    deletes: tuple[ObjectRef, ...]
    handovers: tuple[Manifest, ...]


def records(children: Iterable[Manifest]) -> dict[str, Manifest]:
    """Find the ConfigMaps that record revisions."""
    return {
        revision: child
        for child in children
        if child["kind"] == "ConfigMap" and (revision := revision_of(child)) is not None
    }


def recorded(known: Mapping[str, Manifest], needed: AbstractSet[str]) -> dict[str, Revision]:
    """Read revisions back from their `records`. One that cannot be read is left out."""
    revisions = {}
    for name in needed & known.keys():
        with suppress(InvalidRecordError):
            revisions[name] = remembered.recorded(known[name])
    return revisions


def shares(status: Status) -> tuple[Backend, ...]:
    """List the shares of the revisions with the weights of *status*."""
    return tuple(Backend(revision, weight) for revision, weight in allotment.weights(status))


def entrance(owner: Owner, status: Status) -> tuple[Manifest, ...]:
    """Render Services and routes with the weights of *status*."""
    backends = shares(status)
    if not backends:
        return ()
    asked = allotment.arrangement(status, owner.known.spec.rollout)
    return traffic(
        owner,
        backends,
        asked.preview,
        testers=asked.testers,
        copies=asked.copies,
        by_pods=allotment.by_pods(status),
    )


def children(
    owner: Owner, scene: Scene, revisions: Mapping[str, Revision], led: tuple[Manifest, ...]
) -> tuple[Manifest, ...]:
    """Render every child that the scene's status asks for.

    Args:
        owner: Whose they are.
        scene: What was decided, and on what.
        revisions: What is known of the revisions, by hash.
        led: The Services and routes that the status asks for.
    """
    status, autoscaled = scene.status, owner.known.spec.autoscaling is not None
    wanted: list[Manifest] = []
    for name in sorted(allotment.live(status) & revisions.keys()):
        replicas = allotment.replicas(scene, name, autoscaled=autoscaled)
        wanted.extend(remembered.children(owner, revisions[name], replicas))
    scaled, frozen = allotment.scaler_target(status), status.rollout is not None
    return (*wanted, *led, *scalers(owner, scaled, frozen=frozen))


def work(
    live: tuple[Manifest, ...],
    wanted: tuple[Manifest, ...],
    untouched: frozenset[str],
    kept: frozenset[str] = frozenset(),
) -> Work:
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
        manifest for key, manifest in asked.items() if not as_wanted(known.get(key), manifest)
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
    return Work(applies, deletes, handovers)


def _handover(deployment: Manifest) -> Manifest:
    """Say the live number of pods, for a second field manager to own it from now on."""
    metadata = deployment["metadata"]
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"replicas": desired(deployment)},
    }


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
