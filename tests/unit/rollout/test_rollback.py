"""The way back to what was stable before: by command, and by the spec within the window."""

import pytest

from halimede.api.reasons import Verdict
from halimede.api.rollout import Rollout
from halimede.api.status import Outcome, State
from tests.support.rollouts import BLUE_GREEN, SETTINGS, MachineWorld, canary_at, changed, unready

AT_ONCE = [State.STARTING, State.PRIMING, State.SCALING_UP, State.PROMOTING, State.BAKING]
COLD = changed(SETTINGS, scale_down_delay_seconds=0)
BAKED = changed(BLUE_GREEN, scale_down_delay_seconds=0)


def promoted(*revisions: str, world: MachineWorld | None = None) -> MachineWorld:
    """Have revisions promoted one after the other, the older ones cold."""
    world = (world or MachineWorld(settings=COLD)).serve(revisions[0])
    for revision in revisions[1:]:
        world.ask_for(revision).until(State.STARTING)
        world.until(None)
        world.now += 5
        assert stable(world) == revision
    return world


def stable(world: MachineWorld) -> str:
    """Name the stable revision."""
    assert world.status.stable is not None
    return world.status.stable.revision


def history(world: MachineWorld) -> list[str]:
    """Name what can be gone back to, the last one first."""
    return [one.revision for one in world.status.history]


def pinned(world: MachineWorld) -> tuple[str, str] | None:
    """Tell what is held against what."""
    pin = world.status.pinned
    return (pin.revision, pin.spec_revision) if pin else None


def commanded(world: MachineWorld, command: str) -> list[str]:
    """Give a command, look once, and list the refusals."""
    world.command = command
    told = world.step().events
    return [one.message for one in told if one.reason == "CommandRefused"]


def test_promoted_revisions_are_remembered() -> None:
    """The history holds what was stable before, newest first, with the time of its promotion."""
    world = promoted("v1", "v2", "v3")
    assert history(world) == ["v2", "v1"]
    assert [one.promoted_at for one in world.status.history] == sorted(
        (one.promoted_at for one in world.status.history if one.promoted_at), reverse=True
    )


def test_history_is_bounded() -> None:
    """Beyond the limit the oldest is forgotten, and at once if the limit is lowered."""
    limited = changed(COLD, revision_history_limit=2)
    world = promoted("v1", "v2", "v3", "v4", world=MachineWorld(settings=limited))
    assert history(world) == ["v3", "v2"]
    world.settings = changed(COLD, revision_history_limit=0)
    world.step()
    assert history(world) == []
    assert "nothing else is there" in commanded(world, "rollback@1")[0]


def test_warm_revisions_are_remembered_in_any_case() -> None:
    """What still runs can be gone back to though the limit is 0."""
    world = promoted(
        "v1", "v2", world=MachineWorld(settings=changed(SETTINGS, revision_history_limit=0))
    )
    assert history(world) == ["v1"]
    world.now += SETTINGS.scale_down_delay_seconds + 1
    world.step()
    assert history(world) == []


def test_revisions_that_failed_are_not_history() -> None:
    """Only what was promoted can be gone back to."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.ABORT
    world.until(None)
    assert history(world) == []


@pytest.mark.transition(48)
@pytest.mark.transition(48)
@pytest.mark.parametrize(
    "settings", [COLD, SETTINGS, changed(BLUE_GREEN, scale_down_delay_seconds=0)]
)
def test_rollback_goes_back_at_once(settings: Rollout) -> None:
    """Cold or warm: no steps, all requests in one write, and then the bake."""
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
    """The spec still asks for the newer one: nothing brings it back by itself."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.run(1000, seconds=600)
    assert (stable(world), world.state, pinned(world)) == ("v1", None, ("v1", "v2"))
    assert world.status.target is not None
    assert world.status.target.revision == "v2"


