"""Statuses of a ModelDeployment in a promotion and in an abort."""

from typing import Any

from harness.watch import Snapshot

V1, V2, V3 = "aaaaaaaa", "bbbbbbbb", "cccccccc"
REVISIONS = {"v1": V1, "v2": V2, "v3": V3}
START = 1_000.0


def rolling_out(at: float, revision: str, base: str, state: str, weight: int) -> Snapshot:
    """Return a snapshot of ``revision`` in a rollout with a weight."""
    rollout = {
        "id": f"id-{revision}",
        "strategy": "Canary",
        "base": base,
        "revision": revision,
        "state": state,
        "stateSince": at,
        "startedAt": at,
        "lastProgressAt": at,
        "steps": 3,
        "weight": weight,
    }
    return _snapshot(at, base, {"rollout": rollout})


def settled(at: float, stable: str, ended: str | None = None, outcome: str = "") -> Snapshot:
    """Return a snapshot of ``stable`` alone, optionally after the rollout of ``ended``."""
    if ended is None:
        return _snapshot(at, stable, {})
    finished = {
        "id": f"id-{ended}",
        "strategy": "Canary",
        "revision": ended,
        "outcome": outcome,
        "reason": "Because",
        "message": "because",
        "startedAt": at - 30,
        "decidedAt": at - 2,
        "endedAt": at,
    }
    return _snapshot(at, stable, {"lastRollout": finished})


def _snapshot(at: float, stable: str, more: dict[str, Any]) -> Snapshot:
    status = {"observedGeneration": 1, "stable": {"revision": stable}, **more}
    return Snapshot.of({"metadata": {"generation": 1}, "status": status}, at)


HISTORY = (
    settled(START, V1),
    rolling_out(START + 10, V2, V1, "Starting", 0),
    rolling_out(START + 15, V2, V1, "Shifting", 10),
    rolling_out(START + 16, V2, V1, "Analysing", 10),
    rolling_out(START + 20, V2, V1, "Shifting", 60),
    rolling_out(START + 30, V2, V1, "Promoting", 100),
    settled(START + 40, V2, V2, "Promoted"),
    rolling_out(START + 50, V3, V2, "Shifting", 10),
    settled(START + 60, V2, V3, "Aborted"),
)
