"""The operator's own metrics of each ModelDeployment's status."""

import contextlib

from prometheus_client import Counter, Gauge

from halimede import telemetry
from halimede.adapters.store import Key
from halimede.api.conditions import ConditionType
from halimede.api.status import ExecutedCommand, FinishedRollout, Outcome, State, Status
from halimede.rollout.command import Verb, parse

_MODEL_INFO: dict[Key, tuple[str, str]] = {}
"""The labels of each series, as a search for them would take long among thousands."""


def update(key: Key, before: Status, after: Status) -> None:
    """Set the gauges to *after*, and count a rollout that ended since *before*."""
    ready = any(
        condition.type is ConditionType.READY and condition.status == "True"
        for condition in after.conditions
    )
    telemetry.READY.labels(*key).set(ready)
    telemetry.OUTDATED.labels(*key).set(after.newer_revision is not None)
    _set_model_info(key, after)
    rollout = after.rollout
    telemetry.ROLLOUT_WEIGHT.labels(*key).set(rollout.weight if rollout else 0)
    for state in State:
        if rollout and rollout.state is state:
            telemetry.ROLLOUT_STATE.labels(*key, state).set(1)
        else:
            _remove_series(telemetry.ROLLOUT_STATE, *key, state)
    if after.foreign_writes and after.foreign_writes != before.foreign_writes:
        telemetry.FOREIGN_WRITES.labels(*key).inc()
    for command in new_commands(before, after):
        telemetry.COMMANDS.labels(*key, str(parse(command.text).verb)).inc()
    ended = after.last_rollout
    if ended and _id(ended) != _id(before.last_rollout):
        telemetry.ROLLOUTS.labels(*key, ended.outcome).inc()


def remove(key: Key) -> None:
    """Remove the series of a ModelDeployment that is gone."""
    _remove_series(telemetry.FOREIGN_WRITES, *key)
    for verb in Verb:
        _remove_series(telemetry.COMMANDS, *key, verb)
    for outcome in Outcome:
        _remove_series(telemetry.ROLLOUTS, *key, outcome)
    _remove_model_info(key)
    _remove_series(telemetry.READY, *key)
    _remove_series(telemetry.OUTDATED, *key)
    _remove_series(telemetry.ROLLOUT_WEIGHT, *key)
    for state in State:
        _remove_series(telemetry.ROLLOUT_STATE, *key, state)


def _set_model_info(key: Key, status: Status) -> None:
    _remove_model_info(key)
    model = status.model
    if model is not None and model.digest is None:
        return  # the target is not what the spec asks for, which is not known
    if status.target is not None:
        digest = (model and model.digest) or ""
        labels = _MODEL_INFO[key] = status.target.revision, digest
        telemetry.MODEL_INFO.labels(*key, *labels).set(1)


def _remove_model_info(key: Key) -> None:
    if labels := _MODEL_INFO.pop(key, None):
        _remove_series(telemetry.MODEL_INFO, *key, *labels)


def new_commands(before: Status, after: Status) -> tuple[ExecutedCommand, ...]:
    """Return the commands that were executed between two statuses; their tokens increase."""
    last = before.commands[-1].token if before.commands else -1
    return tuple(command for command in after.commands if command.token > last)


def _id(rollout: FinishedRollout | None) -> str | None:
    return rollout.id if rollout else None


def _remove_series(metric: Counter | Gauge, *labels: str) -> None:
    with contextlib.suppress(KeyError):
        metric.remove(*labels)