@pytest.mark.transition(48)
@pytest.mark.parametrize(("asked", "serving"), [("v3", "v3"), ("v1", "v1")])
def test_pin_ends_when_the_spec_changes(asked: str, serving: str) -> None:
    """A fix is rolled out by steps; a spec that was reverted agrees with what serves."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.ask_for(asked).run(100)
    assert (stable(world), pinned(world), world.state) == (serving, None, None)


def test_pin_outlives_edits_that_ask_for_the_same_revision() -> None:
    """To change the number of pods is not to ask for another model."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.ask_for("v2").run(3)
    assert pinned(world) == ("v1", "v2")


@pytest.mark.transition(48)
@pytest.mark.transition(48)
def test_pin_outlives_an_update_of_the_operator() -> None:
    """The same spec rendered to another revision is no edit."""
    world = promoted("v1", "v2")
    commanded(world, "rollback@1")
    world.until(None)
    world.target = "v2b"
    world.run(3)
    world.ask_for("v2b").run(3)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2b"))


def test_resume_ends_the_pin_and_the_way_has_all_its_steps() -> None:
    """What had to be left gets no short way back, though it is still warm."""
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
    """At three in the morning nobody wants the first one undone."""
    world = promoted("v1", "v2", "v3")
    for number, revision in enumerate(("v2", "v1")):
        assert commanded(world, f"rollback@{number}") == []
        world.until(None)
        assert stable(world) == revision
    refused = commanded(world, "rollback@9")[0]
    assert "no revision that did not have to be left" in refused
    assert "rollback:<revision> takes v2, v3" in refused


def test_rollback_by_name_goes_anywhere_in_the_history() -> None:
    """Whoever names a revision has it, even one that had to be left."""
    world = promoted("v1", "v2", "v3")
    for number, revision in enumerate(("v1", "v3", "v2")):
        world.seen.clear()
        assert commanded(world, f"rollback:{revision}@{number}") == []
        world.until(None)
        assert (stable(world), world.path[:5]) == (revision, AT_ONCE)


def test_pin_on_what_the_spec_asks_for_is_no_pin() -> None:
    """Back where the spec is, there is nothing to hold."""
    world = promoted("v1", "v2")
    for number, revision in enumerate(("v1", "v2")):
        commanded(world, f"rollback:{revision}@{number}")
        world.until(None)
    world.step()
    assert (stable(world), pinned(world)) == ("v2", None)


@pytest.mark.transition(47)
@pytest.mark.transition(48)
@pytest.mark.transition(48)
@pytest.mark.parametrize("command", ["rollback@1", "rollback:v1@1"])
@pytest.mark.parametrize("state", [State.STARTING, State.ANALYSING, State.BAKING])
def test_rollback_of_a_rollout_aborts_it(state: State, command: str) -> None:
    """While a rollout is under way the way back is to abort it, in one write, paused or not."""
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
    """A third revision that is commanded supersedes the one on its way."""
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
    """The old revision leaves the route first; then it comes back."""
    world = canary_at(State.DRAINING)
    assert commanded(world, "rollback@1") == []
    world.until(State.BAKING)
    world.until(None)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2"))


@pytest.mark.parametrize("verdict", [Verdict.ABORT, None])
def test_failed_way_back_leaves_what_serves(verdict: Verdict | None) -> None:
    """Stopped by the judge or by hand, the way back ends where it began, and so does the pin."""
    world = promoted("v1", "v2")
    world.settings = BAKED
    commanded(world, "rollback@1")
    world.until(State.PROMOTING)
    world.verdict = verdict or Verdict.CONTINUE
    if verdict is None:
        commanded(world, "abort@2")
    world.until(None)
    assert (stable(world), pinned(world), world.route) == ("v2", None, (("v2", 100),))
    assert "no revision that did not" in commanded(world, "rollback@3")[0]
    world.verdict = Verdict.PASS
    assert commanded(world, "rollback:v1@4") == []
    world.until(None)
    assert stable(world) == "v1"


