"""Conditions: their types, their reasons, and the rule for transition times."""

from enum import StrEnum

from halimede.api.base import ApiModel, Timestamp


class ConditionType(StrEnum):
    """The conditions that Halimede sets. The abnormal-true ones are absent when false."""

    READY = "Ready"
    """The desired spec is fully live."""
    AVAILABLE = "Available"
    """Some revision serves."""
    RECONCILING = "Reconciling"
    """Work is under way (abnormal-true, as kstatus reads it)."""
    STALLED = "Stalled"
    """Nothing will improve without somebody's help (abnormal-true)."""


class Reason(StrEnum):
    """The reasons of the conditions that concern the resource as a whole.

    Reasons are part of the API: scripts and alerts match them. What keeps a revision's pods from
    being ready has reasons of its own (`rollout.facts.Cause`).
    """

    SERVING = "Serving"
    """The revision that the spec asks for has all traffic."""
    DEPLOYING = "Deploying"
    """The first revision is being started; nothing serves yet."""
    ROLLING_OUT = "RollingOut"
    """A new revision is on its way; the stable one serves."""
    ROLLING_BACK = "RollingBack"
    """All traffic is being moved back to the stable revision."""
    PAUSED = "Paused"
    """A human has paused the rollout or is asked to decide."""
    RECREATING = "Recreating"
    """Nothing serves: by the strategy `Recreate` one revision stops before the other starts."""
    PINNED = "Pinned"
    """The command `rollback` holds a revision that the spec does not ask for."""
    METRICS_HOLD = "MetricsHold"
    """The evidence does not come: there are no requests, or Prometheus does not answer."""
    STABLE_UNHEALTHY = "StableUnhealthy"
    """The stable revision lacks pods, so no traffic is moved."""
    CAPACITY_HOLD = "CapacityHold"
    """The cluster has had no room for the new revision's pods for long."""
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    """No gateway has taken the route as it is."""
    ROUTE_CONFLICT = "RouteConflict"
    """Somebody else keeps changing the route's weights, so no rollout goes on."""
    CANARY_FAILED = "CanaryFailed"
    """The revision that the spec asks for was stopped; the stable one serves."""
    INVALID_SPEC = "InvalidSpec"
    """The spec says something that cannot be carried out; what served before still serves."""
    APPLY_FAILED = "ApplyFailed"
    """The API server refused one of the children."""
    UNAVAILABLE = "Unavailable"
    """No pod of the serving revision is ready."""
    SCALED_TO_ZERO = "ScaledToZero"
    """The spec asks for no pod."""


class Condition(ApiModel):
    """One condition, shaped as `metav1.Condition`."""

    type: ConditionType
    status: str
    """True, False or Unknown."""
    reason: str
    """Why, in one CamelCase word that scripts may match."""
    message: str
    """Why, in a sentence for people."""
    observed_generation: int
    """The generation of the spec that this was found for."""
    last_transition_time: Timestamp
    """When the status changed last."""
