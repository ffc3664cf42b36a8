"""Several replicas of the operator: one leads, whatever happens to it."""

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from halimede.api.status import Outcome, State, Status
from localcluster.cluster import Cluster
from tests.operator.conftest import Process, Start, model
from tests.operator.ready_pods import create_ready_pod
from tests.support.waiting import wait_until

SECONDS = "10"
LEASE = ("h-halimede", "--namespace", "halimede-system")
"""The Lease of the release that the operator's account is from."""
RENEWALS = 7
"""More renewals than there are in one duration of the Lease."""
RECREATE = {
    "strategy": "Recreate",
    "recreate": {"bakeSeconds": 0},
    "analysis": {"provider": "None", "settleSeconds": 0},
}
KILLED_WITHOUT_REQUESTS = (State.STOPPING, State.STARTING)
"""States of a Recreate rollout, in which nothing serves, so that a kill can lose no request."""
Replicas = Callable[..., Process]


@pytest.fixture
def start_replica(api_server: Cluster, start: Start) -> Replicas:
    """Return a function that starts one more replica, with settings; there is no Lease yet."""
    api_server.kubectl("delete", "lease", *LEASE, "--ignore-not-found")
    lease, _, namespace = LEASE
    settings = {"HALIMEDE_LEASE": f"{namespace}/{lease}", "HALIMEDE_LEASE_SECONDS": SECONDS}
    return lambda **more: start(**settings, **more)


def with_clock_set_back(folder: Path) -> dict[str, str]:
    """Return settings of a process whose wall clock is an hour behind."""
    code = "import time\nnow = time.time\ntime.time = lambda: now() - 3600\n"
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def read_lease(api_server: Cluster) -> dict[str, Any]:
    """Return the spec of the Lease."""
    shown = api_server.kubectl("get", "lease", *LEASE, "-o", "json")
    spec: dict[str, Any] = json.loads(shown)["spec"]
    return spec


def renewed_at(api_server: Cluster) -> datetime:
    """Return when the Lease was renewed, by the clock of the leader."""
    return datetime.fromisoformat(read_lease(api_server)["renewTime"])


def leads(replica: Process) -> bool:
    """Return whether a replica says that it leads."""
    with urllib.request.urlopen(f"http://127.0.0.1:{replica.port}/metrics") as answer:
        return "\nhalimede_leader 1.0" in answer.read().decode()


def wait_until_it_leads(replica: Process) -> None:
    """Wait until a replica leads."""
    wait_until(lambda: leads(replica), explain=replica.log.read_text)


def serve(
    api_server: Cluster, namespace: str, name: str, replicas: int = 1, **spec: object
) -> None:
    """Apply a ModelDeployment."""
    manifest = model(name, namespace, replicas=replicas, **spec)
    api_server.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def read_status(api_server: Cluster, namespace: str, name: str) -> Status:
    """Return the status of a ModelDeployment."""
    shown = api_server.kubectl("get", "mdeploy", name, "-n", namespace, "-o", "json")
    return Status.model_validate(json.loads(shown).get("status", {}))


def pods_of(api_server: Cluster, namespace: str, name: str) -> list[int]:
    """Return the replicas of a ModelDeployment's Deployments."""
    label = f"--selector=halimede.dev/name={name}"
    shown = api_server.kubectl("get", "deployments", label, "-n", namespace, "-o", "json")
    return [item["spec"]["replicas"] for item in json.loads(shown)["items"]]


def writers(api_server: Cluster, namespace: str) -> list[str]:
    """Return the replica of each write except those of the Lease, in order."""
    return [
        event["userAgent"]
        for event in map(json.loads, api_server.audit_log.read_text().splitlines())
        if event["verb"] in {"create", "update", "patch", "delete"}
        and event["userAgent"].startswith("halimede/")
        and event["objectRef"]["resource"] != "leases"
        and event["objectRef"].get("namespace") == namespace
    ]


def test_one_of_two_replicas_writes(
    api_server: Cluster, namespace: str, start_replica: Replicas
) -> None:
    """Given a leader, the second replica is ready, has no metrics of models and writes nothing."""
    leader, other = start_replica(), start_replica()
    wait_until_it_leads(leader)
    serve(api_server, namespace, "m")
    wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: pods == [1])
    assert len(set(writers(api_server, namespace))) == 1
    assert not leads(other)
    with urllib.request.urlopen(f"http://127.0.0.1:{other.port}/readyz") as answer:
        assert answer.status == 200


def test_another_replica_takes_over_from_one_that_was_killed(
    api_server: Cluster, namespace: str, start_replica: Replicas
) -> None:
    """Given kill -9 of the leader, the other continues with what the leader had not seen."""
    leader = start_replica()
    wait_until_it_leads(leader)
    other = start_replica()
    leader.popen.kill()
    leader.popen.wait()
    serve(api_server, namespace, "m")
    wait_until_it_leads(other)
    wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: pods == [1])
    assert read_lease(api_server)["leaseTransitions"] == 1


