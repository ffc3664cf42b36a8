"""Summarise the observed cluster as the facts that decisions are based on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from halimede.api.base import Manifest, RevisionHash
from halimede.api.reasons import NotReadyReason
from halimede.api.source import Scheme, cache_claim, parse_source
from halimede.api.status import Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.observed import Observed
from halimede.plan.pod_problems import (
    PodProblem,
    condition,
    diagnose,
    has_ended,
    most_severe,
    restarts,
)
from halimede.plan.renderer import Renderer
from halimede.plan.route_status import route_status
from halimede.plan.user_routes import merge_route_status
from halimede.plan.write_errors import (
    route_with_errors,
    route_with_taken_names,
    with_errors,
)
from halimede.render import names
from halimede.render.traffic import Backend
from halimede.rollout.facts import Facts, Workload

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of EndpointSlices: the Service that they belong to."""


def summarise(
    observed: Observed,
    renderer: Renderer,
    traffic_objects: tuple[Manifest, ...],
    backends: tuple[Backend, ...],
) -> Facts:
    """Compute the facts from the observed objects.

    Args:
        observed: The observed cluster.
        renderer: It caches comparisons.
        traffic_objects: The Services and routes that the observed status desires.
        backends: The weights of the revisions that the observed status desires in the user's
            route.
    """
    deployments = dict(_with_revision(observed.children, "Deployment"))
    md = observed.deployment
    pods = _group_by(observed.pods, revision_of)
    slices = _group_by(observed.endpoint_slices, _service_of)
    workloads = {
        revision: _build_workload(
            md,
            deployment,
            pods.get(revision, ()),
            slices.get(names.revision_name(md.metadata.name, revision), ()),
        )
        for revision, deployment in deployments.items()
    }
    own = route_with_taken_names(
        route_status(renderer, observed.children, traffic_objects), observed, traffic_objects
    )
    route = merge_route_status(own, md, observed.routes, backends)
    return Facts(
        workloads=with_errors(workloads, observed),
        route=route_with_errors(route, observed),
        replicas=replicas_wanted(md, deployments),
        others=_count_other_pods(observed),
    )


def replicas_wanted(md: ModelDeployment, deployments: Mapping[RevisionHash, Manifest]) -> int:
    """Return how many pods the serving revision should have, by the spec or the autoscaler."""
    scaling = md.spec.autoscaling
    if scaling is None:
        return 1 if md.spec.replicas is None else md.spec.replicas
    rollout = md.status.rollout
    if rollout is not None and rollout.replicas is not None:
        return min(max(rollout.replicas, scaling.min_replicas), scaling.max_replicas)
    serving = _serving_revision(md.status)
    live = deployments.get(serving) if serving else None
    replicas = spec_replicas(live) if live else scaling.min_replicas
    return min(max(replicas, scaling.min_replicas), scaling.max_replicas)


def spec_replicas(deployment: Manifest) -> int:
    """Read how many pods a live Deployment asks for."""
    return int(deployment["spec"].get("replicas", 1))


def pod_start_times(observed: Observed) -> dict[str, float]:
    """Return each pod's start time (UNIX seconds) by name."""
    return {
        pod["metadata"]["name"]: datetime.fromisoformat(started).timestamp()
        for pod in observed.pods
        if (started := (pod.get("status") or {}).get("startTime"))
    }


def with_remedy(md: ModelDeployment, found: PodProblem) -> str:
    """Return the message with the field that causes the problem, and what to do about it."""
    secret, namespace = md.spec.model.secret_name, md.metadata.namespace
    account, claim = md.spec.service_account_name, cache_claim(md.spec)
    match found.cause:
        case NotReadyReason.INVALID_POD if account and _no_account(account) in found.message:
            return (
                f"spec.serviceAccountName: {found.message}. Create it: kubectl --namespace"
                f" {namespace} create serviceaccount {account}"
            )
        case NotReadyReason.MISSING_SECRET if secret and _no_secret(secret, found.message):
            return (
                f"spec.model.secretName: the Secret {secret} does not exist or is empty. Add its"
                f" keys, or create it: kubectl --namespace {namespace} create secret generic"
                f" {secret} {_literals(md)}"
            )
        case NotReadyReason.UNSCHEDULABLE if claim and f'"{claim}" not found' in found.message:
            return (
                f"spec.model.supply.cache.volume.claimName: {found.message.rstrip('.')}. Create"
                f" the PersistentVolumeClaim in the namespace {namespace}, or correct the name"
            )
        case NotReadyReason.MISSING_SECRET | NotReadyReason.MISSING_CONFIG_MAP:
            return f"spec.podTemplate refers to an object that does not exist: {found.message}"
        case NotReadyReason.IMAGE_PULL:
            return f"spec.runtime: the image cannot be pulled: {found.message}"
        case _:
            return found.message


