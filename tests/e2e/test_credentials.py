"""A model from a server that wants a token: who can see the token, and who cannot."""

import base64
import json
from pathlib import Path

from halimede.api.reasons import NotReadyReason
from localcluster import chart
from tests.e2e.model_source import ModelSource
from tests.e2e.user import NAME, User, descendants, ready

SECRET = "model-server"
FOLDER = "var/run/secrets/halimede.dev/model"
"""Where the fetcher has the keys, in its own file system."""
SHOWN = "mdeploy,deployments,replicasets,pods,configmaps,services,events"
"""Everything in the namespace that a rollout writes; not the Secret itself."""


def processes(user: User, *words: str) -> list[Path]:
    """Return the folders in /proc of the cluster's processes with these words as arguments."""
    folders = [Path(f"/proc/{pid}") for pid in descendants(user.cluster.pid)]
    return [one for one in folders if set(words) <= set(_read(one / "cmdline").split("\0"))]


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""  # The process has just ended.


def leaks(texts: dict[str, str], token: str) -> list[str]:
    """Return the names of the texts that contain the token, as it is or as a Secret has it."""
    forms = (token, base64.b64encode(token.encode()).decode())
    return [name for name, text in texts.items() if any(form in text for form in forms)]


def seen_of_processes(user: User) -> dict[str, str]:
    """Return the environment and the arguments of every process of the cluster."""
    return {
        f"{_read(process / 'cmdline')[:80]!r} {name}": _read(process / name)
        for process in processes(user)
        for name in ("environ", "cmdline")
    }


def seen_by_users(user: User) -> dict[str, str]:
    """Return what kubectl shows of the namespace without its Secrets, and all logs."""
    pods = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    names = [one["metadata"]["name"] for one in pods]
    logs = {
        f"log of {name}": user.kubectl("logs", name, "--all-containers", "--prefix")
        for name in names
    }
    operator = (
        "logs",
        f"--namespace={chart.NAMESPACE}",
        "--selector=app.kubernetes.io/name=halimede",
    )
    return {
        "describe": user.kubectl("describe", SHOWN),
        "get": user.kubectl("get", SHOWN, "--output=yaml"),
        "log of the operator": user.cluster.kubectl(*operator, "--tail=-1"),
        **logs,
    }


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
    assert _read(fetcher / "root" / FOLDER / "token") == f"{server.token}\n"
    assert f"HOSTNAME={NAME}-" in _read(fetcher / "environ")
    assert leaks(seen_of_processes(user), server.token) == []

    server.answers()
    user.sees("Ready", lambda seen: seen.ready)
    assert leaks(seen_of_processes(user) | seen_by_users(user), server.token) == []
    (pod,) = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    key = f"HALIMEDE_ADMIN_KEY={pod['metadata']['uid']}"
    triton = [one for one in processes(user) if key in _read(one / "environ")]
    assert triton
    assert [one for one in triton if (one / "root" / FOLDER).exists()] == []
