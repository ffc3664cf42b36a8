"""Print how often the judge errs and how soon it finds: `python -m bench.judge_characteristics`.

1000 or 2000 simulated rollouts a cell, some minutes in all; `--rollouts` takes more or fewer.
"""

import argparse
from collections.abc import Sequence
from math import inf

from bench.rollouts.cells import Bound, Cell, Figure, cells
from bench.rollouts.simulate import Outcomes, simulate

SECONDS = frozenset({Figure.ABORTED_AFTER, Figure.PROMOTED_AFTER})


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print tables in Markdown, and fail if a figure is out of its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, help="rollouts per cell")
    rollouts_option: int | None = parser.parse_args(arguments).rollouts
    group, missed = "", 0
    for seed, cell in enumerate(cells(), start=1):
        rollouts = rollouts_option or cell.rollouts
        if cell.group != group:
            group = cell.group
            print(f"\n{group} ({rollouts} rollouts a cell)\n\n| cell | measured | bound |")
            print("|---|---|---|")
        outcomes = simulate(cell.story, rollouts, seed)
        missed += _print_row(cell, outcomes)
    return 1 if missed else 0


def _print_row(cell: Cell, outcomes: Outcomes) -> int:
    measured = [
        f"{_format(bound.figure, bound.figure.of(outcomes))} {bound.figure}"
        for bound in cell.bounds
    ]
    bounds = [_format_bound(bound) for bound in cell.bounds]
    missed = sum(not bound.holds(outcomes) for bound in cell.bounds)
    mark = " **missed**" if missed else ""
    print(f"| {cell.name} | {'; '.join(measured)} | {'; '.join(bounds)}{mark} |", flush=True)
    return missed


def _format_bound(bound: Bound) -> str:
    least = f"≥ {_format(bound.figure, bound.least)}" if bound.least else ""
    most = f"≤ {_format(bound.figure, bound.most)}" if bound.most < inf else ""
    return " and ".join(filter(None, (least, most))) or "-"


def _format(figure: Figure, value: float) -> str:
    return f"{value:.0f}" if figure in SECONDS else f"{value * 100:.4g} %"


if __name__ == "__main__":
    raise SystemExit(main())
