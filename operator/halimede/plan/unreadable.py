"""Plan for a ModelDeployment that does not match the API models.

The API server rejects such an object, but one that was stored under an older schema remains when
the operator and its CRD are updated. Its children go on serving.
"""

from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.api.conditions import Condition, ConditionStatus, ConditionType
from halimede.api.reasons import Reason
from halimede.api.status import Status
from halimede.plan.plan import Plan
from halimede.rollout.events import warning

_SET: dict[ConditionType, ConditionStatus] = {
    ConditionType.READY: "False",
    ConditionType.STALLED: "True",
}


def plan_for_unreadable(manifest: Manifest, error: ValidationError, now: float) -> Plan:
    """Describe in the conditions what cannot be read, and leave everything else unchanged."""
    problems = "; ".join(
        f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()
    )
    message = f"{problems}. Correct the spec: it was stored with an older schema."
    try:
        before = Status.model_validate(manifest.get("status") or {})
    except ValidationError:
        return Plan(None, (), (), (), None)  # the status cannot be read either
    generation = int(manifest["metadata"]["generation"])
    conditions = _conditions(before, message, generation, now)
    after = before.evolve(conditions=conditions, observed_generation=generation)
    if after == before:
        return Plan(None, (), (), (), None)
    return Plan(after, (), (), (warning(Reason.INVALID_SPEC, message),), None)


def _conditions(
    before: Status, message: str, generation: int, now: float
) -> tuple[Condition, ...]:
    old = {condition.type: condition for condition in before.conditions}
    conditions = [
        Condition(
            type=type_,
            status=status,
            reason=Reason.INVALID_SPEC,
            message=message,
            observed_generation=generation,
            last_transition_time=old[type_].last_transition_time
            if type_ in old and old[type_].status == status
            else now,
        )
        for type_, status in _SET.items()
    ]
    kept = (
        condition for condition in before.conditions if condition.type is ConditionType.AVAILABLE
    )
    return (*conditions, *kept)
