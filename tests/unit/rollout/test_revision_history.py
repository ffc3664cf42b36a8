"""Rollbacks to an earlier stable revision, by command and by the spec within the window."""

import pytest

from halimede.api.reasons import Verdict
from halimede.api.rollout import Rollout
from halimede.api.status import Outcome, State
from tests.support.rollouts import BLUE_GREEN, SETTINGS, MachineWorld, canary_at, changed, unready

AT_ONCE = [State.STARTING, State.PRIMING, State.SCALING_UP, State.PROMOTING, State.BAKING]
COLD = changed(SETTINGS, scale_down_delay_seconds=0)
BAKED = changed(BLUE_GREEN, scale_down_delay_seconds=0)


def promoted(*revisions: str, world: MachineWorld | None = None) -> MachineWorld:
    """Promote revisions one after the other; the older ones are no longer warm."""
    world = (world or MachineWorld(settings=COLD)).serve(revisions[0])
    for revision in revisions[1:]:
        world.ask_for(revision).until(State.STARTING)
        world.until(None)
        world.now += 5
        assert stable(world) == revision
    return world


def stable(world: MachineWorld) -> str:
    """Return the stable revision."""
    assert world.status.stable is not None
    return world.status.stable.revision


def history(world: MachineWorld) -> list[str]:
    """Return the revisions in the history, newest first."""
    return [one.revision for one in world.status.history]


def pinned(world: MachineWorld) -> tuple[str, str] | None:
    """Return the pinned revision and the one that the spec asks for."""
    pin = world.status.pinned
    return (pin.revision, pin.spec_revision) if pin else None


def commanded(world: MachineWorld, command: str) -> list[str]:
    """Give a command, run one pass, and return the rejections."""
    world.command = command
    events = world.step().events
    return [one.message for one in events if one.reason == "CommandRejected"]


def test_promoted_revisions_are_remembered() -> None:
    """The history lists earlier stable revisions, newest first, with their promotion times."""
    world = promoted("v1", "v2", "v3")
    assert history(world) == ["v2", "v1"]
    assert [one.promoted_at for one in world.status.history] == sorted(
        (one.promoted_at for one in world.status.history if one.promoted_at), reverse=True
    )


def test_history_is_bounded() -> None:
    """Revisions over the limit are dropped, oldest first, and at once if the limit falls."""
    limited = changed(COLD, revision_history_limit=2)
    world = promoted("v1", "v2", "v3", "v4", world=MachineWorld(settings=limited))
    assert history(world) == ["v3", "v2"]
    world.settings = changed(COLD, revision_history_limit=0)
    world.step()
    assert history(world) == []
    assert "it is empty" in commanded(world, "rollback@1")[0]


def test_warm_revisions_are_remembered_in_any_case() -> None:
    """Warm revisions stay in the history even with a limit of 0."""
    world = promoted(
        "v1", "v2", world=MachineWorld(settings=changed(SETTINGS, revision_history_limit=0))
    )
    assert history(world) == ["v1"]
    world.now += SETTINGS.scale_down_delay_seconds + 1
    world.step()
    assert history(world) == []


def test_revisions_that_failed_are_not_history() -> None:
    """Revisions that were never promoted are not in the history."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.ABORT
    world.until(None)
    assert history(world) == []


@pytest.mark.transition("rollback-command")
@pytest.mark.transition("rollback-command")
@pytest.mark.parametrize(
    "settings", [COLD, SETTINGS, changed(BLUE_GREEN, scale_down_delay_seconds=0)]
)
def test_rollback_goes_back_at_once(settings: Rollout) -> None:
    """Cold or warm, a rollback has no steps: one write moves all requests, then it bakes."""
    world = promoted("v1", "v2", world=MachineWorld(settings=COLD))
    world.settings = settings
    world.seen.clear()
    written = len(world.writes)
    assert commanded(world, "rollback@1") == []
    world.until(None)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2"))
    assert world.path == [*AT_ONCE, State.DRAINING, None]
    assert world.writes[written:] == [
        (("v2", 100), ("v1", 0)),
        (("v2", 0), ("v1", 100)),
        (("v1", 100),),
    ]


def test_pin_holds_against_the_spec() -> None:
    """The pinned revision serves although the spec asks for the newer one."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.run(1000, seconds=600)
    assert (stable(world), world.state, pinned(world)) == ("v1", None, ("v1", "v2"))
    assert world.status.target is not None
    assert world.status.target.revision == "v2"


