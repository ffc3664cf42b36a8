"""`explain`: the evidence behind the verdict, from the recorded status of a real rollout."""

from pathlib import Path
from typing import Any

import yaml

from halimede.api.analysis import Pace
from halimede.api.model_status import ModelStatus
from halimede.api.reasons import Verdict
from halimede.api.rollout import Strategy
from halimede.api.status import (
    Outcome,
    PinnedRevision,
    PromotedRevision,
    RolloutStatus,
    State,
    Status,
)
from halimede.api.v1alpha1 import ModelDeployment
from halimede.rollout.explain import AWAITED, explain_rollout

FOLDER = Path(__file__).parent / "explained"


def recorded() -> ModelDeployment:
    """Read the recorded object of a rollout that was aborted on a cluster."""
    return ModelDeployment.from_manifest(yaml.safe_load((FOLDER / "stopped.yaml").read_text()))


def rollout_of(md: ModelDeployment) -> RolloutStatus:
    """Return the current rollout."""
    assert md.status.rollout is not None
    return md.status.rollout


def analysing(**changes: Any) -> ModelDeployment:
    """Reset the recorded rollout to Analysing with only Triton's evidence."""
    md = recorded()
    rollout = rollout_of(md)
    assert rollout.evidence is not None
    evidence = rollout.evidence.evolve(
        sources=rollout.evidence.sources[1:], verdict=Verdict.CONTINUE, message="more"
    )
    back = {"state": State.ANALYSING, "outcome": None, "evidence": evidence, "weight": 10}
    return with_rollout(md, rollout.evolve(**(back | changes)))


def with_rollout(md: ModelDeployment, rollout: RolloutStatus | None) -> ModelDeployment:
    """Return the object with another rollout in its status."""
    status = md.status.evolve(rollout=rollout)
    return md.evolve(status=status)


def test_aborted_rollout_is_explained_with_all_figures() -> None:
    """The text has state, decision, all counts, each test with its threshold, and conditions."""
    assert explain_rollout(recorded()) == (FOLDER / "stopped.txt").read_text()


def test_a_step_is_explained_with_its_missing_requests() -> None:
    """After 52 clean requests the text gives the number that the step still needs."""
    written = explain_rollout(analysing())
    assert "Waiting for: evidence for the step" in written
    assert "  Step 1 needs about 39 more clean requests.\n" in written


def test_missing_requests_are_explained_with_their_time() -> None:
    """39 requests at 10 % of 0.2 requests/s take half an hour."""
    evidence = rollout_of(analysing()).evidence
    assert evidence is not None
    slow = evidence.evolve(requests_per_second=0.2)
    written = explain_rollout(analysing(evidence=slow))
    assert "Traffic: 0.2 requests/s to both revisions\n" in written
    lack = "about 39 more clean requests (about 32 min at 0.2 requests/s)."
    assert f"  Step 1 needs {lack}\n" in written


def test_a_shortage_is_explained_with_its_remedy() -> None:
    """The text has the same sentence as the Event and the condition."""
    evidence = rollout_of(analysing()).evidence
    assert evidence is not None
    slow = evidence.evolve(requests_per_second=0.001)
    written = explain_rollout(analysing(evidence=slow))
    assert "\nToo few requests: step 1 needs about " in written
    assert "at 0.001 requests/s the step takes about " in written


def test_a_first_weight_is_explained() -> None:
    """A weight chosen by the traffic is explained, because the spec does not contain it."""
    written = explain_rollout(analysing(first_weight=12))
    assert "\nFirst weight: 12 %, chosen from the traffic\n" in written
    assert "First weight" not in explain_rollout(analysing())


def test_defaults_of_the_pace_are_explained() -> None:
    """What the spec leaves out depends on its pace."""
    md = analysing()
    analysis = md.spec.rollout.analysis.evolve(pace=Pace.SWIFT)
    canary = md.spec.rollout.canary.evolve(bake_seconds=None)
    rollout = md.spec.rollout.evolve(analysis=analysis, canary=canary)
    swift = md.evolve(spec=md.spec.evolve(rollout=rollout))
    assert "\nDefaults of the pace Swift: a bake of 60 s\n" in explain_rollout(swift)
    assert "Defaults" not in explain_rollout(md)


def test_the_last_step_lacks_more_than_the_first() -> None:
    """Each step has its own level."""
    assert "Step 3 needs" in explain_rollout(analysing(step=2))


