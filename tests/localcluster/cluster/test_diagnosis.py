"""The diagnosis of a namespace in which something does not become ready."""

import json
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from localcluster.access import Access, ClusterError
from localcluster.diagnosis import describe_namespace, kubectl_in

POD = {
    "metadata": {"name": "web-1", "namespace": "demo"},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "Initialized", "status": "True"},
            {
                "type": "Ready",
                "status": "False",
                "message": "containers with unready status: [web]",
            },
        ],
        "containerStatuses": [
            {
                "name": "web",
                "ready": False,
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
            }
        ],
    },
}
STATE = "waiting (CrashLoopBackOff: back-off 40s)"
BEFORE = "terminated (exit code 1: Error)"
EVENT = {
    "involvedObject": {"kind": "Pod", "name": "web-1"},
    "reason": "BackOff",
    "message": "Back-off restarting failed container",
    "lastTimestamp": "2026-01-01T00:00:00Z",
}


class Pretended(Access):
    """A fake cluster with one broken pod; output by the first two words of a command."""

    @override
    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        answers: dict[tuple[str, ...], Any] = {
            ("get", "pods"): json.dumps({"items": [POD]}),
            ("get", "events"): json.dumps({"items": [EVENT]}),
            ("--namespace", "demo"): "",
            ("logs", "web-1"): "cannot bind port 80\n" if "--previous" in arguments else "",
        }
        if "wait" in arguments:
            raise ClusterError("timed out waiting for the condition")
        return str(answers[arguments[:2]])


class Gone(Access):
    """A fake cluster that does not respond."""

    @override
    def kubectl(self, *arguments: str, input: str | None = None) -> str:
        raise ClusterError("connection refused")


def make(kind: type[Access]) -> Access:
    """Make a fake cluster."""
    here = Path()
    return kind("c", here, ("127.0.0.1", 1), "", here, here)


def test_a_pod_is_explained_by_its_states_its_log_and_its_events() -> None:
    """The diagnosis has the pod's states, log and Events."""
    assert describe_namespace(make(Pretended), "demo").splitlines() == [
        "pod web-1: Running; Ready is False: containers with unready status: [web]",
        f"  container web: {STATE}, not ready, 3 restarts; before that {BEFORE}",
        "  the last lines of web:",
        "    cannot bind port 80",
        "event of Pod web-1: BackOff: Back-off restarting failed container",
    ]


def test_a_cluster_that_is_gone_hides_no_other_error() -> None:
    """If the cluster is gone, the diagnosis says so instead of raising."""
    text = describe_namespace(make(Gone), "demo")
    assert text == "The namespace demo cannot be read: connection refused"


def test_a_wait_of_kubectl_that_gives_up_is_explained() -> None:
    """The error has kubectl's output first, then the diagnosis."""
    with pytest.raises(ClusterError) as caught:
        kubectl_in(make(Pretended), "demo", "wait", "--for=condition=Ready", "pod/web-1")
    assert str(caught.value).startswith("timed out waiting for the condition\npod web-1: Running")
    assert kubectl_in(make(Pretended), "demo", "delete", "pod/web-1") == ""
