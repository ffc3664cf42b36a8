"""A model from a server that wants a token: who can see the token, and who cannot."""

import json

from halimede.api.reasons import NotReadyReason
from tests.e2e.model_source import ModelSource
from tests.e2e.user import NAME, User, ready
from tests.e2e.visible import leaks, processes, read, seen_by_users, seen_of_processes

SECRET = "model-server"
FOLDER = "var/run/secrets/halimede.dev/model"
"""Where the fetcher has the keys, in its own file system."""


def test_only_the_fetcher_sees_the_token(user: User, server: ModelSource) -> None:
    """Given a Secret that comes after the model, then the model is served, and nothing shows it.

    The fetcher has the token as a file while it fetches. It is in no environment or argument of a
    process, and in no log, status, Event or description. Triton has no such file.
    """
    user.asks_for(
        "v1",
        model__storageUri=server.url,
        model__secretName=SECRET,
        rollout__progressDeadlineSeconds=600,
    )
    missing = user.sees(
        "MissingSecret", lambda seen: ready(seen).reason == NotReadyReason.MISSING_SECRET
    )
    assert (
        f"spec.model.secretName: the Secret {SECRET} does not exist or is empty. Add its keys,"
        f" or create it: kubectl --namespace {user.namespace} create secret generic {SECRET}"
    ) in ready(missing).message
    user.apply(server.secret(SECRET, user.namespace))
    server.waits_for_a_request(user.explain)
    user.sees("the fetch", lambda seen: "files are being fetched" in ready(seen).message)
    (fetcher,) = processes(user, "fetch", "--credentials", server.url)
    assert read(fetcher / "root" / FOLDER / "token") == f"{server.token}\n"
    assert f"HOSTNAME={NAME}-" in read(fetcher / "environ")
    assert leaks(seen_of_processes(user), server.token) == []

    server.answers()
    user.sees("Ready", lambda seen: seen.ready)
    assert leaks(seen_of_processes(user) | seen_by_users(user), server.token) == []
    (pod,) = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    key = f"HALIMEDE_ADMIN_KEY={pod['metadata']['uid']}"
    triton = [one for one in processes(user) if key in read(one / "environ")]
    assert triton
    assert [one for one in triton if (one / "root" / FOLDER).exists()] == []