def _literals(md: ModelDeployment) -> str:
    """Return the arguments of kubectl for the keys of the model's Secret."""
    match parse_source(md.spec.model.storage_uri).scheme:
        case Scheme.S3:
            return "--from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…"
        case Scheme.GS:
            return "--from-file=key.json"
        case Scheme.HUB:
            return "--from-literal=HF_TOKEN=…"
        case _:
            return "--from-literal=token=…"


def _no_account(name: str) -> str:
    """Return what the admission plugin ServiceAccount says if there is no such account."""
    return f'serviceaccount "{name}" not found'


def _no_secret(name: str, message: str) -> bool:
    """Whether a message says that the Secret of the model is missing.

    It is the fetcher's, or the kubelet's if an earlier operator rendered the revision: the fetcher
    of such a revision has the keys in its environment.
    """
    return "spec.model.secretName" in message or f'secret "{name}" not found' in message


def revision_of(manifest: Manifest) -> RevisionHash | None:
    """Return the revision that a child or a pod belongs to; None: all revisions share it."""
    labels = manifest["metadata"].get("labels") or {}
    revision: RevisionHash | None = labels.get(names.REVISION_LABEL)
    return revision


def _count_other_pods(observed: Observed) -> int:
    rollout = observed.deployment.status.rollout
    if rollout is None:
        return 0
    return sum(
        revision_of(pod) not in (rollout.base, rollout.revision)
        for pod in observed.pods
        if not (pod["metadata"].get("deletionTimestamp") or has_ended(pod))
    )


def _with_revision(
    children: Iterable[Manifest], kind: str
) -> Iterator[tuple[RevisionHash, Manifest]]:
    for child in children:
        if child["kind"] == kind and (revision := revision_of(child)) is not None:
            yield revision, child


def _build_workload(
    md: ModelDeployment,
    deployment: Manifest,
    all_pods: Sequence[Manifest],
    slices: Sequence[Manifest],
) -> Workload:
    existing = [pod for pod in all_pods if not has_ended(pod)]
    pods = [pod for pod in existing if not pod["metadata"].get("deletionTimestamp")]
    problem = most_severe(
        candidate
        for candidate in (_creation_failure(deployment), *map(diagnose, pods))
        if candidate is not None
    )
    return Workload(
        revision=revision_of(deployment) or RevisionHash(""),
        exists=True,
        desired=spec_replicas(deployment),
        ready_endpoints=_ready_endpoints(slices),
        cause=problem.cause if problem else None,
        message=with_remedy(md, problem) if problem else "",
        pods=len(existing),
        restarts=max(map(restarts, pods), default=0),
    )


def _creation_failure(deployment: Manifest) -> PodProblem | None:
    """Return why the Deployment's pods cannot be created; None: they can."""
    status = deployment.get("status") or {}
    if condition(status, "ReplicaFailure") != "True":
        return None
    failure = next(one for one in status["conditions"] if one["type"] == "ReplicaFailure")
    message = str(failure.get("message", ""))
    return PodProblem(
        NotReadyReason.QUOTA if "exceeded quota" in message else NotReadyReason.INVALID_POD,
        message,
    )


def _ready_endpoints(slices: Iterable[Manifest]) -> int:
    """Count the pods that a Service's proxies may send requests to.

    A pod with two address families is in two slices. An unset `ready` condition means true
    (`discovery.k8s.io/v1`).
    """
    ready = set()
    for piece in slices:
        for endpoint in piece.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                target = endpoint.get("targetRef") or {}
                ready.add(target.get("uid") or target.get("name") or endpoint["addresses"][0])
    return len(ready)


def _service_of(endpoint_slice: Manifest) -> str | None:
    service: str | None = (endpoint_slice["metadata"].get("labels") or {}).get(SERVICE_NAME)
    return service


def _group_by(
    manifests: Iterable[Manifest], label: Callable[[Manifest], str | None]
) -> dict[str | None, list[Manifest]]:
    groups: defaultdict[str | None, list[Manifest]] = defaultdict(list)
    for manifest in manifests:
        groups[label(manifest)].append(manifest)
    return groups


def _serving_revision(status: Status) -> RevisionHash | None:
    serving = status.stable or status.target
    return serving.revision if serving else None
