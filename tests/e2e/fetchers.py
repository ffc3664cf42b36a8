"""What the containers `fetch` of a user's pods have said."""

import json
from collections.abc import Callable

from tests.e2e.user import User
from tests.support.waiting import wait_until


def last_words(user: User) -> list[str]:
    """Return the termination messages of the fetchers of all pods."""
    pods = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    return [
        ended["message"]
        for pod in pods
        for container in pod["status"].get("initContainerStatuses", ())
        for state in ("state", "lastState")
        if "message" in (ended := container.get(state, {}).get("terminated", {}))
    ]


def waits_for_words(user: User, until: Callable[[list[str]], bool]) -> None:
    """Wait for termination messages of fetchers."""
    wait_until(
        lambda: last_words(user),
        until,
        explain=lambda: f"{last_words(user)}\n{user.explain()}",
    )
