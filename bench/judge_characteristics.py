"""Print how often the judge errs and how soon it finds: `python -m bench.judge_characteristics`.

2000 simulated rollouts a cell; `--repeats` takes fewer. It takes about 10 minutes on one core.
"""

import argparse
from collections.abc import Iterable, Sequence
from statistics import median

from halimede.api.rollout import Step
from halimede.judge.simulation import Plan, Result, Traffic, runs
from halimede.judge.verdict import Verdict

HOUR = Plan((Step(weight=10, max_seconds=3600),), promotes=False)
HALF_HOUR = Plan((Step(weight=10),), promotes=False)
STEPS = Plan(tuple(Step(weight=weight) for weight in (5, 10, 25, 50)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print three tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000, help="rollouts per cell")
    repeats: int = parser.parse_args(arguments).repeats
    _equals(repeats)
    _found(repeats)
    _whole(repeats)


def _equals(repeats: int) -> None:
    print(f"\nFalse aborts of an equal in 1 h with 240 looks, weight 10 % ({repeats} rollouts)\n")
    rates = (0.0005, 0.005, 0.049)
    _row(["req/s", "errors", *(f"{rate:.2%}" for rate in rates)], head=True)
    for per_second in (1.0, 10.0, 100.0):
        for cluster, name in ((1.0, "single"), (3.0, "in threes")):
            cells = [
                _share(runs(HOUR, Traffic(per_second, rate, rate, cluster), repeats))
                for rate in rates
            ]
            _row([f"{per_second:g}", name, *cells])


def _found(repeats: int) -> None:
    print(f"\nFound in 30 min, stable 0.5 %, weight 10 %; median seconds ({repeats} rollouts)\n")
    rates = (0.01, 0.02, 0.05, 0.2, 1.0)
    _row(["req/s", *(f"{rate:.0%}" for rate in rates)], head=True)
    for per_second in (1.0, 5.0, 20.0, 100.0):
        cells = [
            _finding(runs(HALF_HOUR, Traffic(per_second, 0.005, rate), repeats)) for rate in rates
        ]
        _row([f"{per_second:g}", *cells])


def _whole(repeats: int) -> None:
    print(f"\nSteps 5/10/25/50 %, stable 0.5 %: aborted / promoted / held ({repeats} rollouts)\n")
    rates = (0.005, 0.01, 0.02, 0.05, 0.2)
    _row(["req/s", *(f"{rate:.1%}" for rate in rates)], head=True)
    for per_second in (0.5, 2.0, 10.0, 50.0):
        cells = [_ends(runs(STEPS, Traffic(per_second, 0.005, rate), repeats)) for rate in rates]
        _row([f"{per_second:g}", *cells])


def _row(cells: Sequence[str], *, head: bool = False) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)
    if head:
        print("|" + "---|" * len(cells))


def _share(results: Iterable[Result]) -> str:
    known = list(results)
    return f"{sum(one.verdict is Verdict.ABORT for one in known) / len(known):.2%}"


def _finding(results: Iterable[Result]) -> str:
    known = list(results)
    found = [one.seconds for one in known if one.verdict is Verdict.ABORT]
    middle = f"; {median(found):.0f} s" if found else ""
    return f"{len(found) / len(known):.1%}{middle}"


def _ends(results: Iterable[Result]) -> str:
    known = list(results)
    aborted = sum(one.verdict is Verdict.ABORT for one in known) / len(known)
    promoted = [one.seconds for one in known if one.verdict is Verdict.PASS]
    held = 1 - aborted - len(promoted) / len(known)
    middle = f" ({median(promoted):.0f} s)" if promoted else ""
    return f"{aborted:.1%} / {len(promoted) / len(known):.1%}{middle} / {held:.1%}"


if __name__ == "__main__":
    main()
