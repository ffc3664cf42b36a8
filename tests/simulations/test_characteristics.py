"""The judge's error rates and detection times: 1000 or 2000 simulated rollouts per cell.

The cells and their bounds are those that `python -m bench.judge_characteristics` prints.
"""

import pytest

from bench.rollouts.cells import Cell, cells
from bench.rollouts.simulate import simulate


@pytest.mark.parametrize(
    ("seed", "cell"),
    [
        pytest.param(seed, cell, id=f"{cell.group}: {cell.name}")
        for seed, cell in enumerate(cells(), start=1)
    ],
)
def test_the_rule_errs_as_rarely_and_finds_as_soon_as_it_should(seed: int, cell: Cell) -> None:
    """Each figure is within its bounds."""
    ends = simulate(cell.story, cell.rollouts, seed)
    measured = {bound.figure: bound.figure.of(ends) for bound in cell.bounds}
    assert all(bound.holds(ends) for bound in cell.bounds), measured
