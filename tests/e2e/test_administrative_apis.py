"""Which of Triton's APIs clients can use at a pod."""

import json
import subprocess
import sys

import pytest

from tests.e2e.user import User
from tests.support import triton_apis
from tests.support.triton_apis import GRPC, HTTP, PUBLIC, Results


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


def test_only_administrative_apis_need_the_key(user: User, pod: tuple[str, str]) -> None:
    """Given a pod, its administrative APIs reject clients that do not know its UID."""
    address, uid = pod
    rejected: Results = dict.fromkeys(HTTP, 403) | dict.fromkeys(GRPC, "UNAVAILABLE")
    assert results_at_pod(user, address) == PUBLIC | rejected
    assert results_at_pod(user, address, uid)["/v2/logging"] == 200
    user.starts_load()
    assert user.errors() == []
