"""Simulate many rollouts of synthetic traffic at once, through the steps and the bake.

As in the product's `forecast.simulation`, both sources count the same requests unless one is
blind, and Prometheus scrapes as often as the judge polls.
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
    EvidenceArrays,
    Floats,
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
from halimede.forecast.simulation import LONGEST_BAKE, OUTAGE_ERRORS, Plan, Traffic
from halimede.judge.bake import start_bake
from halimede.judge.baseline import BIN, HISTORY, Baseline
from halimede.judge.reading import Counts
from halimede.judge.thresholds import BAKE_HOLD, levels

CONTROL = 0.1
"""The default control share."""
RARE_POLLS = 20
"""Polls from one scrape of a rarely scraped proxy to the next."""


class Since(Enum):
    """The time from which the times of a spell are counted."""

    START = "the first weight"
    BAKE = "the begin of the bake"
    ENTERED = "the begin of the step or the bake"


@dataclass(frozen=True, slots=True)
class Spell:
    """A period with other error rates."""

    first: float
    """Seconds."""
    last: float
    stable: float | None = None
    """Stable's error rate; None: the usual one."""
    canary: float | None = None
    since: Since = Since.START
    anywhere: float = 0.0
    """Maximum random delay of each rollout's spell, in seconds."""
    rising: bool = False
    """Whether the rates rise linearly until the end and then stay."""
    blind: bool = False
    """Whether the second source does not scrape stable during the spell."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Recurring periods of many errors, on each revision at its own times."""

    every: float
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class Incident:
    """A period of many errors in the baseline."""

    minute: int
    """Number of minutes before the rollout at which it begins."""
    minutes: int
    rate: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """The settings that are common to the rollouts of a cell."""

    plan: Plan
    traffic: Traffic
    bake_seconds: float = 0.0
    bake_errors: float | None = None
    """The canary's error rate in the bake; None: the same as before."""
    switched: bool = False
    """Whether it is blue-green: the canary gets all requests at once, and is judged only in the
    bake."""
    control: float = CONTROL
    """The control share in the bake of a canary."""
    spells: tuple[Spell, ...] = ()
    bursts: Bursts | None = None
    incidents: tuple[Incident, ...] = ()
    rare: float = 0.0
    """Fraction of the requests that go through a proxy that is scraped rarely."""
    past_minutes: int = int(HISTORY / BIN)
    """Minutes for which the stable revision has served before the rollout."""


@dataclass(slots=True)
class Outcomes:
    """How the rollouts ended, by index."""

    verdict: Ints
    """Pass: promoted, and not aborted in the bake."""
    seconds: Floats
    """Time from when the first weight was live to the end, or to the promotion of promoted ones;
    time since the start of the bake for those aborted in it."""
    baked: Bools
    """Whether the rollout reached the bake."""

    def part(self, verdict: int) -> float:
        """Return the fraction of the rollouts with a verdict."""
        return float((self.verdict == verdict).mean())

    def quantile(self, verdict: int, part: float = 0.5) -> float:
        """Return a quantile of the seconds of rollouts with a verdict; inf if there are none."""
        seconds = self.seconds[self.verdict == verdict]
        return float(np.quantile(seconds, part)) if seconds.size else inf


@dataclass(slots=True)
class _Active:
    """The rollouts in progress."""

    place: Ints
    evidence: EvidenceArrays
    step: Ints
    entered: Floats
    """When the weight of the step, or of the bake, was live."""
    promoted_at: Floats
    """NaN before the promotion."""
    delays: Floats
    """Delays of each rollout's spells, of shape (rollouts, spells)."""
    phases: Floats
    """When each rollout's bursts begin, of shape (rollouts, revisions)."""
    verdict: Ints = field(init=False)
    unread: Ints = field(init=False)
    """What the rarely scraped proxy has counted since its last scrape, of shape (rollouts, 4):
    requests and errors of the canary, and of stable."""

    def __post_init__(self) -> None:
        """Start without verdicts."""
        self.verdict = np.zeros_like(self.place)
        self.unread = np.zeros((self.place.size, 4), dtype=np.int64)

    def only(self, kept: Bools) -> None:
        """Keep some of the rollouts."""
        self.place, self.step = self.place[kept], self.step[kept]
        self.entered, self.promoted_at = self.entered[kept], self.promoted_at[kept]
        self.verdict, self.evidence = self.verdict[kept], self.evidence.only(kept)
        self.delays, self.phases = self.delays[kept], self.phases[kept]
        self.unread = self.unread[kept]

    @property
    def promoted(self) -> Bools:
        """Whether each rollout is promoted."""
        return ~np.isnan(self.promoted_at)


