"""What users and processes see of a namespace: no credential may be in it."""

import base64
import json
from pathlib import Path

from localcluster import chart
from tests.e2e.user import User, descendants

SHOWN = "mdeploy,deployments,replicasets,pods,configmaps,services,events"
"""Everything in the namespace that a rollout writes; not the Secret itself."""


def processes(user: User, *words: str) -> list[Path]:
    """Return the folders in /proc of the cluster's processes with these words as arguments."""
    folders = [Path(f"/proc/{pid}") for pid in descendants(user.cluster.pid)]
    return [one for one in folders if set(words) <= set(read(one / "cmdline").split("\0"))]


def read(file: Path) -> str:
    """Return a file of a process, which may have ended."""
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
        f"{read(process / 'cmdline')[:80]!r} {name}": read(process / name)
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
