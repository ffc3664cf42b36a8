"""Many rollouts of made-up traffic at once, step by step and through the bake.

As in the product's `judge.simulation`, both sources see the same requests, and Prometheus scrapes
as often as the judge looks.
"""

from dataclasses import dataclass, field

import numpy as np

from bench.rollouts.rule import (
    ABORT,
    CONTINUE,
    PASS,
    Bools,
    Floats,
    Held,
    Ints,
    Poll,
    decide,
    fresh,
    weigh,
)
from bench.rollouts.traffic import drawn, past
from halimede.api.status import SourceEvidence
from halimede.judge.bake import begun
from halimede.judge.limits import levels
from halimede.judge.past import Past
from halimede.judge.reading import Counts
from halimede.judge.simulation import OUTAGE_ERRORS, ROUTE_SECONDS, Plan, Traffic


@dataclass(frozen=True, slots=True)
class Story:
    """What the rollouts of a cell have in common."""

    plan: Plan
    traffic: Traffic
    bake_seconds: float = 0.0
    bake_errors: float | None = None
    """The canary's error rate from the moment when it gets everything; None: as before."""
    switched: bool = False
    """Blue-green: it gets everything at once, and is judged in the bake alone."""


@dataclass(slots=True)
class Ends:
    """How the rollouts ended, each by its place."""

    verdict: Ints
    """Pass: promoted, and left alone in the bake."""
    seconds: Floats
    """Until then, since the first weight was live; of the promoted, until they got everything; of
    those that were stopped in the bake, since it began."""
    baked: Bools
    """Whether it came to the bake."""

    def part(self, verdict: int) -> float:
        """Say which part of the rollouts ended so."""
        return float((self.verdict == verdict).mean())

    def median(self, verdict: int) -> float:
        """Say after how many seconds half of those that ended so did."""
        return float(np.median(self.seconds[self.verdict == verdict]))


@dataclass(slots=True)
class _Under:
    """The rollouts under way."""

    place: Ints
    held: Held
    past: tuple[Ints, Ints]
    step: Ints
    entered: Floats
    """When the step's weight, or everything, was live."""
    promoted_at: Floats
    """Not a number while there are steps left."""
    verdict: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no verdict."""
        self.verdict = np.zeros_like(self.place)

    def only(self, kept: Bools) -> None:
        """Go on with some of the rollouts."""
        self.place, self.step = self.place[kept], self.step[kept]
        self.entered, self.promoted_at = self.entered[kept], self.promoted_at[kept]
        self.verdict, self.held = self.verdict[kept], self.held.only(kept)
        self.past = (self.past[0][kept], self.past[1][kept])

    @property
    def promoted(self) -> Bools:
        """Which of them get everything."""
        return ~np.isnan(self.promoted_at)


def simulate(story: Story, rollouts: int, seed: int = 1) -> Ends:
    """Roll out so many times, from one seed."""
    chance = np.random.default_rng(seed)
    plan, look = story.plan, float(story.plan.analysis.interval_seconds)
    longest = np.array([step.max_seconds for step in plan.steps], dtype=float)
    under = _begun(story, chance, rollouts)
    ends = Ends(
        np.full(rollouts, CONTINUE), np.zeros(rollouts), np.zeros(rollouts, dtype=np.bool_)
    )
    now = float(plan.analysis.warmup_seconds)
    while under.place.size:
        limit = np.where(under.promoted, story.bake_seconds, longest[under.step])
        over = now + look - under.entered > limit
        under.verdict = np.where(over & under.promoted, PASS, under.verdict)
        _note(ends, under, over, now)
        now += look
        baking = under.promoted & (under.entered < now)
        _begin_bakes(under, baking, plan.limits.ceiling)
        weigh(under.held, _seen(story, chance, under, now), plan.limits)
        under.verdict = decide(under.held, plan.limits, plan.analysis, under.step, baking)
        _note(ends, under, under.verdict == ABORT, now)
        if plan.promotes:
            _advance(story, under, now)
    return ends


def _begun(story: Story, chance: np.random.Generator, rollouts: int) -> _Under:
    plan = story.plan
    requests, errors, phi = past(chance, story.traffic, rollouts)
    rates = (Past(Counts(*both)).rate for both in np.stack((requests, errors), axis=1).tolist())
    fixed = np.array([levels(plan.analysis, len(plan.steps), rate) for rate in rates])
    return _Under(
        place=np.arange(rollouts),
        held=fresh(plan.limits, fixed, phi[:, None]),
        past=(requests, errors),
        step=np.zeros(rollouts, dtype=np.int64),
        entered=np.zeros(rollouts),
        promoted_at=np.full(rollouts, 0.0 if story.switched else np.nan),
    )


def _seen(story: Story, chance: np.random.Generator, under: _Under, now: float) -> Poll:
    plan, traffic = story.plan, story.traffic
    weights = np.array([step.weight / 100 for step in plan.steps])
    share: Floats = np.where(under.promoted, 1.0, weights[under.step])
    stable = np.full(share.shape, traffic.stable_errors)
    canary = np.full(share.shape, traffic.canary_errors)
    if story.bake_errors is not None:
        canary = np.where(under.promoted, story.bake_errors, canary)
    first, last = traffic.outage
    if first < now <= last:
        stable = canary = np.full(share.shape, OUTAGE_ERRORS)
    look = plan.analysis.interval_seconds
    counts = (
        *drawn(chance, traffic, share, canary, look),
        *drawn(chance, traffic, 1 - share, stable, look),
    )
    return Poll(*(one[:, None] for one in counts))


def _advance(story: Story, under: _Under, now: float) -> None:
    """Let the rollouts that may go one step on."""
    plan = story.plan
    shortest = np.array([step.min_seconds for step in plan.steps])
    stayed = now - under.entered
    on = (under.verdict == PASS) & (stayed >= shortest[under.step]) & ~under.promoted
    last = on & (under.step == len(plan.steps) - 1)
    under.promoted_at = np.where(last, now, under.promoted_at)
    under.step = under.step + (on & ~last)
    live = now + ROUTE_SECONDS + plan.analysis.settle_seconds
    under.entered = np.where(on, live, under.entered)


def _begin_bakes(under: _Under, baking: Bools, most: float) -> None:
    ceilings = under.held.bake_ceiling
    for place in np.flatnonzero(baking & np.isnan(ceilings[:, 0])):
        known = SourceEvidence(
            source="Router",
            begun_at=0.0,
            watermark=0.0,
            stable_requests=int(under.held.stable[place, 0]),
            stable_errors=int(under.held.stable_errors[place, 0]),
            past_requests=int(under.past[0][place]),
            past_errors=int(under.past[1][place]),
        )
        ceilings[place] = begun(known, most).bake_ceiling


def _note(ends: Ends, under: _Under, over: Bools, now: float) -> None:
    """Write down how rollouts ended, and go on with the others."""
    if not over.any():
        return
    place, verdict, baked = under.place[over], under.verdict[over], under.promoted[over]
    stopped = np.where(baked, now - under.entered[over], now)
    ends.verdict[place] = verdict
    ends.seconds[place] = np.where(verdict == PASS, under.promoted_at[over], stopped)
    ends.baked[place] = baked
    under.only(~over)