def simulate(story: Scenario, rollouts: int, seed: int = 1) -> Outcomes:
    """Simulate this number of rollouts from one seed."""
    chance = np.random.default_rng(seed)
    plan, interval = story.plan, float(story.plan.analysis.interval_seconds)
    longest = np.array([step.max_seconds * plan.patience for step in plan.steps], dtype=float)
    under = _begin(story, chance, rollouts)
    ends = Outcomes(
        np.full(rollouts, CONTINUE), np.zeros(rollouts), np.zeros(rollouts, dtype=np.bool_)
    )
    now = float(plan.analysis.warmup_seconds)
    while under.place.size:
        limit = np.where(under.promoted, story.bake_seconds, longest[under.step])
        stayed = now + interval - under.entered
        doubted = under.promoted & (against(under.evidence) >= BAKE_HOLD).any(axis=1)
        over = (stayed > limit) & ~(doubted & (stayed <= LONGEST_BAKE * limit))
        under.verdict = np.where(over & under.promoted, PASS, under.verdict)
        _record(ends, under, over, now)
        now += interval
        baking = under.promoted & (under.entered < now)
        _begin_bakes(under, baking, plan.limits.ceiling)
        share, seen = _draw_poll(story, chance, under, now)
        weigh(under.evidence, seen, plan.limits, plan.analysis)
        state = State(baking, share < 1)
        under.verdict = decide(under.evidence, seen, plan.limits, plan.analysis, under.step, state)
        _record(ends, under, under.verdict == ABORT, now)
        if plan.promotes:
            _advance(story, under, now)
    return ends


def _begin(story: Scenario, chance: np.random.Generator, rollouts: int) -> _Active:
    plan, traffic = story.plan, story.traffic
    rates = np.full((rollouts, story.past_minutes), traffic.stable_errors)
    for incident in story.incidents:
        first = story.past_minutes - incident.minute
        rates[:, first : first + incident.minutes] = incident.rate
    baseline = past(*minutes(chance, traffic, rates))
    baseline_rates = (
        Baseline(Counts(*both)).rate for both in np.stack(baseline[:2], axis=1).tolist()
    )
    step_levels = np.array(
        [
            levels(plan.analysis, len(plan.steps), rate, plan.limits.ceiling)
            for rate in baseline_rates
        ]
    )
    columns = 2 if any(spell.blind for spell in story.spells) else 1
    requests, errors, phi, differences = baseline
    max_delays = [spell.anywhere for spell in story.spells]
    every = story.bursts.every if story.bursts else 1.0
    return _Active(
        place=np.arange(rollouts),
        evidence=fresh(
            plan.limits,
            step_levels,
            (
                np.stack([requests] * columns, axis=1),
                np.stack([errors] * columns, axis=1),
                np.stack([phi] * columns, axis=1),
                np.stack([differences] * columns, axis=1),
            ),
        ),
        step=np.zeros(rollouts, dtype=np.int64),
        entered=np.zeros(rollouts),
        promoted_at=np.full(rollouts, 0.0 if story.switched else np.nan),
        delays=chance.uniform(0.0, 1.0, (rollouts, len(max_delays))) * np.array(max_delays),
        phases=chance.uniform(0.0, every, (rollouts, 2)),
    )


