"""The defaults of a canary that depend on its pace."""

import pytest

from halimede.api.analysis import Analysis, Pace
from halimede.api.rollout import BlueGreen, Canary, Rollout, Step, Strategy
from halimede.rollout.pace import describe_defaults
from halimede.rollout.sizing.first_weight import effective_settings, with_first_weight
from halimede.rollout.steps import bake_seconds

SWIFT = Rollout(analysis=Analysis(pace=Pace.SWIFT))
OWN = Canary(steps=(Step(weight=7), Step(weight=70)), bake_seconds=45)


def steps(settings: Rollout) -> list[tuple[int, int]]:
    """List the weights of the steps and their `minSeconds`."""
    return [(step.weight, step.min_seconds) for step in settings.canary.steps]


@pytest.mark.parametrize("pace", [Pace.CAUTIOUS, Pace.BALANCED])
def test_other_paces_share_their_defaults(pace: Pace) -> None:
    """The first weight is at least 5 %, and the bake lasts five minutes."""
    settings = Rollout(analysis=Analysis(pace=pace))
    assert steps(effective_settings(settings, None)) == [(5, 60), (25, 60), (50, 60)]
    assert bake_seconds(Strategy.CANARY, settings) == 300
    assert describe_defaults(settings, steps=True) == ""


def test_swift_has_higher_and_shorter_steps_and_a_shorter_bake() -> None:
    """The spec sets neither; the number of steps, and with it the last level, is the same."""
    assert steps(effective_settings(SWIFT, None)) == [(10, 30), (30, 30), (60, 30)]
    assert steps(with_first_weight(SWIFT, 25)) == [(25, 30), (30, 30), (60, 30)]
    assert bake_seconds(Strategy.CANARY, SWIFT) == 60


def test_swift_changes_nothing_that_the_spec_sets() -> None:
    """Steps and bake are those of the spec, even if the bake has the usual length."""
    own = SWIFT.evolve(canary=OWN)
    assert effective_settings(own, None) is own
    assert bake_seconds(Strategy.CANARY, own) == 45
    usual = SWIFT.evolve(canary=Canary(bake_seconds=300))
    assert bake_seconds(Strategy.CANARY, usual) == 300


@pytest.mark.parametrize("strategy", [Strategy.BLUE_GREEN, Strategy.RECREATE])
def test_swift_changes_no_other_strategy(strategy: Strategy) -> None:
    """Their bake is all that judges a revision."""
    settings = SWIFT.evolve(strategy=strategy, blue_green=BlueGreen())
    assert bake_seconds(strategy, settings) == 300
    assert describe_defaults(settings, steps=True) == ""


STEPS = "a first weight of at least 10 %, then 30 and 60 %, each for at least 30 s"


@pytest.mark.parametrize(
    ("settings", "absent", "text"),
    [
        (SWIFT, True, f"Defaults of the pace Swift: {STEPS}; a bake of 60 s"),
        (SWIFT, False, "Defaults of the pace Swift: a bake of 60 s"),
        (
            SWIFT.evolve(canary=Canary(bake_seconds=300)),
            True,
            f"Defaults of the pace Swift: {STEPS}",
        ),
        (SWIFT.evolve(canary=OWN), False, ""),
    ],
)
def test_the_defaults_that_apply_are_named(settings: Rollout, text: str, *, absent: bool) -> None:
    """What the spec sets is left out."""
    assert describe_defaults(settings, steps=absent) == text
