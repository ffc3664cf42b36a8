"""Real local clusters: their parts, start and clean end."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localcluster import build, folders, state_file
from localcluster.cluster import Cluster, ClusterError, find, running, up
from tests.support.waiting import wait_until


def test_the_version_is_the_one_pinned(cluster: Cluster) -> None:
    """The API server reports the version that the build sets."""
    version = json.loads(cluster.kubectl("version", "--output=json"))
    assert version["serverVersion"]["gitVersion"] == build.KUBERNETES


def test_service_accounts_may_do_nothing_by_themselves(cluster: Cluster) -> None:
    """The API server accepts a service account's token, and RBAC denies what is not granted."""
    token = cluster.kubectl("create", "token", "default").strip()
    # An administrator's kubeconfig would add credentials of its own.
    server = cluster.kubectl("config", "view", "--output=jsonpath={.clusters[0].cluster.server}")
    kubectl = [str(cluster.kubectl_program), "--kubeconfig=/dev/null", f"--server={server}"]
    answer = subprocess.run(
        [*kubectl, "--insecure-skip-tls-verify", f"--token={token}", "get", "secrets"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'User "system:serviceaccount:default:default" cannot list' in answer.stderr


def test_controllers_and_scheduler_make_pods_run(cluster: Cluster) -> None:
    """A Deployment becomes available with controllers, scheduler and kwok."""
    cluster.kubectl("create", "deployment", "web", "--image=web", "--replicas=4")
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    where = "--output=jsonpath={.items[*].spec.nodeName}"
    nodes = set(cluster.kubectl("get", "pods", "--selector=app=web", where).split())
    assert nodes == {"kwok-0", "kwok-1"}
    cluster.kubectl("delete", "deployment", "web", "--wait")
    gone = ("wait", "--for=delete", "pod", "--selector=app=web", "--timeout=180s")
    cluster.kubectl(*gone)


def test_the_audit_log_has_user_and_request(cluster: Cluster) -> None:
    """Requests from outside are recorded with their user agent; the control plane's are not."""
    cluster.kubectl("get", "configmaps", "--namespace=kube-public")
    path = "/api/v1/namespaces/kube-public/configmaps"
    wait_until(cluster.audit_log.read_text, lambda log: path in log)
    lines = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    assert {line["user"]["username"] for line in lines} <= {
        "admin",
        "system:serviceaccount:default:default",
    }
    assert all(line["userAgent"] for line in lines)
    assert {line["level"] for line in lines} == {"Metadata"}


def test_commands_run_inside(cluster: Cluster) -> None:
    """A command inside runs as root and reaches the API server at its inner address."""
    inside = cluster.inside("sh", "-c", "id -u; exit 7")
    finished = subprocess.run(inside, capture_output=True, text=True, check=False)
    assert (finished.stdout, finished.returncode) == ("0\n", 7)


def test_a_process_that_dies_is_started_again(cluster: Cluster) -> None:
    """A process of the cluster that is killed is restarted."""
    before = cluster.processes()["kube-scheduler"]
    cluster.signal("kube-scheduler", signal.SIGKILL)
    wait_until(lambda: cluster.processes()["kube-scheduler"], lambda now: now != before)


def test_two_clusters_stand_side_by_side(cluster: Cluster) -> None:
    """Two clusters share no objects."""
    with up(f"{cluster.name}-second", parts=()) as second:
        second.kubectl("create", "namespace", "only-here")
        assert {cluster.name, second.name} <= {one.name for one in running()}
        with pytest.raises(ClusterError, match="only-here"):
            cluster.kubectl("get", "namespace", "only-here")
    with pytest.raises(ClusterError, match="is running"):
        find(second.name)


def test_a_name_is_given_once(cluster: Cluster) -> None:
    """A second cluster of the same name is rejected, and the first one continues."""
    with pytest.raises(ClusterError, match="already running"):
        up(cluster.name, parts=())
    assert "default" in cluster.kubectl("get", "namespaces")


def test_a_name_must_fit() -> None:
    """A name that could lead out of the folder is rejected."""
    with pytest.raises(ClusterError, match="is invalid"):
        up("../elsewhere", parts=())


def test_a_bound_cluster_ends_with_a_caller_that_is_killed() -> None:
    """Kill -9 of the caller leaves no process, and the name can be used again at once."""
    name = f"killed-{os.getpid()}"
    program = f"""
from localcluster.cluster import up
cluster = up({name!r}, parts=())
print(cluster.pid, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as caller:
        assert caller.stdout is not None
        first = int(caller.stdout.readline())
        process = os.pidfd_open(first)
        family = descendants(first)
        caller.kill()
    assert len(family) >= 5
    # Process 1 ends after all others: the kernel waits for them.
    ready, _, _ = select.select([process], [], [], 10)
    os.close(process)
    assert ready, "process 1 still lives"
    assert [pid for pid in family if Path("/proc", str(pid)).exists()] == []
    with up(name, parts=()) as again:
        assert "default" in again.kubectl("get", "namespaces")


def test_a_caller_killed_while_it_starts_leaves_nothing() -> None:
    """Kill -9 during the start leaves no process either."""
    name = f"early-{os.getpid()}"
    program = f"from localcluster.cluster import up; up({name!r}, parts=())"
    directory = folders.clusters() / name
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as caller:
        etcd = directory / "logs" / "etcd.log"
        wait_until(lambda: sorted(directory.glob("logs/*")), lambda logs: etcd in logs)
        assert state_file.is_running(directory)
        caller.kill()
    wait_until(lambda: state_file.is_running(directory), lambda runs: not runs)


def test_if_the_kernel_forbids_namespaces_the_error_has_the_remedy() -> None:
    """If the kernel forbids user namespaces, the error names the sysctl and its value."""
    # The limit applies below a user namespace, so it can be tested in one.
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    enter = ("/usr/bin/env", "unshare", "--user", "--map-root-user", "sh", "-c", script, "sh")
    name = f"forbidden-{os.getpid()}"
    start = (sys.executable, "-m", "localcluster", "up", "--name", name, "--only", "control-plane")
    finished = subprocess.run([*enter, *start], capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert "sudo sysctl -w user.max_user_namespaces=10000" in finished.stderr


def descendants(pid: int) -> list[int]:
    """Return the descendants' process ids, as numbered outside."""
    result = []
    for task in Path("/proc", str(pid), "task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            result += [child, *descendants(child)]
    return result