def test_steps_that_were_edited_are_held_to_the_last_level() -> None:
    """The judge does the same: levels are fixed when the rollout begins."""
    assert "Step 3 needs" in explain_rollout(analysing(step=0, steps=2))


def test_odds_against_it_give_no_number_of_missing_requests() -> None:
    """With 21 errors in 53 requests, clean requests alone do not let the step pass."""
    rollout = rollout_of(recorded())
    back = rollout.evolve(state=State.ANALYSING, outcome=None)
    assert "The odds against it hold the step" in explain_rollout(with_rollout(recorded(), back))


def test_what_is_decided_lacks_nothing() -> None:
    """A rollout that is aborting lists no missing requests."""
    written = explain_rollout(analysing(outcome=Outcome.ABORTED))
    assert "needs" not in written


def test_a_pause_is_explained_with_its_start() -> None:
    """A pause by command, in the spec, or both is shown with its start."""
    written = explain_rollout(analysing(paused_since=0.0, spec_paused_since=60.0))
    assert "Paused: by command since 1970-01-01T00:00:00.000Z, until the command resume" in written
    assert "Paused: by spec.rollout.paused since 1970-01-01T00:01:00.000Z, until" in written


def test_blue_green_is_explained_without_steps() -> None:
    """Blue-green passes only by the end of the bake."""
    written = explain_rollout(analysing(strategy=Strategy.BLUE_GREEN, state=State.BAKING))
    assert "step" not in written.split("Conditions")[0]
    assert "All tests together: odds under 1:1 against it (100:1 to abort)" in written


def test_before_the_first_poll_there_is_no_evidence() -> None:
    """Before the first poll the text gives the time of that poll."""
    assert "The judge has not polled yet" in explain_rollout(analysing(evidence=None))


def test_missing_data_and_metrics_are_explained_with_their_times() -> None:
    """The start of each is shown in UTC."""
    evidence = rollout_of(analysing()).evidence
    assert evidence is not None
    gone = evidence.evolve(no_data_since=0.0, metrics_down_since=60.0)
    written = explain_rollout(analysing(evidence=gone))
    assert "There has been no data since 1970-01-01T00:00:00.000Z." in written
    assert "Prometheus has not responded since 1970-01-01T00:01:00.000Z." in written


def test_after_a_rollout_its_end_is_explained() -> None:
    """The status keeps the evidence of the last rollout."""
    written = explain_rollout(with_rollout(recorded(), None))
    assert "The last one, Canary of 268a08c5:\nAborted (AnalysisFailed) at " in written
    assert "268a08c5  66 requests, 16 errors (24.24 %)" in written


def test_where_nothing_was_ever_rolled_out_there_is_nothing_to_explain() -> None:
    """A new object gives a message, not a traceback."""
    md = recorded().evolve(status=Status())
    assert explain_rollout(md) == (
        "demo/digits\n"
        "No rollout is under way, and none has ended yet: there is nothing to judge.\n"
    )


def test_every_state_explains_its_wait() -> None:
    """Every state has a sentence."""
    assert set(State) == set(AWAITED)


def test_commands_that_make_sense_are_listed() -> None:
    """During a step, promote, pause and abort are available."""
    text = explain_rollout(analysing(state=State.ANALYSING))
    assert (
        "Available commands: promote, promote-full, promote-full-force, abort, pause, rollback\n"
        in text
    )


def test_pin_is_explained_with_what_ends_it() -> None:
    """After `rollback` the text names the pin and what ends it."""
    md = with_rollout(recorded(), None)
    pin = PinnedRevision(revision="a07b2478", since=0.0, generation=1, spec_revision="eb7481f7")
    before = (PromotedRevision(revision="eb7481f7", rolled_back_at=0.0),)
    status = md.status.evolve(pinned=pin, history=before, failed_revisions=())
    text = explain_rollout(md.evolve(status=status))
    assert (
        "Pinned: a07b2478 since 1970-01-01T00:00:00.000Z, although the spec asks for eb7481f7"
        in text
    )
    assert "Earlier stable revisions: eb7481f7\nAvailable commands: resume\n" in text
    unresolved = status.evolve(model=ModelStatus(source="s"))
    text = explain_rollout(md.evolve(status=unresolved))
    assert "although the spec asks for a model whose digest is not known yet;" in text
