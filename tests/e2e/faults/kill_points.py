"""The points of rollouts at which the leader is killed: in each state, and after each write."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from halimede.api.status import State
from tests.e2e.faults.api_proxy import Write


@dataclass(frozen=True, slots=True)
class KillPoint:
    """A write after which the operator is killed."""

    after: str
    hits: Callable[[Write], bool]
    state: State | None = None
    """The state that the write stores; None: it stores none."""
    suspends: bool = False
    """Whether the operator is suspended instead, and continues with the response later."""


def stored(state: State) -> KillPoint:
    """Kill when this state is stored and nothing else of the pass is written."""

    def hits(write: Write) -> bool:
        rollout = write.body.get("status", {}).get("rollout") or {}
        return write.resource == "modeldeployments/status" and rollout.get("state") == state

    return KillPoint(f"the status {state}", hits, state=state)


def suspended(point: KillPoint) -> KillPoint:
    """Suspend the operator where it would be killed."""
    return replace(point, suspends=True)


def applied(resource: str) -> KillPoint:
    """Kill when an object is applied."""
    return KillPoint(
        f"applying {resource}",
        lambda write: (write.method, write.resource) == ("PATCH", resource),
    )


def deleted(resource: str) -> KillPoint:
    """Kill when an object is deleted."""
    return KillPoint(
        f"deleting {resource}",
        lambda write: (write.method, write.resource) == ("DELETE", resource),
    )


def routed(*weights: int) -> KillPoint:
    """Kill when the route has these weights, the stable revision's first."""

    def hits(write: Write) -> bool:
        if write.resource != "httproutes" or write.method != "PATCH":
            return False
        backends = write.body["spec"]["rules"][0]["backendRefs"]
        return weights == tuple(one["weight"] for one in backends)

    return KillPoint(f"the weights {weights}", hits)


PROMOTION = (
    stored(State.STARTING),
    applied("services"),
    applied("deployments"),
    stored(State.PRIMING),
    routed(100, 0),
    stored(State.MIRRORING),
    stored(State.SHIFTING),
    routed(75, 25),
    stored(State.ANALYSING),
    stored(State.STEP_PAUSED),
    stored(State.SCALING_UP),
    stored(State.PROMOTING),
    stored(State.BAKING),
    stored(State.DRAINING),
    routed(100),
    deleted("deployments"),
)
"""A canary that mirrors, pauses at its step, and bakes: each of its states, and of its effects one
of each kind."""
ABORT = (
    stored(State.AWAITING_PROMOTION),
    stored(State.ABORTING),
    routed(100, 0),
    stored(State.ABORT_DRAINING),
)
"""A blue-green rollout that is aborted after its switch: what a promotion does not have."""
RECREATION = (stored(State.STOPPING),)
"""A rollout by Recreate: the state that no other strategy has."""
KILL_POINTS = PROMOTION + ABORT + RECREATION
"""Every kill point of the tests."""
