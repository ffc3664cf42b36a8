"""How urgent a reconcile is."""

from typing import Any

import pytest

from halimede.api.status import State
from halimede.plan.priority import Priority, priority_of
from halimede.rollout.states import DECIDED, USER_TRAFFIC


def observed(status: dict[str, Any], command: str | None = None) -> dict[str, Any]:
    """Return a ModelDeployment with a status, and perhaps a command."""
    annotations = {"halimede.dev/command": command} if command else {}
    return {"metadata": {"annotations": annotations}, "status": status}


SERVES = {"stable": {"revision": "aaaaaaaa"}}


@pytest.mark.parametrize("state", State)
def test_a_rollout_is_urgent_while_its_revision_may_have_requests(state: State) -> None:
    """Every state has a priority; an abort whose traffic is still to be moved is urgent too."""
    priority = priority_of(observed(SERVES | {"rollout": {"state": state.value}}))
    assert priority <= Priority.ROLLOUT
    if state in USER_TRAFFIC or state is State.ABORTING:
        assert priority is Priority.TRAFFIC
    elif state in DECIDED or state is State.STARTING:
        assert priority is Priority.ROLLOUT


@pytest.mark.parametrize(
    ("manifest", "priority"),
    [
        (None, Priority.BACKGROUND),
        ({"metadata": {}}, Priority.BACKGROUND),
        (observed({}), Priority.BACKGROUND),
        (observed(SERVES), Priority.SERVING),
        (observed(SERVES, "rollback@1"), Priority.TRAFFIC),
        (observed(SERVES | {"lastCommand": {"text": "rollback@1"}}, "rollback@1"), 2),
        (observed(SERVES | {"lastCommand": {"text": "rollback@1"}}, "rollback@2"), 0),
        (observed(SERVES | {"lastCommand": {"text": "x" * 64}}, "x" * 200), Priority.SERVING),
    ],
)
def test_other_objects_by_what_they_serve_and_ask_for(
    manifest: dict[str, Any] | None, priority: Priority
) -> None:
    """A command is urgent until it is handled; a long one is handled when its beginning is."""
    assert priority_of(manifest) == priority
