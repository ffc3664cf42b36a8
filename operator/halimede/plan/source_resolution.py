"""Resolve the source of the spec's model to the digest of its files, before it is a revision.

The files at an address may change. A Job fetches them once, and its pod's termination message has
their digest. The digest becomes part of the revision, whose pods serve no other files. Until it
is known, the revision is not known either: nothing is rolled out, and the stable one serves.

With a cache, the Job also puts the files there, so it is needed even if the digest is known. The
message then has the digest of their manifest as well, which names their folder in the cache.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from halimede.api.base import Manifest
from halimede.api.reasons import Reason
from halimede.api.source import cache_claim, needs_resolving
from halimede.api.status import ModelStatus, Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.cluster_state import with_remedy
from halimede.plan.observed import Observed
from halimede.plan.pod_problems import diagnose_fetcher, last_exit, most_severe
from halimede.plan.records import Records
from halimede.render.names import RESOLVER_LABEL
from halimede.render.platform import Platform
from halimede.render.resolver import cache_digest, source_digest
from halimede.render.revision import is_asked_for
from halimede.rollout.checks.safety import FAIL_FAST_RESTARTS
from halimede.rollout.context import Unresolved, WaitReason
from halimede.rollout.events import join_sentences

TERMINATION_MESSAGE = re.compile(r"sha256:([0-9a-f]{64})(?: files:([0-9a-f]{64}))?")
"""The termination message of a fetcher that has succeeded: the digest of the source, and with a
cache that of the manifest of the files."""
_FINAL = 1
"""The exit code of a fetcher that would fail again: it repeats itself what may succeed later."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """How far the source of the spec's model is resolved."""

    model: ModelStatus | None
    """The new `status.model`."""
    objects: tuple[Manifest, ...] = ()
    """The Job that determines the digest, and its NetworkPolicy."""
    unresolved: Unresolved | None = None
    """Why the digest is not known; None: it is, or need not be."""
    deadline: float | None = None
    """When the Job fails because it takes too long; None: there is none."""

    @property
    def digest(self) -> str | None:
        """The digest of the files, if it had to be determined."""
        return self.model.digest if self.model else None

    @property
    def files(self) -> str | None:
        """The digest of their manifest in the cache; None without a cache."""
        return self.model.files if self.model else None

    def desired_objects(self, status: Status) -> tuple[Manifest, ...]:
        """Return the objects that must exist by the status that was decided."""
        failed = status.model is not None and status.model.failed_job is not None
        return () if failed else self.objects


def is_resolver(pod: Manifest) -> bool:
    """Whether a pod belongs to a Job that resolves a source."""
    return RESOLVER_LABEL in (pod["metadata"].get("labels") or {})


def resolve_source(
    observed: Observed, records: Records, platform: Platform, now: float
) -> Resolution:
    """Find out how far the source is resolved. The spec must be valid.

    A revision that an earlier version of the operator recorded without a digest stays as it is
    until the spec changes.
    """
    md = observed.deployment
    known = md.status.model
    if not needs_resolving(md.spec):
        return Resolution(None)
    cached = cache_claim(md.spec) is not None
    if known is None and not cached and _is_recorded(records, platform):
        return Resolution(None)
    known = _still_known(known, md)
    if known.resolved:
        return Resolution(known)
    objects = records.renderer.render_resolver(records.key, platform, known.digest)
    name = objects[-1]["metadata"]["name"]
    if known.failed_job not in (None, name):
        known = known.evolve(failed_job=None, failure=None)
    if known.failed_job is not None:
        return _failed(known, objects)
    return _read_job(_Job(observed, name), known, objects, now)


def _still_known(known: ModelStatus | None, md: ModelDeployment) -> ModelStatus:
    """Return what of the status still holds for the spec.

    The digest holds for other settings of the cache, so that the same files are put there.
    """
    source, cached, stated = source_digest(md), cache_digest(md), md.spec.model.sha256
    if known is None or known.source != source or _contradicts(stated, known.digest):
        known = ModelStatus(source=source)
    if known.cached != cached:
        known = known.evolve(cached=cached, files=None)
    return known


