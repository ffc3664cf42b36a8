"""Manifests as the kubelet, the API server and gateways write them."""

import hashlib
from dataclasses import dataclass

from halimede.api.base import Manifest, rfc3339


@dataclass
class Behaviour:
    """How the pods of a revision behave."""

    load_seconds: float = 5.0
    error_rate: float = 0.0
    client_error_rate: float = 0.0
    """The part of the requests that it answers with a client error."""
    hang_rate: float = 0.0
    """The part of the requests that it never answers, so that the clients leave."""
    content: str = ""
    """What is at the address; empty: something that no other address has."""
    commit: str = ""
    """The commit that the address, on a hub, leads to."""
    resolve_seconds: float = 10.0
    """How long a Job takes to determine the digest of the content."""
    resolver: Manifest | None = None
    """The status of the Job's container; None: it succeeds."""
    has_job_pod: bool = True
    """Whether the Job has a pod."""
    container: Manifest | None = None
    """The container's status while it is not ready; None: it runs."""
    condition: Manifest | None = None
    """A condition of the pod while it is not ready."""


def pod_manifest(
    name: str, revision: str, started: float, behaviour: Behaviour, *, ready: bool
) -> Manifest:
    """Return a pod as the kubelet reports it."""
    container = behaviour.container or {"name": "triton", "ready": ready, "state": {"running": {}}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"halimede.dev/revision": revision}},
        "status": {
            "startTime": rfc3339(started),
            "conditions": [*conditions, *filter(None, [behaviour.condition])],
            "containerStatuses": [container],
        },
    }


def failing_fetcher(
    code: int, message: str, restarts: int = 0, *, running: bool = True
) -> Manifest:
    """Return the status of a container `fetch` that has failed.

    While it runs again it is ready, as it has no probe.
    """
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {
        "name": "fetch",
        "ready": running,
        "restartCount": restarts,
        "state": {"running": {}} if running else waiting,
        "lastState": {"terminated": {"exitCode": code, "message": message}},
    }


def digest_of(content: str) -> str:
    """Return the digest of what is at an address."""
    return hashlib.sha256(content.encode()).hexdigest()


def resolver_pod(job: Manifest, uri: str, behaviour: Behaviour, *, done: bool) -> Manifest:
    """Return the pod of a Job that determines the digest of what is at an address."""
    metadata = job["metadata"]
    args = job["spec"]["template"]["spec"]["containers"][0]["args"]
    # The digest that a spec states is that of the files, whatever these are here.
    digest = option(args, "--sha256") or digest_of(behaviour.content or uri)
    message = f"sha256:{digest}" + (f" commit:{behaviour.commit}" if behaviour.commit else "")
    if "--cache" in args:
        message += f" files:{files_digest(uri, behaviour)}"
    ended = {"terminated": {"exitCode": 0, "message": message}}
    state = ended if done else {"running": {}}
    container = behaviour.resolver or {"name": "fetch", "state": state}
    waiting = behaviour.condition is not None and behaviour.condition["type"] == "PodScheduled"
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-x",
            "labels": job["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{"kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "status": {"conditions": [behaviour.condition]}
        if waiting
        else {"containerStatuses": [container]},
    }


def unschedulable(claim: str) -> Behaviour:
    """Return how a pod behaves whose claim does not exist."""
    message = f'0/3 nodes are available: persistentvolumeclaim "{claim}" not found.'
    return Behaviour(
        condition={
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
        }
    )


def files_digest(uri: str, behaviour: Behaviour) -> str:
    """Return the digest of the manifest of what is at an address."""
    return digest_of(f"the manifest of {behaviour.content or uri}")


def option(args: list[str], name: str) -> str | None:
    """Return the value of an option of a fetcher; None: it does not have the option."""
    return args[args.index(name) + 1] if name in args else None


def claim_of(workload: Manifest) -> str | None:
    """Return the claim of the cache that a Job or a Deployment uses; None: it uses none."""
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    claims = [one["persistentVolumeClaim"] for one in volumes if one["name"] == "halimede-cache"]
    return claims[0]["claimName"] if claims else None


def written_by(manager: str, now: float, *fields: str) -> Manifest:
    """Return the ``managedFields`` entry of a manager that wrote fields of the spec."""
    return {
        "manager": manager,
        "time": rfc3339(now),
        "fieldsV1": {"f:spec": {f"f:{field}": {} for field in fields}},
    }


def accepted(route: Manifest, parent: Manifest) -> Manifest:
    """Return the status that a gateway writes for a route that it accepts."""
    generation = route["metadata"]["generation"]
    return {
        "parentRef": parent,
        "conditions": [
            {"type": type_, "status": "True", "observedGeneration": generation, "reason": "Yes"}
            for type_ in ("Accepted", "ResolvedRefs")
        ],
    }


def copies(route: Manifest | None) -> list[Manifest]:
    """Return the mirrors of a route."""
    rules = route["spec"].get("rules", ()) if route else ()
    return [filter_["requestMirror"] for rule in rules for filter_ in rule.get("filters", ())]


def endpoint_slice(service: str, ready: dict[str, bool]) -> Manifest:
    """Return the EndpointSlice of a Service: its pods, and which of them are ready."""
    endpoints = [
        {
            "addresses": [f"10.0.0.{number}"],
            "conditions": {"ready": ready[pod]},
            "targetRef": {"name": pod},
        }
        for number, pod in enumerate(ready)
    ]
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "endpoints": endpoints,
    }
