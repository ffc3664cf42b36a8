"""The operator's metrics of each ModelDeployment."""

from prometheus_client import generate_latest

from halimede.adapters.store import Key
from halimede.api.base import RevisionHash
from halimede.api.conditions import Condition, ConditionType
from halimede.api.model_status import ModelStatus
from halimede.api.rollout import Strategy
from halimede.api.status import (
    ExecutedCommand,
    FinishedRollout,
    ForeignWrites,
    Outcome,
    RevisionStatus,
    RolloutStatus,
    State,
    Status,
)
from halimede.reconcile.status_metrics import remove, update


def _shown(name: str) -> set[str]:
    lines = generate_latest().decode().splitlines()
    return {line for line in lines if f'name="{name}"' in line and "_created" not in line}


def _rolling(state: State, weight: int) -> Status:
    return Status(
        rollout=RolloutStatus(
            id="1",
            strategy=Strategy.CANARY,
            base="a",
            revision="b",
            state=state,
            state_since=0,
            started_at=0,
            last_progress_at=0,
            weight=weight,
        )
    )


def _ended(identity: str) -> FinishedRollout:
    return FinishedRollout(
        id=identity,
        strategy=Strategy.CANARY,
        revision="b",
        outcome=Outcome.ABORTED,
        reason="TooManyErrors",
        message="",
        started_at=0,
        ended_at=1,
    )


def test_one_state_is_shown_at_a_time() -> None:
    """The series of the former state is removed, and the weight is updated."""
    key = Key("ns", "states")
    update(key, Status(), _rolling(State.SHIFTING, 5))
    update(key, Status(), _rolling(State.ANALYSING, 25))
    assert _shown("states") == {
        'halimede_rollout_state{name="states",namespace="ns",state="Analysing"} 1.0',
        'halimede_rollout_weight_percent{name="states",namespace="ns"} 25.0',
        'halimede_model_ready{name="states",namespace="ns"} 0.0',
        'halimede_model_outdated{name="states",namespace="ns"} 0.0',
    }


def test_a_rollout_is_counted_once_when_it_ends() -> None:
    """Later passes with the same outcome do not count it again."""
    key, after = Key("ns", "ends"), Status(last_rollout=_ended("1"))
    update(key, _rolling(State.ABORTING, 0), after)
    update(key, after, after)
    counted = 'halimede_rollouts_total{name="ends",namespace="ns",outcome="Aborted"}'
    assert f"{counted} 1.0" in _shown("ends")
    update(key, after, Status(last_rollout=_ended("2")))
    assert f"{counted} 2.0" in _shown("ends")


def test_foreign_writes_are_counted() -> None:
    """Each foreign write counts once; their removal from the status does not count."""
    key = Key("ns", "fight")
    once = Status(foreign_writes=ForeignWrites(manager="x", at=(1.0,)))
    twice = Status(foreign_writes=ForeignWrites(manager="x", at=(1.0, 2.0)))
    update(key, Status(), once)
    update(key, once, twice)
    update(key, twice, Status())
    counted = 'halimede_foreign_route_writes_total{name="fight",namespace="ns"}'
    assert f"{counted} 2.0" in _shown("fight")


def test_readiness_is_shown_and_forgotten() -> None:
    """A deleted ModelDeployment has no gauges."""
    ready = Condition(
        type=ConditionType.READY,
        status="True",
        reason="Ready",
        message="",
        observed_generation=1,
        last_transition_time=0,
    )
    key = Key("ns", "ready")
    update(key, Status(), Status(conditions=(ready,)))
    assert 'halimede_model_ready{name="ready",namespace="ns"} 1.0' in _shown("ready")
    remove(key)
    remove(key)
    assert _shown("ready") == set()


def test_commands_are_counted_once_and_go_with_the_object() -> None:
    """Each executed command is counted by verb; nothing is left of a deleted object."""
    key = Key("ns", "led")
    one, two = (
        ExecutedCommand(text=f"{verb}@{number}", at=1.0, basis="")
        for number, verb in enumerate(("pause", "abort"), 1)
    )
    update(key, Status(), Status(commands=(one,), last_rollout=_ended("1")))
    update(key, Status(commands=(one,)), Status(commands=(one, two)))
    labels = 'name="led",namespace="ns"'
    assert {
        f'halimede_commands_total{{{labels},verb="pause"}} 1.0',
        f'halimede_commands_total{{{labels},verb="abort"}} 1.0',
    } <= _shown("led")
    remove(key)
    assert _shown("led") == set()


def test_model_info_names_the_revision_of_now() -> None:
    """The series of an earlier revision disappears, and the last one does with the object.

    While the digest of another model is not known, there is none.
    """
    key = Key("ns", "info")
    for revision, digest in (("aaaaaaaa", "11"), ("bbbbbbbb", "22")):
        status = Status(
            target=RevisionStatus(revision=RevisionHash(revision)),
            model=ModelStatus(source="s", digest=digest),
        )
        update(key, Status(), status)
    shown = [line for line in _shown("info") if line.startswith("halimede_model_info")]
    labels = 'digest="22",name="info",namespace="ns",revision="bbbbbbbb"'
    assert shown == [f"halimede_model_info{{{labels}}} 1.0"]
    update(key, Status(), status.evolve(model=ModelStatus(source="another")))
    assert [line for line in _shown("info") if "model_info" in line] == []
    update(key, Status(), status)
    remove(key)
    assert [line for line in _shown("info") if "model_info" in line] == []
