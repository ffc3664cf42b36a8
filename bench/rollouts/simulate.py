"""Many rollouts of made-up traffic at once, step by step and through the bake.

As in the product's `judge.simulation`, both sources see the same requests unless one is blind, and
Prometheus scrapes as often as the judge looks.
"""

from dataclasses import dataclass, field
from enum import Enum
from math import inf

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
    State,
    against,
    decide,
    fresh,
    weigh,
)
from bench.rollouts.traffic import drawn, minutes, past
from halimede.api.status import SourceEvidence
from halimede.forecast.simulation import LONGEST_BAKE, OUTAGE_ERRORS, ROUTE_SECONDS, Plan, Traffic
from halimede.judge.bake import start_bake
from halimede.judge.baseline import BIN, HISTORY, Baseline
from halimede.judge.reading import Counts
from halimede.judge.thresholds import DOUBT, levels

CONTROL = 0.1
"""The share of the requests that stays on the stable revision in a bake, as by default."""


class Since(Enum):
    """What the times of a spell count from."""

    START = "the first weight"
    BAKE = "the begin of the bake"
    ENTERED = "the begin of the step or the bake"


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which the error rates are different."""

    first: float
    """Seconds."""
    last: float
    stable: float | None = None
    """Stable's error rate; None: as always."""
    canary: float | None = None
    since: Since = Since.START
    anywhere: float = 0.0
    """Each rollout's spell begins up to so many seconds later."""
    rising: bool = False
    """The rates are reached at the end, in a line, and then stay."""
    blind: bool = False
    """The second source cannot see stable meanwhile."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Times of many errors that come again and again, on each revision at times of its own."""

    every: float
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class Incident:
    """A time of trouble in stable's past."""

    minute: int
    """How many minutes before the rollout it begins."""
    minutes: int
    rate: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the rollouts of a cell have in common."""

    plan: Plan
    traffic: Traffic
    bake_seconds: float = 0.0
    bake_errors: float | None = None
    """The canary's error rate from the moment when it gets everything; None: as before."""
    switched: bool = False
    """Blue-green: it gets everything at once, and is judged in the bake alone."""
    control: float = CONTROL
    """What stays on the stable revision in the bake of a canary."""
    spells: tuple[Spell, ...] = ()
    bursts: Bursts | None = None
    incidents: tuple[Incident, ...] = ()
    past_minutes: int = int(HISTORY / BIN)
    """How long the stable revision has served before the rollout."""


@dataclass(slots=True)
class Outcomes:
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

    def quantile(self, verdict: int, part: float = 0.5) -> float:
        """Say after how many seconds this part of those that ended so did; inf without any."""
        found = self.seconds[self.verdict == verdict]
        return float(np.quantile(found, part)) if found.size else inf