@pytest.mark.transition("rollback-command")
@pytest.mark.parametrize(("asked", "serving"), [("v3", "v3"), ("v1", "v1")])
def test_pin_ends_when_the_spec_changes(asked: str, serving: str) -> None:
    """A new spec ends the pin: a fix is rolled out by steps, a revert needs no rollout."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.ask_for(asked).run(100)
    assert (stable(world), pinned(world), world.state) == (serving, None, None)


def test_pin_outlives_edits_that_ask_for_the_same_revision() -> None:
    """An edit of replicas does not end a pin."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.ask_for("v2").run(3)
    assert pinned(world) == ("v1", "v2")


@pytest.mark.transition("rollback-command")
@pytest.mark.transition("rollback-command")
def test_pin_outlives_an_update_of_the_operator() -> None:
    """If an update renders the same spec to another revision, the pin stays."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.target = "v2b"
    world.run(3)
    world.ask_for("v2b").run(3)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2b"))


def test_resume_ends_the_pin_and_the_way_has_all_its_steps() -> None:
    """A revision that was rolled back gets all its steps, though it is still warm."""
    world = promoted("v1", "v2", world=MachineWorld())
    commanded(world, "rollback@1")
    world.until(None)
    assert [one.revision for one in world.status.warm_revisions] == ["v2"]
    written = len(world.writes)
    assert commanded(world, "resume@2") == []
    world.until(None)
    assert (stable(world), pinned(world)) == ("v2", None)
    assert (("v1", 90), ("v2", 10)) in world.writes[written:]


def test_second_rollback_goes_further_back() -> None:
    """A second `rollback` does not undo the first."""
    world = promoted("v1", "v2", "v3")
    for number, revision in enumerate(("v2", "v1")):
        assert commanded(world, f"rollback@{number}") == []
        world.until(None)
        assert stable(world) == revision
    rejected = commanded(world, "rollback@9")[0]
    assert "no revision that is safe to roll back to" in rejected
    assert "choose one of v2, v3 with rollback:<revision>" in rejected


def test_rollback_by_name_goes_anywhere_in_the_history() -> None:
    """`rollback` to a named revision works even if that one was rolled back before."""
    world = promoted("v1", "v2", "v3")
    for number, revision in enumerate(("v1", "v3", "v2")):
        world.seen.clear()
        assert commanded(world, f"rollback:{revision}@{number}") == []
        world.until(None)
        assert (stable(world), world.path[:5]) == (revision, AT_ONCE)


def test_pin_on_what_the_spec_asks_for_is_no_pin() -> None:
    """A rollback to the spec's revision pins nothing."""
    world = promoted("v1", "v2")
    for number, revision in enumerate(("v1", "v2")):
        commanded(world, f"rollback:{revision}@{number}")
        world.until(None)
    world.step()
    assert (stable(world), pinned(world)) == ("v2", None)


@pytest.mark.transition("abort-command")
@pytest.mark.transition("rollback-command")
@pytest.mark.transition("rollback-command")
@pytest.mark.parametrize("command", ["rollback@1", "rollback:v1@1"])
@pytest.mark.parametrize("state", [State.STARTING, State.ANALYSING, State.BAKING])
def test_rollback_of_a_rollout_aborts_it(state: State, command: str) -> None:
    """`rollback` during a rollout aborts it in one write, paused or not."""
    world = canary_at(state)
    commanded(world, "pause@0")
    assert commanded(world, command) == []
    assert world.route == (("v1", 100),) if state is State.STARTING else (("v1", 100), ("v2", 0))
    world.until(None)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.reason, pinned(world)) == (
        Outcome.ABORTED,
        "RollbackCommanded",
        None,
    )
    assert "`rollback` aborts the rollout" in last.message


def test_rollback_by_name_leaves_a_rollout_for_an_older_revision() -> None:
    """`rollback` to a third revision supersedes the current rollout."""
    world = promoted("v1", "v2").ask_for("v3")
    world.until(State.ANALYSING)
    assert commanded(world, "rollback:v1@1") == []
    world.until(None)
    assert world.status.last_rollout is not None
    assert "`rollback` asks for revision v1" in world.status.last_rollout.message
    world.until(State.BAKING)
    world.until(None)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v3"))


def test_rollback_just_after_the_commit_waits_for_the_route() -> None:
    """The old revision first leaves the route, then the rollback starts."""
    world = canary_at(State.DRAINING)
    assert commanded(world, "rollback@1") == []
    world.until(State.BAKING)
    world.until(None)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2"))