def test_a_leader_that_ends_releases_the_lease(
    api_server: Cluster, start_replica: Replicas
) -> None:
    """Given SIGTERM, the Lease has no holder when the process has ended."""
    leader = start_replica()
    wait_until_it_leads(leader)
    leader.popen.send_signal(signal.SIGTERM)
    assert leader.popen.wait(60) == 0
    assert read_lease(api_server)["holderIdentity"] == ""
    wait_until_it_leads(start_replica())


def test_a_leader_that_was_suspended_undoes_nothing(
    api_server: Cluster, namespace: str, start_replica: Replicas
) -> None:
    """Given a leader that is stopped while it has work, and continued after another has led.

    It writes nothing more until it leads again, and then knows what has happened meanwhile.
    """
    first = start_replica()
    wait_until_it_leads(first)
    second = start_replica()
    serve(api_server, namespace, "m")
    wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: pods == [1])
    serve(api_server, namespace, "m", replicas=2)
    first.popen.send_signal(signal.SIGSTOP)
    wait_until_it_leads(second)
    serve(api_server, namespace, "m", replicas=3)
    wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: pods == [3])
    (old,) = set(writers(api_server, namespace)[:1])
    before = writers(api_server, namespace).count(old)
    first.popen.send_signal(signal.SIGCONT)
    wait_until(lambda: first.said("Lost the lease"), explain=first.log.read_text)
    serve(api_server, namespace, "n")
    wait_until(lambda: pods_of(api_server, namespace, "n"), lambda pods: pods == [1])
    assert pods_of(api_server, namespace, "m") == [3]
    assert writers(api_server, namespace).count(old) == before
    second.popen.kill()
    second.popen.wait()
    wait_until_it_leads(first)
    serve(api_server, namespace, "m", replicas=1)
    wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: pods == [1])


def test_wall_clocks_do_not_decide_who_leads(
    api_server: Cluster, start_replica: Replicas, tmp_path: Path
) -> None:
    """Given clocks an hour apart, a leader that renews keeps the Lease, and a dead one loses it.

    For the replica that is ahead, every renewal seems to be an hour old; for the one that is
    behind, it seems to be in the future.
    """
    behind = with_clock_set_back(tmp_path)
    leader = start_replica(**behind)
    wait_until_it_leads(leader)
    holder = read_lease(api_server)["holderIdentity"]
    ahead = start_replica()
    renewals = set()

    def count_renewals() -> int:
        renewals.add(renewed_at(api_server))
        return len(renewals)

    wait_until(count_renewals, lambda number: number > RENEWALS)
    assert read_lease(api_server)["holderIdentity"] == holder
    assert not leads(ahead)
    leader.popen.kill()
    wait_until_it_leads(ahead)
    assert renewed_at(api_server) - max(renewals) > timedelta(minutes=30)
    other = start_replica(**behind)
    ahead.popen.kill()
    wait_until_it_leads(other)


@pytest.mark.usefixtures("node")
def test_a_recreate_rollout_goes_on_when_its_leaders_are_killed(
    api_server: Cluster, namespace: str, start_replica: Replicas
) -> None:
    """Given a kill -9 of the leader in each state without ready pods, the outcome is the same."""
    leader = start_replica()
    wait_until_it_leads(leader)
    serve(api_server, namespace, "m", rollout=RECREATE)

    def status() -> Status:
        return read_status(api_server, namespace, "m")

    first = wait_until(lambda: status().target)
    assert first is not None
    create_ready_pod(api_server, namespace, "m", first.revision, "10.9.2.1")
    wait_until(lambda: status().stable)
    changed = {"metadata": {"annotations": {"example.com/changed": "1"}}}
    serve(api_server, namespace, "m", rollout=RECREATE, podTemplate=changed)
    for state in KILLED_WITHOUT_REQUESTS:
        other = start_replica()
        wait_until(
            lambda: status().rollout, lambda seen, state=state: seen and seen.state is state
        )
        leader.popen.kill()
        wait_until_it_leads(other)
        leader = other
        target = status().target
        assert target is not None
        assert target.revision != first.revision
        if state is State.STOPPING:
            wait_until(lambda: pods_of(api_server, namespace, "m"), lambda pods: 1 not in pods)
            old = f"--selector=halimede.dev/revision={first.revision}"
            api_server.kubectl("delete", "pods", old, "-n", namespace, "--force")
        else:
            create_ready_pod(api_server, namespace, "m", target.revision, "10.9.2.2")
    over = wait_until(status, lambda seen: seen.rollout is None)
    assert over.stable is not None
    assert over.last_rollout is not None
    assert (over.stable.revision, over.last_rollout.outcome) == (target.revision, Outcome.PROMOTED)
