"""A revision serves the files that were there when its digest was determined, and no others."""

import hashlib

from halimede.api.conditions import ConditionType
from halimede.api.reasons import Reason
from tests.e2e.fetchers import last_words, waits_for_words
from tests.e2e.model_source import ModelSource
from tests.e2e.user import NAME, User, condition, ready
from tests.support.waiting import wait_until

SECRET = "model-server"


def served_from(user: User, server: ModelSource) -> str:
    """Serve v1 from the server; return its revision."""
    user.apply(server.secret(SECRET, user.namespace))
    server.answers()
    user.asks_for("v1", model__storageUri=server.url, model__secretName=SECRET)
    return user.sees("v1 Ready", lambda seen: seen.ready).stable


def test_new_files_at_the_address_reach_no_user(user: User, server: ModelSource) -> None:
    """Given v1, when other files are at its address, then no pod of the revision serves them.

    The new pod says why, and the old one serves all requests. Once the files are back, it starts.
    """
    digest = hashlib.sha256(server.archive.read_bytes()).hexdigest()
    revision = served_from(user, server)
    seen = user.sees("the digest", lambda seen: seen.status.model is not None)
    assert seen.status.model is not None
    assert seen.status.model.digest == digest
    assert last_words(user) == [f"sha256:{digest}"]
    wait_until(lambda: user.kubectl("get", "jobs", "--output=name") == "", explain=user.explain)
    user.starts_load()

    v1 = server.archive.read_bytes()
    server.replace(user.versions["v2"])
    other = hashlib.sha256(server.archive.read_bytes()).hexdigest()
    user.asks_for("v1", model__storageUri=server.url, model__secretName=SECRET, replicas=2)
    waits_for_words(user, lambda words: any(other in text and digest in text for text in words))
    user.waits_for_requests(100)
    server.archive.write_bytes(v1)
    waits_for_words(user, lambda words: words.count(f"sha256:{digest}") >= 2)
    user.load.stop()
    assert user.errors() == []
    assert {record.revision for record in user.requests()} == {revision}


def test_files_that_are_no_model_stop_before_there_is_a_pod(
    user: User, server: ModelSource
) -> None:
    """Given v1, when the files of another address cannot be used, then no rollout starts.

    `retry` fetches them again.
    """
    stable = served_from(user, server)
    good = server.archive.read_bytes()
    server.archive.write_bytes(b"no archive")
    address = server.url.replace("/digits", "/2/digits")
    user.asks_for("v2", model__storageUri=address, model__secretName=SECRET)
    seen = user.sees("the failure", lambda seen: ready(seen).reason == Reason.UNRESOLVED)
    assert "cannot be unpacked" in ready(seen).message
    available = condition(seen, ConditionType.AVAILABLE)
    assert available is not None
    assert (available.status, seen.stable, seen.status.rollout) == ("True", stable, None)
    wait_until(lambda: user.kubectl("get", "jobs", "--output=name") == "", explain=user.explain)

    server.archive.write_bytes(good)
    user.commands("retry")
    seen = user.sees("the rollout", lambda seen: seen.status.rollout is not None)
    assert seen.status.last_command is not None
    user.kubectl("delete", "mdeploy", NAME)


def test_abort_leaves_nothing_of_the_job(user: User, server: ModelSource) -> None:
    """Given a server that does not answer, `abort` ends the Job and its pod, until `retry`."""
    user.apply(server.secret(SECRET, user.namespace))
    user.asks_for("v1", model__storageUri=server.url, model__secretName=SECRET)
    server.waits_for_a_request(user.explain)
    user.commands("abort")
    user.sees("the failure", lambda seen: ready(seen).reason == Reason.UNRESOLVED)
    wait_until(
        lambda: user.kubectl("get", "jobs,pods,networkpolicies", "--output=name"),
        lambda names: names == "",
        explain=user.explain,
    )
    server.answers()
    user.commands("retry")
    user.sees("v1 Ready", lambda seen: seen.ready)


def test_quota_without_room_for_the_job(user: User, server: ModelSource) -> None:
    """Given a quota that forbids its pod, the message says where the cause is.

    The Job goes on when there is room, and the deletion of the ModelDeployment deletes it.
    """
    user.apply(server.secret(SECRET, user.namespace))
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    quota["metadata"]["namespace"] = user.namespace
    user.apply(quota | {"spec": {"hard": {"pods": "0"}}})
    user.asks_for("v1", model__storageUri=server.url, model__secretName=SECRET)
    seen = user.sees("the wait", lambda seen: ready(seen).reason == Reason.RESOLVING)
    assert "has no pod yet" in ready(seen).message
    wait_until(
        lambda: user.kubectl("get", "events", "--output=jsonpath={.items[*].message}"),
        lambda messages: "exceeded quota" in messages,
        explain=user.explain,
    )
    user.kubectl("delete", "resourcequota", "none")
    server.waits_for_a_request(user.explain)
    user.kubectl("delete", "mdeploy", NAME)
    wait_until(
        lambda: user.kubectl("get", "jobs,pods,networkpolicies", "--output=name"),
        lambda names: names == "",
        explain=user.explain,
    )
