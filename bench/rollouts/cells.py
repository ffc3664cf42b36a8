"""The scenarios of the judge's benchmark, and the bounds that its results must meet."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from bench.rollouts.rule import ABORT, PASS
from bench.rollouts.simulate import Bursts, Incident, Outcomes, Scenario, Since, Spell
from halimede.api.analysis import Analysis, Pace
from halimede.api.rollout import SWIFT_BAKE_SECONDS, Rollout, Step
from halimede.forecast.simulation import Plan, Traffic
from halimede.rollout.pace import pace_defaults
from halimede.rollout.sizing.first_weight import weight_for, with_first_weight

ROLLOUTS = 2000
"""Rollouts per cell: a fraction of 1 % is accurate within 0.4 percentage points (95 %)."""
FEWER = 1000
"""The same for long rollouts: within 0.6 percentage points."""
BAKE = 300.0
WARM_UP_AND_THREE_POLLS = 75.0
"""Seconds before which no revision is aborted, however bad it is."""
HOUR = Plan((Step(weight=10, max_seconds=3600),), promotes=False)
HALF_HOUR = Plan((Step(weight=10),), promotes=False)
STEPS = Plan(tuple(Step(weight=weight) for weight in (5, 10, 25, 50)))
USUAL = Plan(tuple(Step(weight=weight) for weight in (5, 25, 50)))
PATIENT = Plan(tuple(Step(weight=weight, max_seconds=7200) for weight in (5, 25, 50)))
SWIFT = Analysis(pace=Pace.SWIFT)
STRICT = Plan(STEPS.steps, Analysis(max_error_percent="1"))


class Figure(StrEnum):
    """A result that is measured in a cell."""

    ABORTED = "aborted"
    ABORTED_AFTER = "median seconds to the abort"
    PROMOTED = "promoted"
    PROMOTED_AFTER = "median seconds to all requests"
    TAKEN_BACK = "taken back in the bake"

    def of(self, ends: Outcomes) -> float:
        """Compute it from the outcomes."""
        match self:
            case Figure.ABORTED:
                return ends.part(ABORT)
            case Figure.ABORTED_AFTER:
                return ends.quantile(ABORT)
            case Figure.PROMOTED:
                return ends.part(PASS)
            case Figure.PROMOTED_AFTER:
                return ends.quantile(PASS)
            case Figure.TAKEN_BACK:
                baked = ends.baked
                return float((ends.verdict[baked] == ABORT).mean())


@dataclass(frozen=True, slots=True)
class Bound:
    """The range in which a figure must be."""

    figure: Figure
    least: float = 0.0
    most: float = inf

    def holds(self, ends: Outcomes) -> bool:
        """Whether the figure is in the range."""
        return self.least <= self.figure.of(ends) <= self.most


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario, and the bounds of its figures."""

    group: str
    name: str
    story: Scenario
    bounds: tuple[Bound, ...]
    rollouts: int = ROLLOUTS


def cells() -> tuple[Cell, ...]:
    """List all cells."""
    return (
        *_equals(),
        *_clustered(),
        *_outages(),
        *_found(),
        *_good(),
        *_bad(),
        *_bakes(),
        *_late(),
        *_shared(),
        *_blind(),
        *_unknown(),
        *_better(),
        *_forgotten(),
        *_incidents(),
        *_rare(),
        *_swift(),
    )


def _equals() -> Iterator[Cell]:
    bounds = (Bound(Figure.ABORTED, most=0.01),)
    for rate in (1.0, 10.0, 100.0):
        for errors in (0.0005, 0.005, 0.049):
            for cluster, how in ((1.0, "single"), (3.0, "in threes")):
                yield Cell(
                    "An equal for an hour at 10 %, 240 polls",
                    f"{rate:g} req/s, {errors:.2%} errors, {how}",
                    Scenario(HOUR, Traffic(rate, errors, errors, cluster)),
                    bounds,
                )


def _clustered() -> Iterator[Cell]:
    for size in (2.0, 5.0):
        yield Cell(
            "An equal whose errors come in storms of retries",
            f"20 req/s, 0.5 % errors, {size:g} at a time",
            Scenario(HOUR, Traffic(20.0, 0.005, 0.005, size)),
            (Bound(Figure.ABORTED, most=0.01),),
        )


