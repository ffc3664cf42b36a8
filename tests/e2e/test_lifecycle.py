"""What people do with kubectl, and what they may expect of it."""

import json

from demo.watch import Snapshot
from halimede.api.base import Manifest
from halimede.api.conditions import Reason
from halimede.api.status import Outcome, State
from tests.e2e.user import NAME, User, ready

COLUMNS = ["NAME", "READY", "REASON", "STRATEGY", "STEP", "WEIGHT", "STABLE", "CANARY", "AGE"]


def test_get_wait_and_delete_behave(user: User) -> None:
    """Given v1, then get shows its columns, wait returns, and delete leaves nothing behind."""
    stable = user.serves("v1")
    header, row = user.kubectl("get", "mdeploy", NAME).splitlines()
    assert header.split() == COLUMNS
    assert ["True", "Serving", "Canary", stable] == row.split()[1:5]
    user.kubectl("wait", "--for=condition=Ready", f"mdeploy/{NAME}", "--timeout=30s")
    user.kubectl("delete", "mdeploy", NAME, "--timeout=60s")
    kinds = "deployments,services,httproutes,poddisruptionbudgets,pods"
    user.kubectl("wait", "--for=delete", kinds, "--all", "--timeout=60s")
    assert user.kubectl("get", kinds, "--output", "name") == ""


def test_what_is_deleted_or_edited_by_hand_comes_back(user: User) -> None:
    """Given v1, when its children are tampered with, then they are put right."""
    stable = user.serves("v1")
    route = user.kubectl("get", "httproute", NAME, "--output", "jsonpath={.spec}")
    user.kubectl("delete", "service", f"{NAME}-{stable}")
    user.kubectl(
        "patch", "httproute", NAME, "--type=json",
        '--patch=[{"op": "replace", "path": "/spec/hostnames", "value": ["other.example.com"]}]',
    )  # fmt: skip
    user.kubectl("wait", "--for=create", f"service/{NAME}-{stable}", "--timeout=30s")
    user.kubectl(
        "wait", f"--for=jsonpath={{.spec.hostnames[0]}}={user.hostname}", f"httproute/{NAME}",
        "--timeout=30s",
    )  # fmt: skip
    assert route == user.kubectl("get", "httproute", NAME, "--output", "jsonpath={.spec}")


def test_an_abort_by_hand_beats_everything_and_a_retry_tries_again(user: User) -> None:
    """Given a canary with traffic, when abort is commanded, all goes back; retry starts anew."""
    stable = user.serves("v1")
    user.starts_load()
    user.asks_for("v2", rollout__canary={"steps": [{"weight": 20, "minSeconds": 600}]})
    user.sees("the canary's weight", lambda seen: seen.weight == 20)
    user.commands("abort", "first")
    over = user.sees("the end", lambda seen: seen.settled)
    assert over.status.last_rollout is not None
    assert (Outcome.ABORTED, stable) == (over.status.last_rollout.outcome, over.stable)
    assert ready(over).reason == Reason.CANARY_FAILED
    user.commands("retry", "second")
    user.sees("a new rollout", lambda seen: seen.status.rollout is not None)
    user.load.stop()
    assert user.errors() == []


def test_promotion_restarts_no_pod(user: User) -> None:
    """Given v2 promoted under load, then its pods are those that served it as a canary."""
    user.serves("v1")
    user.starts_load()
    user.asks_for("v2")
    seen = user.sees("the canary's weight", lambda seen: seen.weight > 0)
    canary = seen.target
    before = _pods(user, canary)
    over = user.sees("the end", lambda seen: seen.ready and seen.settled, within=120)
    assert canary == over.stable
    assert before.items() <= _pods(user, canary).items()
    user.waits_for_requests(40)
    user.load.stop()
    assert user.errors() == []


def test_blue_green_switches_on_command_and_keeps_the_old_colour_warm(user: User) -> None:
    """Given v1, when v2 waits in the preview and promote is commanded, then all goes there."""
    blue_green = {"strategy": "BlueGreen", "blueGreen": {"bakeSeconds": 4}}
    user.asks_for("v1", rollout__strategy="BlueGreen")
    blue = user.sees("v1 Ready", lambda seen: seen.ready).stable
    user.starts_load()
    user.asks_for("v2", rollout__scaleDownDelaySeconds=600, **_merged(blue_green))
    waiting = user.sees("the preview", _awaits_promotion)
    assert waiting.weight == 0
    preview = _get(user, f"service/{NAME}-preview")
    assert waiting.target == preview["spec"]["selector"]["halimede.dev/revision"]
    user.commands("promote", "go")
    over = user.sees("the end", lambda seen: seen.ready and seen.settled, within=90)
    assert waiting.target == over.stable
    assert [blue] == [one.revision for one in over.status.warm]
    user.waits_for_requests(40)
    user.load.stop()
    assert user.errors() == []
    assert waiting.target == user.requests()[-1].revision


def test_autoscaling_takes_over_the_pods_that_are_there(user: User) -> None:
    """Given two replicas, when an autoscaler is asked for, then it starts from two, not from one.

    A field that is dropped from a server-side apply and has no other owner falls back to its
    default, which for `replicas` is 1.
    """
    resources = {"requests": {"cpu": "100m"}}
    user.asks_for("v1", replicas=2, resources=resources)
    stable = user.sees("v1 Ready", lambda seen: seen.ready).stable
    user.asks_for("v1", autoscaling={"minReplicas": 1, "maxReplicas": 3}, resources=resources)
    user.kubectl("wait", "--for=create", f"hpa/{NAME}", "--timeout=30s")
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
    found: Manifest = json.loads(user.kubectl("get", what, "--output", "json", *options))
    return found


def _awaits_promotion(seen: Snapshot) -> bool:
    rollout = seen.status.rollout
    return rollout is not None and rollout.state is State.AWAITING_PROMOTION


def _merged(changes: dict[str, object]) -> dict[str, object]:
    return {f"rollout__{name}": value for name, value in changes.items()}


def _pods(user: User, revision: str) -> dict[str, int]:
    """Find the pods of a revision that have served, with their containers' restarts."""
    listed = user.kubectl(
        "get", "pods", "--selector", f"halimede.dev/revision={revision}", "--output", "json"
    )
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in json.loads(listed)["items"]
        if pod["status"].get("containerStatuses")
    }
