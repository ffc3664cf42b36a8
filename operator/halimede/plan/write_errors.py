"""Add failed writes to the facts, as the cause why a revision or the route is not ready."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from halimede.api.base import RevisionHash
from halimede.api.reasons import NotReadyReason
from halimede.plan.observed import Observed
from halimede.plan.route_status import ROUTES
from halimede.render import names
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import Route, Workload


def with_errors(
    workloads: Mapping[RevisionHash, Workload], observed: Observed
) -> dict[RevisionHash, Workload]:
    """Add to the revisions' workloads why their objects could not be written.

    A rejected write replaces the cause that pods show. Another failure is added only if no cause
    is known.
    """
    updated, status = dict(workloads), observed.deployment.status
    referenced = (status.target, status.stable, status.rollout)
    for revision in {
        *workloads,
        *(reference.revision for reference in referenced if reference is not None),
    }:
        child = names.revision_name(observed.deployment.metadata.name, revision)
        failed = [what for what in observed.apply_errors if what.partition("/")[2] == child]
        before = workloads.get(revision) or Workload(revision)
        rejected = not observed.rejected.isdisjoint(failed)
        if failed and (rejected or before.cause is None):
            updated[revision] = replace(
                before,
                cause=NotReadyReason.APPLY_FAILED,
                message=_error_message(failed, observed),
                rejected=rejected,
            )
    return updated


def route_with_errors(route: Route, observed: Observed) -> Route:
    """Add to the route's state why it could not be written."""
    entry = f"Service/{observed.deployment.metadata.name}"
    failed = [
        what for what in observed.apply_errors if what == entry or what.partition("/")[0] in ROUTES
    ]
    if route.applied or not failed:
        return route
    return replace(route, message=join_sentences(_error_message(failed, observed), route.message))


def _error_message(failed: Iterable[str], observed: Observed) -> str:
    return "; ".join(f"{what}: {observed.apply_errors[what]}" for what in failed)