def _outages() -> Iterator[Cell]:
    for rate in (5.0, 50.0):
        yield Cell(
            "30 % errors on both for two minutes",
            f"{rate:g} req/s, 0.5 % errors before and after",
            Scenario(HALF_HOUR, Traffic(rate, 0.005, 0.005, outage=(300.0, 420.0))),
            (Bound(Figure.ABORTED, most=0.01),),
        )


def _found() -> Iterator[Cell]:
    for rate, soon in ((5.0, 400.0), (20.0, 165.0), (100.0, 150.0)):
        for errors, after in ((0.05, soon), (1.0, 105.0)):
            yield Cell(
                "A bad one at 10 % for half an hour, stable 0.5 %",
                f"{rate:g} req/s, {errors:.0%} errors",
                Scenario(HALF_HOUR, Traffic(rate, 0.005, errors)),
                (
                    Bound(Figure.ABORTED, least=0.99),
                    Bound(Figure.ABORTED_AFTER, WARM_UP_AND_THREE_POLLS, after),
                ),
            )


def _good() -> Iterator[Cell]:
    for rate, errors, least, after in (
        (2.0, 0.005, 0.93, inf),
        (10.0, 0.005, 0.99, 500.0),
        (50.0, 0.005, 0.99, 500.0),
        (2.0, 0.0005, 0.99, inf),
        (10.0, 0.0005, 0.99, 500.0),
    ):
        yield Cell(
            "A good one through 5, 10, 25, 50 % and a bake of 5 min",
            f"{rate:g} req/s, {errors:.2%} errors",
            Scenario(STEPS, Traffic(rate, errors, errors), BAKE),
            (
                Bound(Figure.PROMOTED, least=least),
                Bound(Figure.PROMOTED_AFTER, most=after),
                Bound(Figure.ABORTED, most=0.005),
                Bound(Figure.TAKEN_BACK, most=0.01),
            ),
        )


def _bad() -> Iterator[Cell]:
    for errors, rates in (
        (0.02, ((2.0, 0.025), (10.0, 0.005), (50.0, 0.005))),
        (0.05, ((0.5, 0.005), (2.0, 0.005), (10.0, 0.005), (50.0, 0.005))),
    ):
        for rate, most in rates:
            yield Cell(
                "A bad one through 5, 10, 25, 50 %, stable 0.5 %",
                f"{rate:g} req/s, {errors:.0%} errors",
                Scenario(STEPS, Traffic(rate, 0.005, errors)),
                (Bound(Figure.PROMOTED, most=most),),
            )
    yield Cell(
        "An equal of a stable one that is over maxErrorPercent",
        "10 req/s, 2 % errors, maxErrorPercent 1",
        Scenario(STRICT, Traffic(10.0, 0.02, 0.02)),
        (Bound(Figure.PROMOTED, most=0.005),),
    )
    yield Cell(
        "No requests at all",
        "0 req/s",
        Scenario(STEPS, Traffic(0.0, 0.005, 1.0)),
        (Bound(Figure.PROMOTED, most=0.0), Bound(Figure.ABORTED, most=0.0)),
    )


def _bakes() -> Iterator[Cell]:
    bounds = (Bound(Figure.TAKEN_BACK, least=0.99),)
    for rate, stable, errors in (
        (2.0, 0.005, 0.2),
        (10.0, 0.0005, 0.05),
        (50.0, 0.0005, 0.02),
        (50.0, 0.005, 0.05),
    ):
        yield Cell(
            "Good at the steps, bad with all requests, in a bake of 5 min",
            f"{rate:g} req/s, stable {stable:.2%}, then {errors:.0%} errors",
            Scenario(STEPS, Traffic(rate, stable, stable), BAKE, errors),
            bounds,
        )
    for rate, errors, least in ((5.0, 0.05, 0.98), (20.0, 0.02, 0.4), (100.0, 0.02, 0.98)):
        yield Cell(
            "Good at the steps, bad with all requests, in a bake of 5 min that odds may hold",
            f"{rate:g} req/s, stable 0.5 %, then {errors:.0%} errors",
            Scenario(USUAL, Traffic(rate, 0.005, 0.005), BAKE, errors),
            (Bound(Figure.TAKEN_BACK, least=least),),
        )
    for cluster, how in ((1.0, "single"), (3.0, "in threes")):
        yield Cell(
            "An equal switched to at once, judged in a bake of an hour",
            f"10 req/s, 0.5 % errors, {how}",
            Scenario(STEPS, Traffic(10.0, 0.005, 0.005, cluster), 3600.0, switched=True),
            (Bound(Figure.TAKEN_BACK, most=0.01),),
        )
    yield Cell(
        "A bad one switched to at once, in a bake of 5 min",
        "10 req/s, stable 0.5 %, 5 % errors",
        Scenario(STEPS, Traffic(10.0, 0.005, 0.05), BAKE, switched=True),
        bounds,
    )


