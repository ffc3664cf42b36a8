"""Add failed writes and taken names to the facts: why a revision or the route is not ready."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from halimede.api.base import Manifest, RevisionHash
from halimede.api.reasons import NotReadyReason
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.foreign import ChildKey, child_key, describe, with_names
from halimede.plan.observed import Observed
from halimede.plan.write_order import ROUTES
from halimede.render import names
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import Route, Workload
from halimede.rollout.sizing.traffic import revisions_with_workloads


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


def route_with_taken_names(
    route: Route, observed: Observed, traffic_objects: tuple[Manifest, ...]
) -> Route:
    """Add to the route's state that foreign objects have names that the requests need.

    The route is blocked, so that no rollout goes on, until all objects of the revisions and of the
    route can be written. It is rejected if clients cannot reach any revision.
    """
    md, keys = observed.deployment, set(map(child_key, traffic_objects))
    taken = with_names(observed.foreign, keys | _workload_keys(md))
    if not taken:
        return route
    name = md.metadata.name
    needed_by_clients = {("HTTPRoute", name), ("Ingress", name)}
    if ("HTTPRoute", name) not in keys:  # it names the revisions, and not the entry Service
        needed_by_clients.add(("Service", name))
    unreachable = not needed_by_clients.isdisjoint(map(child_key, taken))
    rejected = route.rejected or unreachable
    return replace(route, blocked=True, rejected=rejected, message=describe(taken, md))


def route_with_errors(route: Route, observed: Observed) -> Route:
    """Add to the route's state why it could not be written."""
    entry = f"Service/{observed.deployment.metadata.name}"
    failed = [
        what for what in observed.apply_errors if what == entry or what.partition("/")[0] in ROUTES
    ]
    if route.applied or not failed:
        return route
    return replace(route, message=join_sentences(_error_message(failed, observed), route.message))


def _workload_keys(md: ModelDeployment) -> set[ChildKey]:
    return {
        (kind, names.revision_name(md.metadata.name, revision))
        for revision in revisions_with_workloads(md.status)
        for kind in ("ConfigMap", "NetworkPolicy", "Service", "Deployment")
    }


def _error_message(failed: Iterable[str], observed: Observed) -> str:
    return "; ".join(f"{what}: {observed.apply_errors[what]}" for what in failed)
