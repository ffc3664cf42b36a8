"""What users do with kubectl, and what they can expect."""

import json

from halimede.api.base import Manifest
from tests.e2e.user import NAME, User

COLUMNS = ["NAME", "READY", "REASON", "STRATEGY", "STEP", "WEIGHT", "STABLE", "CANARY", "AGE"]


def test_get_wait_and_delete_behave(user: User) -> None:
    """Given v1, then get shows its columns, wait returns, and delete leaves no children."""
    stable = user.serves("v1")
    header, row = user.kubectl("get", "mdeploy", NAME).splitlines()
    assert header.split() == COLUMNS
    assert ["True", "Serving", "Canary", stable] == row.split()[1:5]
    user.kubectl("wait", "--for=condition=Ready", f"mdeploy/{NAME}", "--timeout=180s")
    user.kubectl("delete", "mdeploy", NAME, "--timeout=180s")
    kinds = "deployments,services,httproutes,poddisruptionbudgets,networkpolicies,pods"
    user.kubectl("wait", "--for=delete", kinds, "--all", "--timeout=180s")
    assert user.kubectl("get", kinds, "--output", "name") == ""


def test_what_is_deleted_or_edited_by_hand_comes_back(user: User) -> None:
    """Given v1, when its children are edited or deleted, then they are restored."""
    stable = user.serves("v1")
    route = user.kubectl("get", "httproute", NAME, "--output", "jsonpath={.spec}")
    user.kubectl("delete", "service", f"{NAME}-{stable}")
    user.kubectl(
        "patch", "httproute", NAME, "--type=json",
        '--patch=[{"op": "replace", "path": "/spec/hostnames", "value": ["other.example.com"]}]',
    )  # fmt: skip
    user.kubectl("wait", "--for=create", f"service/{NAME}-{stable}", "--timeout=180s")
    user.kubectl(
        "wait", f"--for=jsonpath={{.spec.hostnames[0]}}={user.hostname}", f"httproute/{NAME}",
        "--timeout=180s",
    )  # fmt: skip
    assert route == user.kubectl("get", "httproute", NAME, "--output", "jsonpath={.spec}")


def test_autoscaling_takes_over_the_pods_that_are_there(user: User) -> None:
    """Given two replicas, when autoscaling is set, then it starts from two, not from one.

    A field that is dropped from a server-side apply and has no other owner falls back to its
    default, which for `replicas` is 1.
    """
    resources = {"requests": {"cpu": "100m"}}
    user.asks_for("v1", replicas=2, resources=resources)
    stable = user.sees("v1 Ready", lambda seen: seen.ready).stable
    user.asks_for("v1", autoscaling={"minReplicas": 1, "maxReplicas": 3}, resources=resources)
    user.kubectl("wait", "--for=create", f"hpa/{NAME}", "--timeout=180s")
    user.sees("v1 Ready again", lambda seen: seen.ready and seen.settled)
    scaled = _get(user, f"hpa/{NAME}")["spec"]["scaleTargetRef"]["name"]
    deployment = _get(user, f"deployment/{scaled}", "--show-managed-fields")
    assert f"{NAME}-{stable}" == scaled
    assert deployment["spec"]["replicas"] == 2
    assert "halimede-replicas" in _owners_of_replicas(deployment)
    assert "halimede" not in _owners_of_replicas(deployment)


def _owners_of_replicas(deployment: Manifest) -> set[str]:
    return {
        entry["manager"]
        for entry in deployment["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }


def _get(user: User, what: str, *options: str) -> Manifest:
    manifest: Manifest = json.loads(user.kubectl("get", what, "--output", "json", *options))
    return manifest