def _late() -> Iterator[Cell]:
    for errors, rates, within in ((1.0, (5.0, 20.0, 100.0), 45.0), (0.2, (20.0, 100.0), 90.0)):
        for rate in rates:
            traffic = Traffic(rate, 0.005, 0.005)
            for after in (60.0, 240.0):
                spell = Spell(after, inf, canary=errors, since=Since.BAKE)
                yield _found_late(
                    f"{rate:g} req/s, {errors:.0%} from {after:g} s of a bake of 300 s on",
                    Scenario(USUAL, traffic, BAKE, spells=(spell,)),
                    after + within,
                )
            for weight in (5, 50):
                step = Plan((Step(weight=weight, max_seconds=5400),), promotes=False)
                spell = Spell(1800.0, inf, canary=errors)
                yield _found_late(
                    f"{rate:g} req/s, {errors:.0%} after half an hour at {weight} %",
                    Scenario(step, traffic, spells=(spell,)),
                    1800.0 + within,
                )


def _found_late(name: str, story: Scenario, within: float) -> Cell:
    return Cell(
        "A good one that turns bad, stable 0.5 %",
        name,
        story,
        (Bound(Figure.ABORTED, least=0.99), Bound(Figure.ABORTED_AFTER, most=within)),
        FEWER,
    )


def _shared() -> Iterator[Cell]:
    for rate in (5.0, 20.0, 100.0):
        for name, spell in (
            ("30 % for 5 min", Spell(0.0, 300.0, 0.3, 0.3, Since.BAKE, anywhere=250.0)),
            ("30 % for 1 min", Spell(0.0, 60.0, 0.3, 0.3, Since.BAKE, anywhere=250.0)),
            ("4 % for 5 min", Spell(0.0, 300.0, 0.04, 0.04, Since.BAKE, anywhere=250.0)),
            ("up to 5 % in 10 min", Spell(0.0, 600.0, 0.05, 0.05, anywhere=900.0, rising=True)),
        ):
            yield Cell(
                "Trouble of both, in the bake or before",
                f"{rate:g} req/s, {name}",
                Scenario(USUAL, Traffic(rate, 0.005, 0.005), BAKE, spells=(spell,)),
                (Bound(Figure.ABORTED, most=0.01), Bound(Figure.PROMOTED, least=0.95)),
                FEWER,
            )


def _blind() -> Iterator[Cell]:
    spell = Spell(0.0, 300.0, 0.3, 0.3, anywhere=600.0, blind=True)
    for rate in (5.0, 20.0, 100.0):
        yield Cell(
            "30 % on both for 5 min while stable's Triton is not scraped",
            f"{rate:g} req/s",
            Scenario(USUAL, Traffic(rate, 0.005, 0.005), BAKE, spells=(spell,)),
            (Bound(Figure.ABORTED, most=0.01), Bound(Figure.PROMOTED, least=0.95)),
            FEWER,
        )


def _unknown() -> Iterator[Cell]:
    bounds = (Bound(Figure.ABORTED, most=0.005),)
    for rate in (5.0, 20.0, 100.0):
        traffic = Traffic(rate, 0.005, 0.005, 8.0, batches=True)
        yield Cell(
            "An equal whose errors cluster, 0.5 %",
            f"{rate:g} req/s, batches of 8, a minute of past",
            Scenario(HOUR, traffic, past_minutes=1),
            bounds,
            FEWER,
        )
    for rate in (20.0, 100.0):
        yield Cell(
            "An equal whose errors cluster, 0.5 %",
            f"{rate:g} req/s, batches of 32",
            Scenario(HOUR, Traffic(rate, 0.005, 0.005, 32.0, batches=True)),
            bounds,
            FEWER,
        )
        yield Cell(
            "An equal whose errors cluster, 0.5 %",
            f"{rate:g} req/s, 5 % for 30 s every 10 min, each at its own times, none in the past",
            Scenario(USUAL, Traffic(rate, 0.005, 0.005), BAKE, bursts=Bursts(600.0, 30.0, 0.05)),
            bounds,
            FEWER,
        )


