"""Steps that get too few requests, and what would help.

`forecast` reports them before a rollout. During a rollout they are reported as soon as the traffic
is known, from the time before the rollout or from its own counts. No decision depends on them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

from halimede.api.analysis import OnTimeout
from halimede.api.reasons import EventReason
from halimede.api.rollout import LONGEST_STEP, Rollout
from halimede.api.status import Evidence, RolloutStatus
from halimede.judge.judge import demanded, examined
from halimede.judge.sample_size import requests_to_certify
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import with_rollout
from halimede.rollout.events import warning
from halimede.rollout.formatting import about, about_rate
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import SIZED_FOR_STEP
from halimede.rollout.steps import is_stepwise


@dataclass(frozen=True, slots=True)
class Advice:
    """A step that gets too few requests, and what would help."""

    index: int
    """Of the step, from 0."""
    requests: int
    """Requests that it needs."""
    available: int
    """Requests that it gets within `maxSeconds`."""
    seconds: int
    """How long the step takes at its weight."""
    per_second: float
    """Requests per second to the model as a whole."""
    weight: int | None
    """The lowest weight that would suffice; None: not even 100 would."""
    max_seconds: int | None
    """The `maxSeconds` that would suffice at this weight; None: not even the longest would."""


def advise(
    settings: Rollout, per_second: float, needed: Sequence[int | None], had: Sequence[int | None]
) -> Iterator[Advice]:
    """Yield the steps whose `maxSeconds` are over before enough requests have come.

    Args:
        settings: Of the rollout.
        per_second: Requests per second to the model as a whole.
        needed: For each step, requests since the warm-up that let it pass; None: none would.
        had: For each step, requests that it will have had by its end, if that is known.
    """
    analysis, came, warm = settings.analysis, 0, False
    for index, step in enumerate(settings.canary.steps):
        enough = needed[index]
        if enough is None:
            return
        unjudged = analysis.interval_seconds + (0 if warm else analysis.warmup_seconds)
        warm = warm or step.weight > 0
        judged = max(0, step.max_seconds - unjudged)
        lacking = max(0, enough - came)
        available = floor(per_second * step.weight / FULL_WEIGHT * judged)
        if step.weight and lacking > available:
            weight = ceil(FULL_WEIGHT * lacking / (per_second * judged)) if judged else None
            longer = ceil(lacking / (per_second * step.weight / FULL_WEIGHT)) + unjudged
            yield Advice(
                index=index,
                requests=lacking,
                available=available,
                seconds=longer,
                per_second=per_second,
                weight=weight if weight is not None and weight <= FULL_WEIGHT else None,
                max_seconds=longer if longer <= LONGEST_STEP else None,
            )
        if step.weight:
            came = max(came, enough, had[index] or 0)


def shortages(rollout: RolloutStatus, settings: Rollout) -> tuple[Advice, ...]:
    """Return the steps, from the current one on, that get too few requests.

    There are none while the traffic is unknown.
    """
    evidence = rollout.evidence
    if evidence is None or not evidence.requests_per_second or not is_stepwise(rollout):
        return ()
    if rollout.state not in SIZED_FOR_STEP:
        return ()
    steps = settings.canary.steps
    needed = [_needed(evidence, index, settings) for index in range(len(steps))]
    counts = [None] * len(steps)
    steps_advice = advise(settings, evidence.requests_per_second, needed, counts)
    return tuple(advice for advice in steps_advice if advice.index >= rollout.step)


def advice_for_step(rollout: RolloutStatus, settings: Rollout) -> str:
    """Describe the first step that gets too few requests; empty if there is none."""
    short = shortages(rollout, settings)
    return f"Too few requests: {describe(short[0], settings)}" if short else ""


def report_shortage(decision: Decision, ctx: RolloutContext) -> Decision:
    """Add an Event, once per rollout, if a step gets too few requests."""
    rollout = decision.status.rollout
    if rollout is None or rollout.traffic_low_since is not None:
        return decision
    short = shortages(rollout, ctx.settings)
    if not short:
        return decision
    message = f"Revision {rollout.revision}: {describe(short[0], ctx.settings)}"
    return replace(
        decision,
        status=with_rollout(decision.status, traffic_low_since=ctx.now),
        events=(*decision.events, warning(EventReason.TRAFFIC_TOO_LOW, message)),
    )


def _needed(evidence: Evidence, index: int, settings: Rollout) -> int | None:
    """Return how many requests let a step pass by every source at stable's error rate."""
    at = examined(evidence, index, len(settings.canary.steps))
    counts = [
        requests_to_certify(
            demanded(evidence, source_evidence)[at], source_evidence, settings.analysis
        )
        for source_evidence in evidence.sources
    ]
    return None if None in counts else max(count for count in counts if count is not None)


def describe(advice: Advice, settings: Rollout) -> str:
    """Describe what a step lacks, what that leads to, and what would help."""
    step = settings.canary.steps[advice.index]
    then = "aborts" if settings.analysis.on_inconclusive is OnTimeout.ABORT else "pauses"
    return (
        f"step {advice.index + 1} needs about {advice.requests} requests and gets"
        f" {advice.available} in its maxSeconds ({step.max_seconds}), so the rollout {then}"
        f" there; at {about_rate(advice.per_second)} requests/s the step takes"
        f" {about(advice.seconds)}: {_remedy(advice, settings)}."
    )


def _remedy(advice: Advice, settings: Rollout) -> str:
    remedies = []
    if advice.weight is not None:
        later = settings.canary.steps[advice.index + 1 :]
        rise = any(step.weight <= advice.weight for step in later)
        also = " (and the weights of later steps above that)" if rise else ""
        remedies.append(f"raise its weight to {advice.weight}{also}")
    if advice.max_seconds is not None:
        remedies.append(f"raise its maxSeconds to {advice.max_seconds}")
    return ", or ".join(remedies) or "no setting helps with so few requests, so promote by command"
