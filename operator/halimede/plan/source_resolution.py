"""Resolve the source of the spec's model to the digest of its files, before it is a revision.

The files at an address may change. A Job fetches them once, and its pod's termination message has
their digest. The digest becomes part of the revision, whose pods serve no other files. Until it
is known, the revision is not known either: nothing is rolled out, and the stable one serves.

With a cache, the Job also puts the files there, so it is needed even if the digest is known. The
message then has the digest of their manifest as well, which names their folder in the cache.
"""

import re
from dataclasses import dataclass, replace
from math import inf

from halimede.api.base import Manifest
from halimede.api.model_status import ModelStatus
from halimede.api.reasons import EventReason, Reason
from halimede.api.source import ModelFiles, cache_claim, needs_resolving
from halimede.api.status import Status
from halimede.api.supply import Resolve
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.cluster_state import with_remedy
from halimede.plan.observed import Observed
from halimede.plan.pod_problems import (
    diagnose_fetcher,
    has_ended,
    last_exit,
    most_severe,
)
from halimede.plan.records import Records, choose_target
from halimede.plan.resolver_job import ResolverJob
from halimede.render.names import RESOLVER_LABEL
from halimede.render.platform import Platform
from halimede.render.resolver import cache_digest, source_digest
from halimede.rollout.checks.safety import FAIL_FAST_RESTARTS
from halimede.rollout.context import Unresolved, WaitReason
from halimede.rollout.events import Event, join_sentences, warning

TERMINATION_MESSAGE = re.compile(
    r"sha256:(?P<digest>[0-9a-f]{64})(?: commit:(?P<commit>[0-9a-f]{40}))?"
    r"(?: files:(?P<files>[0-9a-f]{64}))?"
)
"""The termination message of a fetcher that has succeeded: the digest of the source, the commit on
a hub, and with a cache the digest of the manifest of the files."""
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
    """When the Job fails because it takes too long, or when the next one is due; None: never."""

    @property
    def files(self) -> ModelFiles | None:
        """The files, if they had to be determined."""
        if self.model is None or self.model.digest is None:
            return None
        return ModelFiles(self.model.digest, self.model.commit, self.model.files)

    def desired_objects(self, status: Status) -> tuple[Manifest, ...]:
        """Return the objects that must exist by the status that was decided."""
        failed = status.model is not None and status.model.failed_job is not None
        return () if failed else self.objects


def is_resolver(pod: Manifest) -> bool:
    """Whether a pod belongs to a Job that resolves a source."""
    return RESOLVER_LABEL in (pod["metadata"].get("labels") or {})


def running_resolvers(observed: Observed) -> frozenset[str]:
    """Return the names of the Jobs that have pods which have not ended, even if they are gone."""
    return frozenset(
        owner["name"]
        for pod in observed.resolvers
        if not has_ended(pod)
        for owner in pod["metadata"].get("ownerReferences") or ()
        if owner["kind"] == "Job"
    )


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
    if known.resolved and (due := _next_check(md, known)) > now:
        return Resolution(known, deadline=None if due == inf else due)
    objects = records.renderer.render_resolver(records.key, platform, _expected(md, known))
    if known.resolved:
        return _check_again(observed, known, objects, now)
    name = objects[-1]["metadata"]["name"]
    if known.failed_job not in (None, name):
        known = known.evolve(failed_job=None, failure=None)
    if known.failed_job is not None:
        return _failed(known, objects)
    return _read_job(ResolverJob(observed, name), known, objects, now)


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


def _expected(md: ModelDeployment, known: ModelStatus) -> ModelFiles | None:
    """Return the files that the Job has to find; None: those that are at the address."""
    if known.digest is None or _next_check(md, known) != inf:
        return None
    return ModelFiles(known.digest, known.commit)


def source_events(before: Status, after: Status) -> tuple[Event, ...]:
    """Return a warning Event when the files of a resolved source could not be read again."""
    model, known = after.model, before.model
    if model is None or model.checked_at is None or model.failure is None:
        return ()
    if known is not None and known.failure == model.failure:
        return ()
    return (warning(EventReason.CHECK_FAILED, model.failure),)


def _next_check(md: ModelDeployment, known: ModelStatus) -> float:
    """Return when the files are to be read again; infinity: never."""
    supply = md.spec.model.supply
    if supply is None or supply.resolve is not Resolve.ON_CHANGE:
        return inf
    last = max(known.resolved_at or 0.0, known.checked_at or 0.0)
    return last + supply.resolve_interval_seconds


def _check_again(
    observed: Observed, known: ModelStatus, objects: tuple[Manifest, ...], now: float
) -> Resolution:
    """Determine the digest again. What is known stays until another one is, and if that fails."""
    name = objects[-1]["metadata"]["name"]
    found = _read_job(ResolverJob(observed, name), known, objects, now)
    if found.model is None or found.unresolved is None:
        return found
    if found.unresolved.failed:
        why = join_sentences(
            f"The files at spec.model.storageUri could not be read again: {found.model.failure}"
        )
        return Resolution(known.evolve(checked_at=now, failure=why))
    return replace(found, unresolved=None)


def _read_job(
    job: ResolverJob, known: ModelStatus, objects: tuple[Manifest, ...], now: float
) -> Resolution:
    md = job.observed.deployment
    for pod in job.pods:
        fetched = last_exit(pod)
        if fetched is None:
            continue
        if fetched.code == 0:
            match = TERMINATION_MESSAGE.fullmatch(fetched.message)
            if match and _is_asked_for(match, md, known):
                return Resolution(_found(match, known, now))
            why = (
                "the container fetch did not report a digest: check what spec.podTemplate changes"
                " in it, and the operator's fetcher image"
            )
            return _fail(known, objects, why)
        if fetched.code == _FINAL or (
            fetched.restarts >= FAIL_FAST_RESTARTS and not fetched.awaited
        ):
            return _fail(known, objects, fetched.cause)
    if job.failure is not None:
        return _fail(known, objects, job.failure)
    problem = most_severe(found for pod in job.pods if (found := diagnose_fetcher(pod)))
    text = with_remedy(md, problem) if problem else job.progress
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
    expected = _expected(md, known)
    stated = md.spec.model.sha256 or (expected.digest if expected else None)
    return stated in (None, found["digest"]) and (found["files"] is None) == (known.cached is None)


def _found(found: re.Match[str], known: ModelStatus, now: float) -> ModelStatus:
    same = found["digest"] == known.digest
    return ModelStatus(
        source=known.source,
        digest=found["digest"],
        # A fetcher that finds the files in the cache asks no hub.
        commit=found["commit"] or (known.commit if same else None),
        files=found["files"],
        cached=known.cached,
        resolved_at=now,
    )


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
    """Whether the spec's revision was recorded before sources were resolved.

    Its record may be lost or invalid since: it is written again, or must be restored.
    """
    target = records.status.target
    if target is None:
        return False
    rendered = records.renderer.render_revision(records.key, platform, {})
    return choose_target(rendered, platform, records).hash == target.revision