def _better() -> Iterator[Cell]:
    for rate in (5.0, 20.0, 100.0):
        for errors, bound in (
            (0.01, Bound(Figure.PROMOTED, least=0.99)),
            (0.04, Bound(Figure.PROMOTED, least=0.95)),
            (0.1, Bound(Figure.PROMOTED, most=0.01)),
        ):
            yield Cell(
                "Stable 10 %, over maxErrorPercent; within 2 h a step",
                f"{rate:g} req/s, {errors:.0%} errors",
                Scenario(PATIENT, Traffic(rate, 0.1, errors), BAKE),
                (bound,),
                FEWER,
            )
        yield Cell(
            "An equal of a stable one close to maxErrorPercent; within 2 h a step",
            f"{rate:g} req/s, 4 % errors",
            Scenario(PATIENT, Traffic(rate, 0.04, 0.04), BAKE),
            (Bound(Figure.PROMOTED, least=0.95), Bound(Figure.ABORTED, most=0.005)),
            FEWER,
        )


def _forgotten() -> Iterator[Cell]:
    hour = Plan(tuple(Step(weight=weight, max_seconds=3600) for weight in (5, 25, 50)))
    for rate in (5.0, 20.0, 100.0):
        for name, spell in (
            ("30 % for 1 min", Spell(0.0, 60.0, 0.3, 0.3, anywhere=600.0)),
            ("30 % for 5 min", Spell(0.0, 300.0, 0.3, 0.3, anywhere=600.0)),
            ("from then on up to 4 %", Spell(0.0, 600.0, 0.04, 0.04, anywhere=900.0, rising=True)),
        ):
            yield Cell(
                "A good one after trouble of both; within an hour a step",
                f"{rate:g} req/s, {name}",
                Scenario(hour, Traffic(rate, 0.005, 0.005), BAKE, spells=(spell,)),
                (Bound(Figure.PROMOTED, least=0.95), Bound(Figure.ABORTED, most=0.01)),
                FEWER,
            )


def _incidents() -> Iterator[Cell]:
    first = Plan((Step(weight=5, max_seconds=7200),), promotes=False)
    clean = ((5.0, 540.0), (20.0, 180.0), (100.0, 105.0))
    for name, minutes, rate_then in (("30 % for 5 min", 5, 0.3), ("5 % for 5 min", 5, 0.05)):
        past = (Incident(60, minutes, rate_then),)
        for rate, after in clean:
            yield Cell(
                "After an incident an hour ago, stable 0.5 %",
                f"{rate:g} req/s, {name}: 5 % errors at 5 %",
                Scenario(first, Traffic(rate, 0.005, 0.05), incidents=past),
                (Bound(Figure.ABORTED, least=0.99), Bound(Figure.ABORTED_AFTER, most=1.2 * after)),
                FEWER,
            )
            yield Cell(
                "After an incident an hour ago, stable 0.5 %",
                f"{rate:g} req/s, {name}: 2 % errors",
                Scenario(USUAL, Traffic(rate, 0.005, 0.02), BAKE, incidents=past),
                (Bound(Figure.PROMOTED, most=0.01),),
                FEWER,
            )


def _rare() -> Iterator[Cell]:
    """Yield the cells with a proxy that is scraped every 300 s."""
    trouble = Spell(600.0, 780.0, stable=0.3, canary=0.3, anywhere=600.0)
    for part in (0.1, 0.5):
        group = f"{part:.0%} of the requests through a rarely scraped proxy, 20 req/s"
        yield Cell(
            group,
            "an equal for an hour at 10 %, 0.5 % errors",
            Scenario(HOUR, Traffic(20.0, 0.005, 0.005), rare=part),
            (Bound(Figure.ABORTED, most=0.01),),
        )
        yield Cell(
            group,
            "30 % errors on both for three minutes, steps of 5, 25, 50 %",
            Scenario(
                USUAL, Traffic(20.0, 0.005, 0.005), bake_seconds=BAKE, spells=(trouble,), rare=part
            ),
            (Bound(Figure.ABORTED, most=0.01), Bound(Figure.PROMOTED, least=0.95)),
        )
        yield Cell(
            group,
            "5 % errors against 0.5 % at 10 %",
            Scenario(HALF_HOUR, Traffic(20.0, 0.005, 0.05), rare=part),
            (
                Bound(Figure.ABORTED, least=0.99),
                Bound(Figure.ABORTED_AFTER, WARM_UP_AND_THREE_POLLS, 165.0 / (1 - part)),
            ),
        )


