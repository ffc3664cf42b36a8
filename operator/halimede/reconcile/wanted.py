"""The children that a status asks for, and what is to be done about those that are live."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from halimede.api.base import Manifest
from halimede.api.status import Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.reconcile.plan import ObjectRef
from halimede.reconcile.world import desired, revision_of
from halimede.render.covers import covers
from halimede.render.revision import InvalidRecordError, Revision, from_record
from halimede.render.scaling import hpa, pdb
from halimede.render.traffic import Backend, traffic
from halimede.render.workload import workload
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


def recorded(children: Iterable[Manifest], needed: Collection[str]) -> dict[str, Revision]:
    """Read revisions back from their ConfigMaps. One that cannot be read is left out."""
    revisions = {}
    for name, child in records(children).items():
        if name in needed:
            try:
                revision = from_record(child)
            except InvalidRecordError:
                continue
            revisions[revision.hash] = revision
    return revisions


@dataclass(frozen=True, slots=True)
class Entrance:
    """What leads clients to the revisions: rendered once for each way of sharing them out."""

    deployment: ModelDeployment
    _rendered: dict[object, tuple[Manifest, ...]] = field(default_factory=dict)

    def of(self, status: Status) -> tuple[Manifest, ...]:
        """Render Services and routes with the weights of *status*."""
        settings = self.deployment.spec.rollout
        asked, backends = allotment.arrangement(status, settings), self.backends(status)
        if not backends:
            return ()
        by_pods = allotment.by_pods(status)
        if (asked, by_pods) not in self._rendered:
            self._rendered[asked, by_pods] = traffic(
                self.deployment,
                backends,
                asked.preview,
                testers=asked.testers,
                copies=asked.copies,
                by_pods=by_pods,
            )
        return self._rendered[asked, by_pods]

    def backends(self, status: Status) -> tuple[Backend, ...]:
        """List the shares of the revisions with the weights of *status*."""
        return tuple(Backend(revision, weight) for revision, weight in allotment.weights(status))


def children(
    md: ModelDeployment,
    scene: Scene,
    revisions: Mapping[str, Revision],
    entrance: tuple[Manifest, ...],
) -> tuple[Manifest, ...]:
    """Render every child that the scene's status asks for."""
    status = scene.status
    wanted: list[Manifest] = []
    for name in sorted(allotment.live(status) & revisions.keys()):
        replicas = allotment.replicas(scene, name, autoscaled=md.spec.autoscaling is not None)
        wanted.extend(workload(md, revisions[name], replicas))
    wanted.extend(entrance)
    scaled = allotment.scaler_target(status)
    scaler = hpa(md, scaled, frozen=status.rollout is not None) if scaled else None
    wanted.extend((scaler,) if scaler else ())
    wanted.append(pdb(md))
    return tuple(wanted)


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
    names = {_key(manifest) for manifest in wanted}
    applies = tuple(
        manifest for manifest in wanted if not covers(known.get(_key(manifest)), manifest)
    )
    deletes = tuple(
        ObjectRef(child["kind"], child["metadata"]["name"], child["metadata"]["uid"])
        for child in live
        if _key(child) not in names
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
