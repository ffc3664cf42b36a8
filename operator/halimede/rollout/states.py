"""What is true of a rollout in each state; a new state is one row of `TRAITS`.

The names of sets that are derived from the table are the only ones by which the other modules
refer to more than one state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from halimede.api.status import State


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTraits:
    """What is true of a rollout in one state."""

    in_route: bool = False
    """The new revision is in the route, even if only at weight 0."""
    undiscovered: bool = False
    """Proxies still have to discover the new revision's pods, so it gets no request at all."""
    pre_traffic: bool = False
    """The new revision may be judged before it gets users' requests."""
    user_traffic: bool = False
    """The new revision may get users' requests by its weight, so a bad one is aborted."""
    header_routed: bool = False
    """Requests that match `canary.match` reach the new revision; if it loses its pods, they go to
    the stable one."""
    previewed: bool = False
    """With blue-green, the preview Service selects the new revision."""
    stepping: bool = False
    """A canary is at a step or before its first one; another weight is set by Shifting."""
    at_step_weight: bool = False
    """The route has the step's weight."""
    sized_for_step: bool = False
    """A canary has only the pods that its step needs or asks for."""
    stable_may_shrink: bool = False
    """If the numbers of pods make the weight, the stable revision may have fewer than usual."""
    all_traffic: bool = False
    """The new revision has all requests, or all but the control share."""
    awaits_pods: bool = False
    """The rollout waits for more ready pods of the new revision."""
    awaits_route: bool = False
    """The rollout waits for the route to be accepted."""
    awaits_evidence: bool = False
    """The rollout waits for the judge or a user; the command `promote` ends that."""
    starts_counting: bool = False
    """The weight is live, so that the judge can start to count users' requests."""
    skippable: bool = False
    """The commands `promote-full` and `promote-full-force` skip the state."""
    final: bool = False
    """What is left before the commit: full scale, all requests, the bake. No command skips the
    state, but `promote-full-force` shortens it."""
    going_back: bool = False
    """All requests go back to the stable revision, or are back."""
    decided: bool = False
    """The outcome of the rollout is decided."""


TRAITS: Mapping[State, StateTraits] = {
    State.STOPPING: StateTraits(),
    State.STARTING: StateTraits(
        undiscovered=True,
        sized_for_step=True,
        awaits_pods=True,
        skippable=True,
    ),
    State.PRIMING: StateTraits(
        in_route=True,
        undiscovered=True,
        sized_for_step=True,
        awaits_pods=True,
        awaits_route=True,
        skippable=True,
    ),
    State.MIRRORING: StateTraits(
        in_route=True,
        pre_traffic=True,
        header_routed=True,
        stepping=True,
        sized_for_step=True,
        awaits_route=True,
        awaits_evidence=True,
        skippable=True,
    ),
    State.SHIFTING: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        stepping=True,
        sized_for_step=True,
        stable_may_shrink=True,
        awaits_pods=True,
        awaits_route=True,
        skippable=True,
    ),
    State.ANALYSING: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        stepping=True,
        at_step_weight=True,
        sized_for_step=True,
        stable_may_shrink=True,
        awaits_evidence=True,
        starts_counting=True,
        skippable=True,
    ),
    State.STEP_PAUSED: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        stepping=True,
        at_step_weight=True,
        sized_for_step=True,
        stable_may_shrink=True,
        awaits_evidence=True,
        skippable=True,
    ),
    State.AWAITING_PROMOTION: StateTraits(
        in_route=True,
        pre_traffic=True,
        previewed=True,
        awaits_route=True,
        awaits_evidence=True,
        skippable=True,
    ),
    State.SCALING_UP: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        previewed=True,
        stable_may_shrink=True,
        awaits_pods=True,
        awaits_route=True,
        final=True,
    ),
    State.PROMOTING: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        previewed=True,
        stable_may_shrink=True,
        all_traffic=True,
        awaits_route=True,
        final=True,
    ),
    State.BAKING: StateTraits(
        in_route=True,
        user_traffic=True,
        header_routed=True,
        previewed=True,
        all_traffic=True,
        starts_counting=True,
        final=True,
    ),
    State.DRAINING: StateTraits(in_route=True, decided=True),
    State.ABORTING: StateTraits(in_route=True, going_back=True, decided=True),
    State.ABORT_DRAINING: StateTraits(going_back=True, decided=True),
}
"""The traits of every state."""


def _states_where(trait: Callable[[StateTraits], bool]) -> frozenset[State]:
    return frozenset(state for state, traits in TRAITS.items() if trait(traits))


IN_ROUTE = _states_where(lambda traits: traits.in_route)
UNDISCOVERED = _states_where(lambda traits: traits.undiscovered)
PRE_TRAFFIC = _states_where(lambda traits: traits.pre_traffic)
USER_TRAFFIC = _states_where(lambda traits: traits.user_traffic)
HEADER_ROUTED = _states_where(lambda traits: traits.header_routed)
PREVIEWED = _states_where(lambda traits: traits.previewed)
STEPPING = _states_where(lambda traits: traits.stepping)
AT_STEP_WEIGHT = _states_where(lambda traits: traits.at_step_weight)
SIZED_FOR_STEP = _states_where(lambda traits: traits.sized_for_step)
STABLE_MAY_SHRINK = _states_where(lambda traits: traits.stable_may_shrink)
ALL_TRAFFIC = _states_where(lambda traits: traits.all_traffic)
AWAITING_PODS = _states_where(lambda traits: traits.awaits_pods)
AWAITING_ROUTE = _states_where(lambda traits: traits.awaits_route)
AWAITING_EVIDENCE = _states_where(lambda traits: traits.awaits_evidence)
STARTING_TO_COUNT = _states_where(lambda traits: traits.starts_counting)
SKIPPABLE = _states_where(lambda traits: traits.skippable)
FINAL = _states_where(lambda traits: traits.final)
GOING_BACK = _states_where(lambda traits: traits.going_back)
DECIDED = _states_where(lambda traits: traits.decided)
UNDECIDED = frozenset(TRAITS) - DECIDED
"""The states in which the rollout may still be stopped."""
UNROUTED = UNDECIDED - IN_ROUTE
"""The states in which the new revision is not in the route yet."""