def _by_default(analysis: Analysis, rate: float) -> Plan:
    """Plan the default steps for a pace and a number of requests per second."""
    settings = Rollout(analysis=analysis)
    weight = weight_for(rate, pace_defaults(settings))
    return Plan(with_first_weight(settings, weight).canary.steps, analysis)


def _swift() -> Iterator[Cell]:
    yield from _swift_good()
    yield from _swift_bad()
    yield from _swift_bakes()


def _swift_good() -> Iterator[Cell]:
    for rate, errors, least, after in (
        (2.0, 0.005, 0.93, inf),
        (10.0, 0.005, 0.99, 400.0),
        (20.0, 0.005, 0.99, 240.0),
        (50.0, 0.005, 0.99, 200.0),
        (20.0, 0.0005, 0.99, 200.0),
    ):
        yield Cell(
            "Swift: a good one through the default steps and bake",
            f"{rate:g} req/s, {errors:.2%} errors",
            Scenario(
                _by_default(SWIFT, rate), Traffic(rate, errors, errors), float(SWIFT_BAKE_SECONDS)
            ),
            (
                Bound(Figure.PROMOTED, least=least),
                Bound(Figure.PROMOTED_AFTER, most=after),
                Bound(Figure.ABORTED, most=0.005),
                Bound(Figure.TAKEN_BACK, most=0.01),
            ),
        )


def _swift_bad() -> Iterator[Cell]:
    for errors, rates in (
        (0.02, ((2.0, 0.025), (10.0, 0.005), (20.0, 0.005), (50.0, 0.005))),
        (0.05, ((2.0, 0.005), (10.0, 0.005), (20.0, 0.005), (50.0, 0.005))),
    ):
        for rate, most in rates:
            yield Cell(
                "Swift: a bad one through the default steps, stable 0.5 %",
                f"{rate:g} req/s, {errors:.0%} errors",
                Scenario(_by_default(SWIFT, rate), Traffic(rate, 0.005, errors)),
                (Bound(Figure.PROMOTED, most=most),),
            )


def _swift_bakes() -> Iterator[Cell]:
    """Yield failures after the steps; the usual pace is measured for comparison."""
    for name, analysis, bake, late in (
        ("Balanced", Analysis(), BAKE, 0.98),
        ("Swift", SWIFT, float(SWIFT_BAKE_SECONDS), 0.15),
    ):
        for rate in (5.0, 20.0, 100.0):
            plan, traffic = _by_default(analysis, rate), Traffic(rate, 0.005, 0.005)
            few = bake < BAKE and rate < 20.0
            for errors, anywhere, least in (
                (1.0, 0.0, 0.99),
                (0.2, 0.0, 0.99),
                (0.05, 0.0, 0.5 if few else 0.98),
                (1.0, 300.0, late),
            ):
                when = "from any time in the 5 min after" if anywhere else "from the begin of"
                spell = Spell(0.0, inf, canary=errors, since=Since.BAKE, anywhere=anywhere)
                yield Cell(
                    "A good one that turns bad after the steps, by pace",
                    f"{name}, {rate:g} req/s, {errors:.0%} {when} all requests",
                    Scenario(plan, traffic, bake, spells=(spell,)),
                    (Bound(Figure.TAKEN_BACK, least=least),),
                    FEWER,
                )
        for rate in (5.0, 20.0, 100.0):
            spell = Spell(0.0, 300.0, 0.3, 0.3, Since.BAKE)
            yield Cell(
                "30 % on both from all requests on for 5 min, by pace",
                f"{name}, {rate:g} req/s",
                Scenario(
                    _by_default(analysis, rate), Traffic(rate, 0.005, 0.005), bake, spells=(spell,)
                ),
                (Bound(Figure.ABORTED, most=0.01),),
                FEWER,
            )