def test_failed_way_further_back_does_not_bring_the_newest_one() -> None:
    """From v3 back to v2, and in vain to v1: v2 stays, not v3."""
    world = promoted("v1", "v2", "v3")
    commanded(world, "rollback@1")
    world.until(None)
    world.broken["v1"] = unready()
    commanded(world, "rollback@2")
    world.run(400)
    assert (stable(world), pinned(world), world.state) == ("v2", ("v2", "v3"), None)


def test_rollback_is_not_held_by_an_invalid_spec() -> None:
    """What is held against the spec needs no sense in it."""
    world = promoted("v1", "v2")
    world.invalid = "spec.model.configPbtxt: no."
    commanded(world, "rollback@1")
    world.until(None)
    assert stable(world) == "v1"


@pytest.mark.parametrize(
    ("before", "command", "told"),
    [
        (
            None,
            "rollback:v9@1",
            "revision v9 is not in status.history; rollback:<revision> takes v1",
        ),
        (None, "rollback:v2@1", "revision v2 serves already"),
        ("rollback@0", "rollback@1", "revision v1 is rolled out: to stay without it, `abort`"),
        ("rollback@0", "rollback:v1@1", "revision v1 is rolled out"),
        ("rollback@0", "rollback:v1@0", "the token 0 has been used"),
        ("rollback@0", "resume:v9@1", "revision v1 is pinned"),
        (None, "resume@1", "no rollout is under way"),
        ("spec", "rollback@1", "set spec.rollout.paused to false"),
    ],
)
def test_refused(before: str | None, command: str, told: str) -> None:
    """A way back that is none is refused with what can be had."""
    world = promoted("v1", "v2")
    if before == "spec":
        world.settings = changed(COLD, paused=True)
    elif before:
        assert commanded(world, before) == []
    refused = commanded(world, command)
    assert [told in one for one in refused] == [True]


def test_first_revision_has_nothing_behind_it() -> None:
    """Where nothing was promoted before, the refusal says so."""
    assert "nothing else is there" in commanded(MachineWorld().serve(), "rollback@1")[0]


@pytest.mark.transition(7)
@pytest.mark.parametrize(("window", "steps"), [(0, "steps"), (1, "steps"), (2, "none")])
def test_spec_goes_back_without_steps_within_the_window(window: int, steps: str) -> None:
    """`rollbackWindowRevisions` counts what was stable before."""
    settings = changed(COLD, rollback_window_revisions=window)
    world = promoted("v1", "v2", "v3", world=MachineWorld(settings=settings))
    world.seen.clear()
    world.ask_for("v1").until(State.BAKING)
    assert (State.ANALYSING in world.seen) == (steps == "steps")


def test_what_failed_on_the_way_back_gets_no_short_way_again() -> None:
    """In the window, but stopped in its bake: after `retry` it shows itself by steps."""
    world = promoted("v1", "v2")
    world.settings = changed(BAKED, rollback_window_revisions=5)
    world.ask_for("v1").until(State.PROMOTING)
    world.verdict = Verdict.ABORT
    world.until(None)
    world.verdict = Verdict.PASS
    world.seen.clear()
    assert commanded(world, "retry@1") == []
    world.until(State.AWAITING_PROMOTION)


@pytest.mark.transition(48)
@pytest.mark.parametrize("state", AT_ONCE)
def test_killed_on_the_way_back(state: State) -> None:
    """A process that dies between its status and its effects still goes back, and once."""
    world = promoted("v1", "v2")
    world.command = "rollback@1"
    for _ in range(400):
        world.effects = False
        world.step()
        world.effects = True
        if world.state is state:
            break
        world.step()
        world.now += 5
    world.until(None)
    world.run(5)
    assert (stable(world), pinned(world)) == ("v1", ("v1", "v2"))
    assert world.reasons.count("Pinned") == 1