def _draw_poll(
    story: Scenario, chance: np.random.Generator, under: _Active, now: float
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
        part = _spell_weight(spell, under, under.delays[:, number], now)
        stable = _mix(stable, spell.stable, part)
        canary = _mix(canary, spell.canary, part)
        blind |= spell.blind & (part > 0)
    if story.bursts is not None:
        interval = float(plan.analysis.interval_seconds)
        stable = _mix(
            stable, story.bursts.rate, _burst_fraction(story.bursts, under, 0, now, interval)
        )
        canary = _mix(
            canary, story.bursts.rate, _burst_fraction(story.bursts, under, 1, now, interval)
        )
    interval = plan.analysis.interval_seconds
    columns = under.evidence.phi.shape[1]
    came, failed = drawn(chance, traffic, share, canary, interval)
    came_stable, failed_stable = drawn(chance, traffic, 1 - share, stable, interval)
    counts = np.stack([came, failed, came_stable, failed_stable], axis=1)
    if story.rare:
        counts = _scraped(story.rare, chance, under, counts, round(now / interval))
    seen = Poll(*(np.stack([each] * columns, axis=1) for each in counts.T))
    if columns > 1:
        seen.stable[:, 1] = np.where(blind, 0, seen.stable[:, 1])
        seen.stable_errors[:, 1] = np.where(blind, 0, seen.stable_errors[:, 1])
        seen.stable_seen = np.stack([np.ones_like(blind), ~blind], axis=1)
    return share, seen


def _scraped(
    part: float, chance: np.random.Generator, under: _Active, counts: Ints, poll: int
) -> Ints:
    """Return the counts of a poll with a proxy that is scraped every `RARE_POLLS` polls."""
    requests, errors = counts[:, ::2], counts[:, 1::2]
    unread_errors = chance.binomial(errors, part)
    unread = chance.binomial(requests - errors, part) + unread_errors
    both = np.stack([unread, unread_errors], axis=2).reshape(counts.shape)
    under.unread += both
    now = (poll + under.place) % RARE_POLLS == 0
    read: Ints = np.where(now[:, None], under.unread, 0)
    under.unread -= read
    scraped: Ints = counts - both + read
    return scraped


def _spell_weight(spell: Spell, under: _Active, delay: Floats, now: float) -> Floats:
    """Return the weight of a spell's error rates in each rollout, from 0 to 1."""
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


def _burst_fraction(
    bursts: Bursts, under: _Active, side: int, now: float, interval: float
) -> Floats:
    """Return the fraction of a poll's window that is in a burst."""
    since = np.mod(now - interval - under.phases[:, side], bursts.every)
    first = np.clip(bursts.seconds - since, 0.0, interval)
    again = np.clip(since + interval - bursts.every, 0.0, bursts.seconds)
    part: Floats = (first + again) / interval
    return part


def _mix(rate: Floats, other: float | None, part: Floats) -> Floats:
    return rate if other is None else rate + (other - rate) * part


def _advance(story: Scenario, under: _Active, now: float) -> None:
    """Move the rollouts that may to the next step, or to the bake.

    The next weight is live at once. In the product that takes about a second, and the polls are
    spread over that time too, so there are as many polls until `minSeconds` are over.
    """
    plan = story.plan
    settle = plan.analysis.settle_seconds
    shortest = np.array([max(step.min_seconds, settle) for step in plan.steps])
    stayed = now - under.entered
    on = (under.verdict == PASS) & (stayed >= shortest[under.step]) & ~under.promoted
    last = on & (under.step == len(plan.steps) - 1)
    under.promoted_at = np.where(last, now, under.promoted_at)
    under.step = under.step + (on & ~last)
    under.entered = np.where(on, now, under.entered)


def _begin_bakes(under: _Active, baking: Bools, most: float) -> None:
    arrays = under.evidence
    for place, column in np.argwhere(baking[:, None] & np.isnan(arrays.bake_ceiling)).tolist():
        evidence = SourceEvidence(
            source="Router",
            begun_at=0.0,
            watermark=0.0,
            dispersion=float(arrays.phi[place, column]),
            usual_stable_requests=int(arrays.usual_stable[place, column]),
            usual_stable_errors=int(arrays.usual_stable_errors[place, column]),
            past_requests=int(arrays.past[place, column]),
            past_errors=int(arrays.past_errors[place, column]),
        )
        arrays.bake_ceiling[place, column] = start_bake(evidence, most).bake_ceiling


def _record(ends: Outcomes, under: _Active, over: Bools, now: float) -> None:
    """Record the outcome of the rollouts that ended, and remove them from *under*."""
    if not over.any():
        return
    place, verdict, baked = under.place[over], under.verdict[over], under.promoted[over]
    stopped = np.where(baked, now - under.entered[over], now)
    ends.verdict[place] = verdict
    ends.seconds[place] = np.where(verdict == PASS, under.promoted_at[over], stopped)
    ends.baked[place] = baked
    under.only(~over)
