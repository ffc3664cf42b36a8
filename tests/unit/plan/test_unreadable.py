"""The status of a ModelDeployment that was stored under an older schema."""

from typing import Any

import pytest
from pydantic import ValidationError

from halimede.api.conditions import ConditionType
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.plan import Plan
from halimede.plan.unreadable import plan_for_unreadable

AVAILABLE = {
    "type": "Available",
    "status": "True",
    "reason": "Serving",
    "message": "",
    "observedGeneration": 1,
    "lastTransitionTime": "1970-01-01T00:00:01Z",
}


def _old(status: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"name": "m", "namespace": "ns", "generation": 2},
        "spec": {"model": {}, "expose": {"type": "Service"}},
        "status": status,
    }


def _rejected(manifest: dict[str, Any], now: float) -> Plan:
    with pytest.raises(ValidationError) as failure:
        ModelDeployment.from_manifest(manifest)
    return plan_for_unreadable(manifest, failure.value, now)


def test_the_condition_names_the_field_and_what_serves_stays() -> None:
    """Ready is False with the field's path, Available is unchanged, nothing else is written."""
    plan = _rejected(_old({"stable": {"revision": "a"}, "conditions": [AVAILABLE]}), now=9.0)
    assert plan.status is not None
    conditions = {one.type: one for one in plan.status.conditions}
    ready = conditions[ConditionType.READY]
    assert (ready.status, ready.reason, ready.observed_generation) == ("False", "InvalidSpec", 2)
    assert "spec.model.storageUri: Field required" in ready.message
    assert conditions[ConditionType.STALLED].status == "True"
    assert conditions[ConditionType.AVAILABLE].status == "True"
    assert plan.status.stable is not None
    assert (plan.applies, plan.deletes, [event.reason for event in plan.events]) == (
        (),
        (),
        ["InvalidSpec"],
    )


def test_it_is_said_once() -> None:
    """The second pass writes no status and sends no Event."""
    first = _rejected(_old({}), now=9.0)
    assert first.status is not None
    again = _rejected(_old(first.status.to_manifest()), now=20.0)
    assert (again.status, again.events) == (None, ())


def test_a_status_that_cannot_be_read_either_is_left_alone() -> None:
    """An unreadable status is not overwritten."""
    plan = _rejected(_old({"stable": 5}), now=9.0)
    assert (plan.status, plan.events) == (None, ())
