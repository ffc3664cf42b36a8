"""Report that a spec accepts a version of Triton with known vulnerabilities."""

from halimede.api.conditions import ConditionType
from halimede.api.reasons import EventReason
from halimede.api.runtime import OLDEST_SAFE_VERSION, Runtime
from halimede.api.status import Status
from halimede.rollout.events import Event, warning


def describe_acceptance(runtime: Runtime) -> str | None:
    """Return the message of the condition `Vulnerable`; None: there is no such condition.

    Without the permission of the spec, such a version is an invalid spec.
    """
    if not (runtime.is_vulnerable and runtime.allow_vulnerable_version):
        return None
    return (
        f"Triton {runtime.version} has known vulnerabilities, which"
        " spec.runtime.allowVulnerableVersion accepts. Set spec.runtime.version to"
        f" {OLDEST_SAFE_VERSION} or newer."
    )


def acceptance_events(before: Status, after: Status) -> tuple[Event, ...]:
    """Return a warning Event when the condition appears, or is about another version."""
    old, new = _message(before), _message(after)
    if new is None or new == old:
        return ()
    return (warning(EventReason.VULNERABLE_VERSION, new),)


def _message(status: Status) -> str | None:
    present = (one for one in status.conditions if one.type is ConditionType.VULNERABLE)
    return next((one.message for one in present), None)
