"""The records of revisions: which of them are valid, and which revision the spec asks for.

The pods of a revision are rendered from its record, the ConfigMap `<name>-<hash>`. A user who
may write ConfigMaps in the namespace can replace it. The status, which only the operator writes,
has the digest of every record, and a record of another content is invalid: nothing is rendered
from it. The digest is stored in the same write of the status that makes the revision a target,
before the record is created, and stays the same as long as the revision is kept.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from halimede.api.base import Manifest, RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.status import Status
from halimede.plan.observed import Observed
from halimede.plan.renderer import Renderer, RenderKey
from halimede.render.names import revision_name
from halimede.render.platform import Platform
from halimede.render.revision import (
    InvalidRecordError,
    Revision,
    digest_record,
    find_digest,
    is_asked_for,
    render_data,
    revision_hash,
    with_fetcher,
)
from halimede.rollout.events import Event, warning
from halimede.rollout.sizing.traffic import revisions_to_keep


@dataclass(frozen=True, slots=True)
class Records:
    """The live ConfigMaps of one ModelDeployment that record revisions."""

    renderer: Renderer
    key: RenderKey
    observed: Observed
    live: Mapping[RevisionHash, Manifest]
    """All of them, by the revision in the name."""
    digests: Mapping[RevisionHash, str]
    """Digests of the records of the revisions that are kept, as they must be."""
    invalid: Mapping[RevisionHash, str]
    """Revisions whose records must not be rendered: what is wrong, and what to do."""

    @property
    def status(self) -> Status:
        """The observed status of the ModelDeployment."""
        return self.observed.deployment.status

    @property
    def collisions(self) -> int:
        """How many times the hash of a revision was taken so far."""
        return self.status.collision_count or 0

    def name(self, revision: RevisionHash) -> str:
        """Return the name of a revision's children."""
        return revision_name(self.key.name, revision)

    def load(self, revision: RevisionHash) -> Revision | None:
        """Read a revision that is kept; None if its record is missing or invalid."""
        if revision not in self.live or revision not in self.digests or revision in self.invalid:
            return None
        return self.renderer.load_revision(self.key, revision, self.live[revision])

    def load_all(self, revisions: Iterable[RevisionHash]) -> dict[RevisionHash, Revision]:
        """Read revisions. Those whose records are missing or invalid are left out."""
        loaded = {revision: self.load(revision) for revision in revisions}
        return {name: recorded for name, recorded in loaded.items() if recorded is not None}

    def fetchers(self, revision: RevisionHash) -> list[str]:
        """Return the images of the init containers in the live Deployment of a revision."""
        deployment = "Deployment", self.name(revision)
        return sorted(
            {
                container.get("image", "")
                for child in self.observed.children
                if (child["kind"], child["metadata"]["name"]) == deployment
                for container in child["spec"]["template"]["spec"].get("initContainers") or ()
            }
        )

    def digest_of(self, revision: RevisionHash) -> str | None:
        """Return the digest of the record that has a revision's name; None: the name is free."""
        known, live = self.digests.get(revision), self.live.get(revision)
        if known is not None or live is None:
            return known
        return self.renderer.digest_record(self.key, live)


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that the spec asks for."""

    hash: RevisionHash
    revision: Revision | None
    """None: its record is invalid, so it cannot be rendered."""
    digest: str | None
    """Digest of the record that is to be created; None: there is one."""
    newer: RevisionHash | None
    """What the spec is rendered to now, if that is another revision."""
    collisions: int
    """New value of `status.collisionCount`."""


def revision_configmaps(name: str, children: Iterable[Manifest]) -> dict[RevisionHash, Manifest]:
    """Return the ConfigMaps that record revisions of the ModelDeployment *name*, by revision.

    Pods mount them by name, so a label is no evidence.
    """
    prefix = revision_name(name, RevisionHash(""))
    return {
        RevisionHash(child["metadata"]["name"].removeprefix(prefix)): child
        for child in children
        if child["kind"] == "ConfigMap" and child["metadata"]["name"].startswith(prefix)
    }


def read_records(renderer: Renderer, key: RenderKey, observed: Observed) -> Records:
    """Compare the records of the revisions that are kept with their digests in the status.

    A revision without a digest is from an operator that stored none. Its record is accepted when
    it is observed for the first time, if at least the hash in its name is that of its content.
    """
    status = observed.deployment.status
    live = revision_configmaps(key.name, observed.children)
    records = Records(renderer, key, observed, live, dict(status.records), {})
    digests, invalid = dict(status.records), {}
    for revision in sorted(revisions_to_keep(status) & live.keys()):
        try:
            digests[revision] = _verify(records, revision)
        except InvalidRecordError as error:
            invalid[revision] = (
                f"ConfigMap/{records.name(revision)}: {error}, so nothing is rendered from it;"
                " restore the ConfigMap, or delete it: it is written again if the spec still asks"
                f" for revision {revision}"
            )
    return replace(records, digests=digests, invalid=invalid)


def choose_target(rendered: Revision, platform: Platform, records: Records) -> Target:
    """Find the revision that the spec asks for, as it was recorded if it is not new.

    A revision that another version of the operator rendered from the same spec remains the target,
    so that an upgrade rolls out nothing. A new revision gets a hash that names no other one.
    """
    own = [revision_hash(rendered.digest, number) for number in range(records.collisions + 1)]
    for name in (own[-1], *_known_revisions(records.status)):
        recorded = records.load(name)
        if recorded is not None and is_asked_for(recorded, rendered):
            newer = None if name in own else own[-1]
            return Target(name, recorded, None, newer, records.collisions)
    targets = (_claim(number, rendered, platform, records) for number in itertools.count())
    return next(target for target in targets if target is not None)


def _claim(number: int, rendered: Revision, platform: Platform, records: Records) -> Target | None:
    """Return the target with the hash that *number* salts; None: it names another revision.

    If the record of that hash is invalid, it is unknown whether it is another one: it must be
    restored or deleted first. A record that is lost is written again only exactly as it was, with
    the fetcher's image that its Deployment still has.
    """
    name, earlier = revision_hash(rendered.digest, number), number < records.collisions
    if name in records.invalid:
        return None if earlier else Target(name, None, None, None, number)
    if earlier and name not in records.digests:
        return None
    known = records.digest_of(name)
    others = (with_fetcher(rendered, platform, image) for image in records.fetchers(name))
    for revision in (rendered, *others):
        digest = digest_record(render_data(revision))
        if known in (None, digest):
            own = replace(revision, hash=name)
            return Target(name, own, digest, None, max(number, records.collisions))
    return None


def collision_events(records: Records, target: Target | None) -> tuple[Event, ...]:
    """Report that the hash of the spec's revision was taken, so that it has another name."""
    if target is None or target.revision is None or target.collisions == records.collisions:
        return ()
    taken = records.name(revision_hash(target.revision.digest, records.collisions))
    free = records.name(target.hash)
    return (
        warning(
            EventReason.HASH_COLLISION,
            f"The name {taken} belongs to another content, so the revision that the spec asks for"
            f" is named {free}.",
        ),
    )