@pytest.mark.parametrize("verdict", [Verdict.ABORT, None])
def test_failed_way_back_leaves_what_serves(verdict: Verdict | None) -> None:
    """An aborted rollback returns to the stable revision and ends the pin."""
    world = promoted("v1", "v2")
    world.settings = BAKED
    commanded(world, "rollback@1")
    world.until(State.PROMOTING)
    world.verdict = verdict or Verdict.CONTINUE
    if verdict is None:
        commanded(world, "abort@2")
    world.until(None)
    assert (stable(world), pinned(world), world.route) == ("v2", None, (("v2", 100),))
    assert "no revision that is safe" in commanded(world, "rollback@3")[0]
    world.verdict = Verdict.PASS
    assert commanded(world, "rollback:v1@4") == []
    world.until(None)
    assert stable(world) == "v1"


def test_failed_way_further_back_does_not_bring_the_newest_one() -> None:
    """After v3 to v2, a failed rollback to v1 leaves v2 stable, not v3."""
    world = promoted("v1", "v2", "v3")
    commanded(world, "rollback@1")
    world.until(None)
    world.broken["v1"] = unready()
    commanded(world, "rollback@2")
    world.run(400)
    assert (stable(world), pinned(world), world.state) == ("v2", ("v2", "v3"), None)


def test_rollback_works_with_an_invalid_spec() -> None:
    """A pinned rollback continues even if the spec is invalid."""
    world = promoted("v1", "v2")
    world.invalid = "spec.model.configPbtxt: no."
    commanded(world, "rollback@1")
    world.until(None)
    assert stable(world) == "v1"


@pytest.mark.parametrize(
    ("before", "command", "message"),
    [
        (
            None,
            "rollback:v9@1",
            "does not contain revision v9; choose one of v1 with rollback:<revision>",
        ),
        (None, "rollback:v2@1", "revision v2 serves already"),
        ("rollback@0", "rollback@1", "is being rolled out: to stop it, use the command `abort`"),
        ("rollback@0", "rollback:v1@1", "revision v1 is being rolled out"),
        ("rollback@0", "rollback:v1@0", "the token 0 is not greater than 0"),
        ("rollback@0", "resume:v9@1", "revision v1 is pinned, not v9"),
        (None, "resume@1", "no rollout is under way"),
        ("spec", "rollback@1", "set spec.rollout.paused to false"),
    ],
)
def test_rejected(before: str | None, command: str, message: str) -> None:
    """An impossible rollback is rejected with the possible ones."""
    world = promoted("v1", "v2")
    if before == "spec":
        world.settings = changed(COLD, paused=True)
    elif before:
        assert commanded(world, before) == []
    rejected = commanded(world, command)
    assert [message in one for one in rejected] == [True]


def test_first_revision_has_nothing_behind_it() -> None:
    """Without an earlier stable revision the rejection says so."""
    assert "it is empty" in commanded(MachineWorld().serve(), "rollback@1")[0]


@pytest.mark.transition("earlier-revision")
@pytest.mark.parametrize(("window", "steps"), [(0, "steps"), (1, "steps"), (2, "none")])
def test_spec_goes_back_without_steps_within_the_window(window: int, steps: str) -> None:
    """`rollbackWindowRevisions` counts earlier stable revisions."""
    settings = changed(COLD, rollback_window_revisions=window)
    world = promoted("v1", "v2", "v3", world=MachineWorld(settings=settings))
    world.seen.clear()
    world.ask_for("v1").until(State.BAKING)
    assert (State.ANALYSING in world.seen) == (steps == "steps")


def test_what_failed_on_the_way_back_gets_no_short_way_again() -> None:
    """A revision in the window that was aborted in its bake gets all its steps after `retry`."""
    world = promoted("v1", "v2")
    world.settings = changed(BAKED, rollback_window_revisions=5)
    world.ask_for("v1").until(State.PROMOTING)
    world.verdict = Verdict.ABORT
    world.until(None)
    world.verdict = Verdict.PASS
    world.seen.clear()
    assert commanded(world, "retry@1") == []
    world.until(State.AWAITING_PROMOTION)


@pytest.mark.transition("rollback-command")
@pytest.mark.parametrize("state", AT_ONCE)
def test_killed_on_the_way_back(state: State) -> None:
    """A process killed between its status and its effects completes the rollback once."""
    world = promoted("v1", "v2")
    world.command = "rollback@1"
    world.until_killed(state)
    world.until(None)
    world.run(5)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2"))
    assert world.reasons.count("Pinned") == 1
