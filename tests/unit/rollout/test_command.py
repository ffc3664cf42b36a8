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


def test_an_executed_command_is_recorded_with_its_author_and_evidence() -> None:
    """The status and an Event say who gave the command, and what the rollout showed."""
    world = canary_at(State.ANALYSING)
    world.commander, world.command = "ann", "abort@7"
    world.step()
    (executed,) = world.status.commands
    assert (executed.text, executed.by, executed.at) == ("abort@7", "ann", world.now)
    assert executed.basis == "revision v2 Analysing, step 1/2, 10 %, verdict none"
    (event,) = (one for one in world.last.events if one.reason == "CommandExecuted")
    assert event.message == f"'abort@7' by ann: {executed.basis}"


def test_a_command_without_an_author_says_so() -> None:
    """Without the annotation the user is unknown, also in the Event of a rejected command."""
    world = canary_at(State.ANALYSING)
    world.command = "retry@1"
    world.step()
    assert "'retry@1' by an unknown user" in world.last.events[0].message
    assert world.status.commands == ()


def test_a_token_never_acts_again() -> None:
    """However many commands came since, an old one is rejected."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.CONTINUE
    for number in range(1, 15):
        world.command = f"{'pause' if number % 2 else 'resume'}@{number}"
        world.step()
    assert [one.token for one in world.status.commands] == list(range(10, 15))
    world.command = "pause@1"
    world.step()
    assert world.status.rollout is not None
    assert world.status.rollout.paused_since is None
    assert "the token 1 is not greater than 14" in world.last.events[0].message