def store_target(status: Status, records: Records, target: Target | None) -> Status:
    """Return the status with what is known of its target, and the digests of all its records."""
    known = dict(records.digests)
    if target is not None:
        known |= {target.hash: target.digest} if target.digest else {}
        status = status.evolve(
            newer_revision=target.newer, collision_count=target.collisions or None
        )
    kept = revisions_to_keep(status)
    return status.evolve(records={name: known[name] for name in sorted(kept & known.keys())})


def without_lost_records(status: Status, records: Records) -> Status:
    """Remove revisions from the history whose ConfigMaps have been deleted."""
    history = tuple(one for one in status.history if one.revision in records.live)
    return status if history == status.history else status.evolve(history=history)


def _verify(records: Records, revision: RevisionHash) -> str:
    """Return the digest of a live record.

    Raises:
        InvalidRecordError: It is not the known one, or it is the first one and fails the check.
    """
    live, known = records.live[revision], records.digests.get(revision)
    digest = records.renderer.digest_record(records.key, live)
    if known is not None and digest != known:
        raise InvalidRecordError("its content does not have the digest in status.records")
    recorded = records.renderer.load_revision(records.key, revision, live)
    if known is None and find_digest(recorded) is None:
        raise InvalidRecordError("its content does not have the hash in its name")
    return digest


def _known_revisions(status: Status) -> tuple[RevisionHash, ...]:
    """Return the revisions that the spec may ask for again, the likeliest first."""
    current = (one.revision for one in (status.target, status.stable) if one is not None)
    warm = (one.revision for one in status.warm_revisions)
    former = (one.revision for one in status.history)
    return (*current, *warm, *former)
