"""Which of Triton's APIs clients can use, at a pod and by the route."""

import json
import subprocess
import sys

import pytest

from tests.e2e.user import User
from tests.support import triton_apis
from tests.support.triton_apis import GRPC, HTTP, PUBLIC, Results, call_apis


@pytest.fixture
def pod(user: User) -> tuple[str, str]:
    """Serve v1, and return the address and the UID of its pod."""
    user.serves("v1")
    (one,) = json.loads(user.kubectl("get", "pods", "--output", "json"))["items"]
    return one["status"]["podIP"], one["metadata"]["uid"]


def results_at_pod(user: User, address: str, key: str = "") -> Results:
    """Call every API of a pod from inside the cluster."""
    arguments = (f"{address}:8000", f"{address}:8001", "triton", key)
    command = user.cluster.inside(sys.executable, triton_apis.__file__, *arguments)
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    results: Results = json.loads(finished.stdout)
    return results


def results_by_route(user: User, key: str = "") -> Results:
    """Call every API by the route, from outside the cluster."""
    address = "{}:{}".format(*user.cluster.gateway)
    return call_apis(address, address, user.hostname, key)


def test_only_administrative_apis_need_the_key(user: User, pod: tuple[str, str]) -> None:
    """Given a pod, its administrative APIs reject clients that do not know its UID."""
    address, uid = pod
    rejected: Results = dict.fromkeys(HTTP, 403) | dict.fromkeys(GRPC, "UNAVAILABLE")
    assert results_at_pod(user, address) == PUBLIC | rejected
    assert results_at_pod(user, address, uid)["/v2/logging"] == 200
    user.starts_load()
    assert user.errors() == []


def test_the_route_does_not_lead_to_administrative_apis(user: User, pod: tuple[str, str]) -> None:
    """Given the key of the pod, only what is below `/v2/models` can be reached by the route."""
    _, uid = pod
    below = {path for path in HTTP if path.startswith("/v2/models")}
    assert below
    assert results_by_route(user, uid) == PUBLIC | dict.fromkeys(HTTP, 404) | dict.fromkeys(
        below, 200
    ) | dict.fromkeys(GRPC, "UNIMPLEMENTED")
    without = results_by_route(user)
    assert {without[path] for path in below} == {403}
