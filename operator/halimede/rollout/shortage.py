"""Steps for which the requests do not suffice, and what would help.

It is told before a rollout by `forecast`, and when a rollout begins, by what stable's past tells
of the traffic. It is advice: no decision rests on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from halimede.api.rollout import LONGEST_STEP, Rollout, Waiting
from halimede.api.status import Evidence, RolloutStatus
from halimede.judge.demand import certified_after
from halimede.judge.judge import demanded, examined
from halimede.rollout.steps import starts_small

ALL = 100
"""Percent."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A step for which the requests do not suffice, and what would help."""

    index: int
    """The step's, from 0."""
    requests: int
    """Requests that it needs."""
    available: int
    """Requests that it gets within `maxSeconds`."""
    weight: int | None
    """The least weight that would do; None: not even 100 would."""
    max_seconds: int | None
    """The `maxSeconds` that would do at the present weight; None: not even the longest would."""


def advise(
    settings: Rollout, per_second: float, needed: Sequence[int | None], had: Sequence[int | None]
) -> Iterator[Advice]:
    """Find the steps whose `maxSeconds` are over before enough requests have come.

    Args:
        settings: Of the rollout.
        per_second: Requests to the model as a whole.
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
        available = floor(per_second * step.weight / ALL * judged)
        if step.weight and lacking > available:
            weight = ceil(ALL * lacking / (per_second * judged)) if judged else None
            longer = ceil(lacking / (per_second * step.weight / ALL)) + unjudged
            yield Advice(
                index=index,
                requests=lacking,
                available=available,
                weight=weight if weight is not None and weight <= ALL else None,
                max_seconds=longer if longer <= LONGEST_STEP else None,
            )
        if step.weight:
            came = max(came, enough, had[index] or 0)


def shortages(rollout: RolloutStatus, settings: Rollout) -> tuple[Advice, ...]:
    """Find the steps that stable's past leaves short of requests; none if it tells nothing."""
    evidence = rollout.evidence
    if evidence is None or not evidence.requests_per_second or not starts_small(rollout):
        return ()
    steps = settings.canary.steps
    needed = [_needed(evidence, index, settings) for index in range(len(steps))]
    known = [None] * len(steps)
    return tuple(advise(settings, evidence.requests_per_second, needed, known))


def lacking(rollout: RolloutStatus, settings: Rollout) -> str:
    """Say what the step under way is short of; nothing if that is nothing."""
    found = (one for one in shortages(rollout, settings) if one.index == rollout.step)
    return next((f"Too few requests: {in_words(one, settings)}" for one in found), "")


def _needed(evidence: Evidence, index: int, settings: Rollout) -> int | None:
    """Count the requests that let a step pass by every source, with stable's errors."""
    at = examined(evidence, index, len(settings.canary.steps))
    every = [
        certified_after(demanded(evidence, held)[at], held, settings.analysis)
        for held in evidence.sources
    ]
    return None if None in every else max(one for one in every if one is not None)


def in_words(advice: Advice, settings: Rollout) -> str:
    """Say what a step is short of, what that leads to, and the cures."""
    step = settings.canary.steps[advice.index]
    then = "aborts" if settings.analysis.on_inconclusive is Waiting.ABORT else "pauses"
    return (
        f"step {advice.index + 1} needs about {advice.requests} requests and gets"
        f" {advice.available} in its maxSeconds ({step.max_seconds}), so the rollout {then} there:"
        f" {_cure(advice, settings)}."
    )


def _cure(advice: Advice, settings: Rollout) -> str:
    cures = []
    if advice.weight is not None:
        later = settings.canary.steps[advice.index + 1 :]
        rise = any(one.weight <= advice.weight for one in later)
        also = " and those of the later steps above it" if rise else ""
        cures.append(f"raise its weight to {advice.weight}{also}")
    if advice.max_seconds is not None:
        cures.append(f"raise its maxSeconds to {advice.max_seconds}")
    return ", or ".join(cures) or "no setting makes up for so few requests, so promote by command"