def _contradicts(stated: str | None, found: str | None) -> bool:
    return stated is not None and found is not None and stated != found


@dataclass(frozen=True, slots=True)
class _Job:
    """The Job as it was observed."""

    observed: Observed
    name: str

    @property
    def live(self) -> Manifest | None:
        """The live Job; None: there is none."""
        mine = (
            child
            for child in self.observed.children
            if (child["kind"], child["metadata"]["name"]) == ("Job", self.name)
        )
        return next(mine, None)

    @property
    def pods(self) -> tuple[Manifest, ...]:
        """Its pods."""
        uid = self.live["metadata"]["uid"] if self.live else None
        return tuple(
            pod
            for pod in self.observed.resolvers
            if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or ())
        )

    @property
    def deadline(self) -> float | None:
        """When it has taken too long; None: it does not exist yet."""
        if self.live is None:
            return None
        created = datetime.fromisoformat(self.live["metadata"]["creationTimestamp"]).timestamp()
        return created + self.observed.deployment.spec.model.fetch_timeout_seconds


def _read_job(
    job: _Job, known: ModelStatus, objects: tuple[Manifest, ...], now: float
) -> Resolution:
    md = job.observed.deployment
    for pod in job.pods:
        fetched = last_exit(pod)
        if fetched is None:
            continue
        if fetched.code == 0:
            match = TERMINATION_MESSAGE.fullmatch(fetched.message)
            if match and _is_asked_for(match, md, known):
                known = known.evolve(digest=match[1], files=match[2], resolved_at=now)
                return Resolution(known)
            why = "the container fetch did not report a digest: check the operator's fetcher image"
            return _fail(known, objects, why)
        if fetched.code == _FINAL or (
            fetched.restarts >= FAIL_FAST_RESTARTS and not fetched.awaited
        ):
            found = diagnose_fetcher(pod)
            return _fail(known, objects, found.message if found else fetched.message)
    problem = most_severe(found for pod in job.pods if (found := diagnose_fetcher(pod)))
    text = with_remedy(md, problem) if problem else f"Job {job.name} has not started a pod yet."
    deadline = job.deadline
    if deadline is not None and now >= deadline:
        seconds = md.spec.model.fetch_timeout_seconds
        why = f"it was not known after spec.model.fetchTimeoutSeconds ({seconds} s)"
        return _fail(known, objects, join_sentences(why, text))
    reason = Reason.RESOLVING if problem is None else problem.cause
    doing = (
        "The digest of the model's files is being determined"
        if known.cached is None
        else "The model's files are being fetched to the cache"
    )
    message = join_sentences(doing, text)
    return Resolution(
        known, objects, Unresolved(job.name, WaitReason(reason, message), failed=False), deadline
    )


def _is_asked_for(found: re.Match[str], md: ModelDeployment, known: ModelStatus) -> bool:
    """Whether a fetcher found the files that it was told to find, and put them where it should."""
    expected = md.spec.model.sha256 or known.digest
    return expected in (None, found[1]) and (found[2] is None) == (known.cached is None)


def _fail(known: ModelStatus, objects: tuple[Manifest, ...], why: str) -> Resolution:
    name = objects[-1]["metadata"]["name"]
    return _failed(known.evolve(failed_job=name, failure=why), objects)


def _failed(known: ModelStatus, objects: tuple[Manifest, ...]) -> Resolution:
    failed = (
        "The digest of the model's files could not be determined"
        if known.cached is None
        else "The model's files could not be fetched to the cache"
    )
    message = join_sentences(f"{failed}: {known.failure}")
    why = WaitReason(Reason.UNRESOLVED, message)
    return Resolution(known, objects, Unresolved(known.failed_job or "", why, failed=True))


def _is_recorded(records: Records, platform: Platform) -> bool:
    """Whether the spec's revision was recorded before sources were resolved."""
    target = records.status.target
    recorded = records.load(target.revision) if target else None
    if recorded is None:
        return False
    rendered = records.renderer.render_revision(records.key, platform, {})
    return is_asked_for(recorded, rendered)
