"""The lifecycle of containers, as reported to the API server."""

import json
import signal
import time

import pytest

from localcluster.node.downward_api import Json
from tests.localcluster.node.pods import Pods
from tests.support.waiting import wait_until

ONCE = {"restartPolicy": "Never"}
SERVE = ("python", "-m", "http.server", "8000", "--directory", "/run")
UNTIL_TERMINATED = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done"


def test_a_container_that_fails_is_restarted_with_a_back_off(pods: Pods) -> None:
    """It restarts at once, then with a backoff; the status has exit code and message."""
    pods.run(
        "p",
        *("sh", "-c", "echo going down; exit 7"),
        terminationMessagePolicy="FallbackToLogsOnError",
    )
    pods.until_waiting("p", "CrashLoopBackOff")
    status = pods.container("p")
    assert status["restartCount"] == 1
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "going down\n")
    assert (pods.waits_for("p")[1] or "").startswith(
        "back-off 10s restarting failed container=main pod=p_"
    )
    assert pods.kubectl("logs", "p", "--previous") == "going down\n"
    assert pods.get("p")["status"]["phase"] == "Running"


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_a_pod_without_restarts_reports_its_exit(pods: Pods, code: int, phase: str) -> None:
    """A pod that runs once ends in the phase of its exit code, with its message."""
    pods.run("p", "sh", "-c", f"echo bye > /dev/termination-log; exit {code}", spec=ONCE)
    pods.until("p", lambda pod: pod["status"]["phase"] == phase)
    ended = pods.container("p")["state"]["terminated"]
    assert (ended["exitCode"], ended["message"]) == (code, "bye\n")


def test_an_init_container_that_fails_keeps_the_pod_from_starting(pods: Pods) -> None:
    """The pod stays Pending, and the init container is the one in back-off."""
    init = {"name": "fetch", "image": "halimede:x", "command": ["sh", "-c", "exit 2"]}
    pods.run("p", "true", spec={"initContainers": [init]})

    def in_back_off(pod: Json) -> bool:
        statuses = pod["status"].get("initContainerStatuses") or [{}]
        waiting: Json = statuses[0].get("state", {}).get("waiting", {})
        return waiting.get("reason") == "CrashLoopBackOff"

    pod = pods.until("p", in_back_off)
    assert pod["status"]["phase"] == "Pending"
    assert pods.waits_for("p")[0] == "PodInitializing"


def test_a_program_that_does_not_exist_is_named(pods: Pods) -> None:
    """The operating system's error of a failed start is in the status."""
    pods.run("p", "nonesuch", spec=ONCE)
    pods.until("p", lambda pod: pod["status"]["phase"] == "Failed")
    ended = pods.container("p")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert ended["message"] == 'exec: "nonesuch": executable file not found in $PATH'


def test_an_unknown_image_cannot_be_pulled(pods: Pods) -> None:
    """The container waits, and its message lists the known images."""
    pods.run("p", "true", image="nginx:1.29")
    pods.until_waiting("p", "ImagePullBackOff")
    assert "knows only */tritonserver:24.10-py3, */halimede:*" in str(pods.waits_for("p")[1])


def test_what_the_node_cannot_do_is_rejected_aloud(pods: Pods) -> None:
    """A pod with an unsupported field does not start."""
    pods.run("p", "true", livenessProbe={"grpc": {"port": 8001}})
    expected = (
        "CreateContainerConfigError",
        "the process node does not support a gRPC probe: use httpGet",
    )
    pods.until_waiting("p", *expected)


def test_a_container_that_fails_its_liveness_probe_is_restarted(pods: Pods) -> None:
    """It is terminated with the grace period, and an Event names the probe."""
    probe = {"exec": {"command": ["test", "!", "-e", "/run/dead"]}, "periodSeconds": 1}
    script = f"touch /run/dead; {UNTIL_TERMINATED}"
    pods.run("p", "sh", "-c", script, livenessProbe={**probe, "failureThreshold": 2})
    pods.until("p", lambda _: pods.container("p").get("restartCount", 0) > 0)
    events = json.loads(pods.kubectl("get", "events", "-o", "json"))["items"]
    killings = [event["message"] for event in events if event["reason"] == "Killing"]
    assert killings[0] == "Container main failed liveness probe, will be restarted"