@dataclass(slots=True)
class _Under:
    """The rollouts under way."""

    place: Ints
    held: Held
    step: Ints
    entered: Floats
    """When the step's weight, or everything, was live."""
    promoted_at: Floats
    """Not a number while there are steps left."""
    delays: Floats
    """By how much each rollout's spells begin later, of shape (rollouts, spells)."""
    phases: Floats
    """When each rollout's bursts begin, of shape (rollouts, revisions)."""
    verdict: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no verdict."""
        self.verdict = np.zeros_like(self.place)

    def only(self, kept: Bools) -> None:
        """Go on with some of the rollouts."""
        self.place, self.step = self.place[kept], self.step[kept]
        self.entered, self.promoted_at = self.entered[kept], self.promoted_at[kept]
        self.verdict, self.held = self.verdict[kept], self.held.only(kept)
        self.delays, self.phases = self.delays[kept], self.phases[kept]

    @property
    def promoted(self) -> Bools:
        """Which of them get everything."""
        return ~np.isnan(self.promoted_at)


def simulate(story: Scenario, rollouts: int, seed: int = 1) -> Outcomes:
    """Roll out so many times, from one seed."""
    chance = np.random.default_rng(seed)
    plan, look = story.plan, float(story.plan.analysis.interval_seconds)
    longest = np.array([step.max_seconds * plan.patience for step in plan.steps], dtype=float)
    under = _begun(story, chance, rollouts)
    ends = Outcomes(
        np.full(rollouts, CONTINUE), np.zeros(rollouts), np.zeros(rollouts, dtype=np.bool_)
    )
    now = float(plan.analysis.warmup_seconds)
    while under.place.size:
        limit = np.where(under.promoted, story.bake_seconds, longest[under.step])
        stayed = now + look - under.entered
        doubted = under.promoted & (against(under.held) >= DOUBT).any(axis=1)
        over = (stayed > limit) & ~(doubted & (stayed <= LONGEST_BAKE * limit))
        under.verdict = np.where(over & under.promoted, PASS, under.verdict)
        _note(ends, under, over, now)
        now += look
        baking = under.promoted & (under.entered < now)
        _begin_bakes(under, baking, plan.limits.ceiling)
        share, seen = _seen(story, chance, under, now)
        weigh(under.held, seen, plan.limits, plan.analysis)
        state = State(baking, share < 1)
        under.verdict = decide(under.held, seen, plan.limits, plan.analysis, under.step, state)
        _note(ends, under, under.verdict == ABORT, now)
        if plan.promotes:
            _advance(story, under, now)
    return ends


def _begun(story: Scenario, chance: np.random.Generator, rollouts: int) -> _Under:
    plan, traffic = story.plan, story.traffic
    rates = np.full((rollouts, story.past_minutes), traffic.stable_errors)
    for incident in story.incidents:
        first = story.past_minutes - incident.minute
        rates[:, first : first + incident.minutes] = incident.rate
    known = past(*minutes(chance, traffic, rates))
    told = (Baseline(Counts(*both)).rate for both in np.stack(known[:2], axis=1).tolist())
    fixed = np.array(
        [levels(plan.analysis, len(plan.steps), one, plan.limits.ceiling) for one in told]
    )
    columns = 2 if any(spell.blind for spell in story.spells) else 1
    requests, errors, phi, looks = known
    late = [spell.anywhere for spell in story.spells]
    every = story.bursts.every if story.bursts else 1.0
    return _Under(
        place=np.arange(rollouts),
        held=fresh(
            plan.limits,
            fixed,
            (
                np.stack([requests] * columns, axis=1),
                np.stack([errors] * columns, axis=1),
                np.stack([phi] * columns, axis=1),
                np.stack([looks] * columns, axis=1),
            ),
        ),
        step=np.zeros(rollouts, dtype=np.int64),
        entered=np.zeros(rollouts),
        promoted_at=np.full(rollouts, 0.0 if story.switched else np.nan),
        delays=chance.uniform(0.0, 1.0, (rollouts, len(late))) * np.array(late),
        phases=chance.uniform(0.0, every, (rollouts, 2)),
    )


def _seen(
    story: Scenario, chance: np.random.Generator, under: _Under, now: float
) -> tuple[Floats, Poll]:
    plan, traffic = story.plan, story.traffic
    weights = np.array([step.weight / 100 for step in plan.steps])
    everything = 1.0 if story.switched else 1 - story.control
    share: Floats = np.where(under.promoted, everything, weights[under.step])
    stable = np.full(share.shape, traffic.stable_errors)
    canary = np.full(share.shape, traffic.canary_errors)
    if story.bake_errors is not None:
        canary = np.where(under.promoted, story.bake_errors, canary)
    first, last = traffic.outage
    if first < now <= last:
        stable = canary = np.full(share.shape, OUTAGE_ERRORS)
    blind = np.zeros(share.shape, dtype=np.bool_)
    for number, spell in enumerate(story.spells):
        part = _part(spell, under, under.delays[:, number], now)
        stable = _mixed(stable, spell.stable, part)
        canary = _mixed(canary, spell.canary, part)
        blind |= spell.blind & (part > 0)
    if story.bursts is not None:
        look = float(plan.analysis.interval_seconds)
        stable = _mixed(stable, story.bursts.rate, _burst(story.bursts, under, 0, now, look))
        canary = _mixed(canary, story.bursts.rate, _burst(story.bursts, under, 1, now, look))
    look = plan.analysis.interval_seconds
    columns = under.held.phi.shape[1]
    came, failed = drawn(chance, traffic, share, canary, look)
    came_stable, failed_stable = drawn(chance, traffic, 1 - share, stable, look)
    seen = Poll(
        np.stack([came] * columns, axis=1),
        np.stack([failed] * columns, axis=1),
        np.stack([came_stable] * columns, axis=1),
        np.stack([failed_stable] * columns, axis=1),
    )
    if columns > 1:
        seen.stable[:, 1] = np.where(blind, 0, seen.stable[:, 1])
        seen.stable_errors[:, 1] = np.where(blind, 0, seen.stable_errors[:, 1])
        seen.stable_seen = np.stack([np.ones_like(blind), ~blind], axis=1)
    return share, seen


def _part(spell: Spell, under: _Under, delay: Floats, now: float) -> Floats:
    """Say how far each rollout is in a spell, from 0 to 1."""
    match spell.since:
        case Since.START:
            at = now - delay
        case Since.BAKE:
            at = np.where(under.promoted, now - under.entered, -np.inf) - delay
        case Since.ENTERED:
            at = now - under.entered - delay
    if spell.rising:
        risen: Floats = np.clip((at - spell.first) / (spell.last - spell.first), 0.0, 1.0)
        return risen
    inside: Floats = ((spell.first < at) & (at <= spell.last)).astype(float)
    return inside


def _burst(bursts: Bursts, under: _Under, side: int, now: float, look: float) -> Floats:
    """Say which part of a look lies in a burst."""
    since = np.mod(now - look - under.phases[:, side], bursts.every)
    first = np.clip(bursts.seconds - since, 0.0, look)
    again = np.clip(since + look - bursts.every, 0.0, bursts.seconds)
    part: Floats = (first + again) / look
    return part


def _mixed(rate: Floats, other: float | None, part: Floats) -> Floats:
    return rate if other is None else rate + (other - rate) * part


def _advance(story: Scenario, under: _Under, now: float) -> None:
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
    held = under.held
    for place, column in np.argwhere(baking[:, None] & np.isnan(held.bake_ceiling)).tolist():
        known = SourceEvidence(
            source="Router",
            begun_at=0.0,
            watermark=0.0,
            dispersion=float(held.phi[place, column]),
            usual_stable_requests=int(held.usual_stable[place, column]),
            usual_stable_errors=int(held.usual_stable_errors[place, column]),
            past_requests=int(held.past[place, column]),
            past_errors=int(held.past_errors[place, column]),
        )
        held.bake_ceiling[place, column] = start_bake(known, most).bake_ceiling


def _note(ends: Outcomes, under: _Under, over: Bools, now: float) -> None:
    """Write down how rollouts ended, and go on with the others."""
    if not over.any():
        return
    place, verdict, baked = under.place[over], under.verdict[over], under.promoted[over]
    stopped = np.where(baked, now - under.entered[over], now)
    ends.verdict[place] = verdict
    ends.seconds[place] = np.where(verdict == PASS, under.promoted_at[over], stopped)
    ends.baked[place] = baked
    under.only(~over)
