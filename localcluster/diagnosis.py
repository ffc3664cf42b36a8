"""Describe the state of a namespace: its pods, their events and their last log lines."""

import json
from collections.abc import Iterator
from typing import Any

from localcluster.access import Access, ClusterError

Json = dict[str, Any]

LOG_LINES = 10
"""How many lines of a container's log are shown."""

EVENTS = 10
"""How many of the namespace's warnings are shown."""


def kubectl_in(cluster: Access, namespace: str, *arguments: str, text: str | None = None) -> str:
    """Run kubectl in a namespace with ``text`` on its standard input; return its output.

    Raise ``ClusterError``; if kubectl timed out, with the state of the namespace.
    """
    try:
        return cluster.kubectl("--namespace", namespace, *arguments, input=text)
    except ClusterError as error:
        if "timed out" not in str(error):
            raise
        state = describe_namespace(cluster, namespace)
        raise ClusterError(f"{error}\n{state}") from error


def describe_namespace(cluster: Access, namespace: str) -> str:
    """Describe what is wrong in a namespace, for the message of a time-out.

    Never raise: if the namespace cannot be read, the text says so.
    """
    try:
        pods: list[Json] = _list(cluster, namespace, "pods")
        lines = [line for pod in pods for line in _describe_pod(cluster, pod)]
        warnings = _list(cluster, namespace, "events", "--field-selector=type=Warning")
    except (ClusterError, ValueError) as error:
        return f"The namespace {namespace} cannot be read: {error}"
    if not pods:
        lines.append(f"There are no pods in namespace {namespace}.")
    warnings.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")))
    lines += [describe_event(event) for event in warnings[-EVENTS:]]
    return "\n".join(lines)


def describe_event(event: Json) -> str:
    """Return an event in one line.

    >>> about = {"kind": "Pod", "name": "p"}
    >>> describe_event({"involvedObject": about, "reason": "Failed", "message": "no image"})
    'event of Pod p: Failed: no image'
    """
    about = event["involvedObject"]
    return f"event of {about['kind']} {about['name']}: {event['reason']}: {event['message']}"


def describe_status(pod: Json) -> Iterator[str]:
    """Return the state of a pod and of its containers, a line each."""
    status = pod.get("status", {})
    unmet = [
        f"{condition['type']} is {condition['status']}"
        + (f": {condition['message']}" if condition.get("message") else "")
        for condition in status.get("conditions", [])
        if condition["status"] != "True"
    ]
    yield f"pod {pod['metadata']['name']}: {'; '.join([status.get('phase', 'no phase'), *unmet])}"
    for container in _containers(pod):
        state = _describe_state(container.get("state", {}))
        last = container.get("lastState", {})
        before = f"; before that {_describe_state(last)}" if last else ""
        ready = "ready" if container.get("ready") else "not ready"
        restarts = f"{container.get('restartCount', 0)} restarts"
        yield f"  container {container['name']}: {state}, {ready}, {restarts}{before}"


def _describe_pod(cluster: Access, pod: Json) -> Iterator[str]:
    yield from describe_status(pod)
    for container in _containers(pod):
        if container.get("ready"):
            continue
        log_lines = _log(cluster, pod, container["name"]) or _log(
            cluster, pod, container["name"], "--previous"
        )
        if log_lines:
            yield f"  the last lines of {container['name']}:"
            yield from (f"    {line}" for line in log_lines)


def _containers(pod: Json) -> list[Json]:
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _describe_state(state: Json) -> str:
    for kind, details in state.items():
        words = [str(details[key]) for key in ("reason", "message") if details.get(key)]
        if "exitCode" in details:
            words.insert(0, f"exit code {details['exitCode']}")
        return f"{kind} ({': '.join(words)})" if words else str(kind)
    return "in no state yet"


def _log(cluster: Access, pod: Json, container: str, *options: str) -> list[str]:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    command = ("logs", name, f"--namespace={namespace}", f"--container={container}", *options)
    try:
        return cluster.kubectl(*command, f"--tail={LOG_LINES}").splitlines()
    except ClusterError:
        return []


def _list(cluster: Access, namespace: str, kind: str, *options: str) -> list[Json]:
    common = (f"--namespace={namespace}", "--request-timeout=10s", "--output=json")
    items: list[Json] = json.loads(cluster.kubectl("get", kind, *common, *options))["items"]
    return items