def test_a_container_that_does_not_start_up_is_restarted(pods: Pods) -> None:
    """The other probes do not run before the startup probe has succeeded."""
    closed = {"tcpSocket": {"port": 81}, "periodSeconds": 1}
    pods.run(
        "p",
        *("sh", "-c", UNTIL_TERMINATED),
        startupProbe={**closed, "failureThreshold": 2},
        livenessProbe={**closed, "failureThreshold": 1},
    )
    pods.until("p", lambda _: pods.container("p").get("restartCount", 0) > 0)
    events = json.loads(pods.kubectl("get", "events", "-o", "json"))["items"]
    kinds = {event["message"].split()[0] for event in events if event["reason"] == "Unhealthy"}
    assert kinds == {"Startup"}


def test_a_pod_that_is_not_ready_is_no_endpoint(pods: Pods) -> None:
    """The readiness probe removes and adds endpoints without a restart."""
    pods.apply("Service", "s", spec={"selector": {"app": "p"}, "ports": [{"port": 8000}]})
    script = "touch /run/ok; exec " + " ".join(SERVE)
    pods.run(
        "p",
        *("sh", "-c", script),
        readinessProbe={
            "httpGet": {"path": "/ok", "port": 8000},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
        livenessProbe={
            "exec": {"command": ["sh", "-c", "rm -f /run/ok"]},
            "initialDelaySeconds": 4,
        },
    )
    pods.kubectl("label", "pod", "p", "app=p")

    def ready_endpoints() -> list[bool]:
        slices = json.loads(pods.kubectl("get", "endpointslices", "-o", "json"))["items"]
        return [end["conditions"]["ready"] for one in slices for end in one["endpoints"] or []]

    for ready in (True, False):
        wait_until(
            ready_endpoints, lambda seen, ready=ready: seen == [ready], explain=pods.explain
        )
    assert pods.container("p")["restartCount"] == 0


def test_a_pod_stays_ready_while_it_is_about_to_end(pods: Pods) -> None:
    """During preStop it serves and is Ready; then come SIGTERM and the object's deletion."""
    pods.run(
        "p",
        *("sh", "-c", UNTIL_TERMINATED),
        spec={"terminationGracePeriodSeconds": 300},
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 4714; true"]}}},
    )
    pods.until_ready("p")
    pods.kubectl("delete", "pod", "p", "--wait=false")
    assert "deletionTimestamp" in pods.get("p")["metadata"]
    assert pods.is_ready("p")
    assert pods.kubectl("logs", "p") == "up\n"
    pods.inside("pkill", "-f", "^sleep 4714$")
    pods.until_gone("p")


def test_the_sleep_of_pre_stop_delays_the_end(pods: Pods) -> None:
    """The container gets SIGTERM only after the seconds of the `sleep` handler."""
    pods.run("p", "sh", "-c", UNTIL_TERMINATED, lifecycle={"preStop": {"sleep": {"seconds": 3}}})
    pods.until_ready("p")
    began = time.monotonic()
    pods.kubectl("delete", "pod", "p", "--wait=false")
    pods.until_gone("p")
    assert time.monotonic() - began >= 3


def test_a_program_that_ignores_the_request_is_killed(pods: Pods) -> None:
    """After the grace period all processes of the pod are killed, with all descendants."""
    script = "trap '' TERM; (trap '' TERM; sleep 4711) & sleep 4712"
    pods.run("p", "sh", "-c", script, spec={"terminationGracePeriodSeconds": 1})
    pods.until_ready("p")
    assert "sleep 4711" in pods.inside("ps", "-eo", "args")
    pods.kubectl("delete", "pod", "p", "--wait=false")
    pods.until_gone("p")
    assert "sleep 471" not in pods.inside("ps", "-eo", "args")


def test_logs_are_followed_until_the_container_ends(pods: Pods) -> None:
    """`kubectl logs --follow` shows lines as they are written and ends by itself."""
    pods.run("p", "sh", "-c", "echo one; sleep 2; echo two", spec=ONCE)
    pods.until("p", lambda pod: pod["status"]["phase"] != "Pending")
    assert pods.kubectl("logs", "p", "--follow") == "one\ntwo\n"
    assert pods.kubectl("logs", "p", "--tail=1") == "two\n"


def test_pods_end_with_the_agent_and_start_again(pods: Pods) -> None:
    """A killed agent leaves no process; its successor runs the pods again."""
    pods.run("p", "sh", "-c", "echo $$; exec sleep 4713")
    pods.until_ready("p")
    before = pods.container("p")["containerID"]
    pods.cluster.signal("node", signal.SIGKILL)

    def started_anew() -> bool:
        # A container that waits for its start has no id yet.
        now = pods.container("p").get("containerID", before)
        return now != before and pods.is_ready("p")

    wait_until(started_anew, explain=pods.explain)
    running = pods.inside("ps", "-eo", "args").splitlines()
    assert [line.strip() for line in running].count("sleep 4713") == 1
