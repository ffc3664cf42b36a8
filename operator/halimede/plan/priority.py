"""How urgent the reconcile of a ModelDeployment is, by its status alone.

It is asked for every event, so it reads the stored object without the models.
"""

from enum import IntEnum

from halimede.api.base import Manifest
from halimede.api.status import State
from halimede.api.v1alpha1 import COMMAND_ANNOTATION
from halimede.rollout.command import MAX_LENGTH
from halimede.rollout.states import PRE_TRAFFIC, USER_TRAFFIC


class Priority(IntEnum):
    """The priorities of reconciles; a smaller number comes first."""

    TRAFFIC = 0
    """Requests may have to be taken back: a revision that is judged has some, an abort is under
    way, or a user has given a command."""
    ROLLOUT = 1
    """Another rollout is under way."""
    SERVING = 2
    """A revision serves, and nothing is rolled out yet."""
    BACKGROUND = 3
    """Nothing serves yet, or only a resync is due."""


_TRAFFIC = USER_TRAFFIC | PRE_TRAFFIC | {State.ABORTING}


def priority_of(manifest: Manifest | None) -> Priority:
    """Return the priority of the reconcile of an observed ModelDeployment; None: it is gone."""
    if manifest is None:
        return Priority.BACKGROUND
    status = manifest.get("status") or {}
    rollout = status.get("rollout") or {}
    if rollout.get("state") in _TRAFFIC or has_new_command(manifest):
        return Priority.TRAFFIC
    if rollout:
        return Priority.ROLLOUT
    return Priority.SERVING if status.get("stable") else Priority.BACKGROUND


def has_new_command(manifest: Manifest) -> bool:
    """Whether there is a command that is neither executed nor rejected yet."""
    annotations = manifest["metadata"].get("annotations") or {}
    command: str = annotations.get(COMMAND_ANNOTATION) or ""
    last = (manifest.get("status") or {}).get("lastCommand") or {}
    return bool(command) and command[:MAX_LENGTH] != last.get("text")
