"""Commands, pauses and settings of a rollout."""

import pytest

from halimede.api.reasons import Verdict
from halimede.api.status import State
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    canary_at,
    changed,
)


@pytest.mark.transition("failed-revision")
def test_failed_revision_is_not_tried_again() -> None:
    """Only `retry` rolls out a failed revision again."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.ABORT
    world.until(None)
    world.verdict = Verdict.PASS
    world.run(50)
    assert world.state is None
    world.command = "retry@1"
    world.run(2)
    assert (world.state, world.status.last_command.token) == (State.PRIMING, "1")


@pytest.mark.transition("pause-command")
def test_paused_rollout_holds() -> None:
    """A paused rollout changes no weight."""
    world = canary_at(State.ANALYSING)
    world.settings = changed(SETTINGS, paused=True)
    world.run(100, seconds=60)
    assert (world.state, world.writes[-1]) == (State.ANALYSING, (("v1", 90), ("v2", 10)))


@pytest.mark.transition("promote-command")
def test_promote_skips_the_evidence_of_one_step() -> None:
    """`promote` moves on by one step, and its token is executed once."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.NO_DATA
    world.command = "promote:v2@7"
    world.run(100)
    assert (world.state, world.writes[-1]) == (State.ANALYSING, (("v1", 50), ("v2", 50)))


@pytest.mark.parametrize(
    "command",
    ["promote:v9@1", "dance@1", "retry@1", "promote", "abort:v9@1"],
)
def test_commands_that_make_no_sense_are_rejected_once(command: str) -> None:
    """A command that cannot be executed is rejected with one Event."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.CONTINUE
    world.command = command
    world.run(5)
    assert (world.reasons.count("CommandRejected"), world.state) == (1, State.ANALYSING)


@pytest.mark.transition("promote-command", "preview-ready")
def test_blue_green_waits_for_the_command() -> None:
    """Blue-green runs a preview at full scale and gives it no traffic without a command."""
    world = MachineWorld(settings=BLUE_GREEN).serve().ask_for("v2")
    world.run(100)
    assert (world.state, world.desired, world.writes[-1]) == (
        State.AWAITING_PROMOTION,
        {"v1": 2, "v2": 2},
        (("v1", 100), ("v2", 0)),
    )
    world.command = "promote@1"
    world.run(60)
    assert world.writes[-2:] == [(("v1", 0), ("v2", 100)), (("v2", 100),)]


@pytest.mark.transition("preview-ready")
def test_blue_green_switches_with_auto_promote() -> None:
    """`autoPromote` needs no command."""
    automatic = BLUE_GREEN.blue_green.evolve(auto_promote=True)
    world = MachineWorld(settings=changed(BLUE_GREEN, blue_green=automatic)).serve().ask_for("v2")
    world.run(60)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("retry:v1@1", "the spec asks for revision v2, not v1"),
        ("promote@1", "no rollout is under way"),
        (
            "jump@1",
            "with one of the verbs promote, promote-full, promote-full-force, abort, pause",
        ),
    ],
)
def test_rejections_say_why(command: str, message: str) -> None:
    """The Event of a rejected command gives the reason."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.ABORT
    world.until(None)
    world.command = command
    assert message in world.step().events[0].message


@pytest.mark.transition("earlier-revision")
def test_blue_greens_way_back_needs_no_command() -> None:
    """A blue-green rollout to a warm revision switches without a command."""
    world = MachineWorld(settings=BLUE_GREEN).serve().ask_for("v2")
    world.until(State.AWAITING_PROMOTION)
    world.command = "promote@1"
    world.until(None)
    world.ask_for("v1").run(40)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v1"
