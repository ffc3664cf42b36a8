"""Every kind of promotion and abort, each with thousands of requests."""

import json
import time
from collections.abc import Iterator

import pytest

from halimede.api.base import Manifest
from halimede.api.reasons import Reason
from halimede.api.status import Outcome, State
from harness.changes import HTTP_ROUTES, Changes, weights
from harness.watch import Snapshot
from tests.e2e.user import CROWD, NAME, User, ready

QUARTER = [{"weight": 25, "minSeconds": 600, "maxSeconds": 600}]
"""A canary that stays at 25 % until a command or a new spec."""


@pytest.fixture
def busy(user: User) -> Iterator[User]:
    """Serve v1 with many requests."""
    user.serves("v1")
    user.starts_load(CROWD)
    yield user
    user.load.stop()


def test_a_revert_is_one_write_of_the_route(busy: User) -> None:
    """Given v2 at 25 %, when the spec goes back to v1, then all traffic does so in one write."""
    with busy.serves_many():
        with Changes(busy.cluster.kubeconfig, busy.namespace, HTTP_ROUTES) as routes:
            canary = _at_a_quarter(busy, "v2").target
            changed = time.time()
            busy.asks_for("v1")
            back = busy.sees("the way back", lambda seen: _state(seen) is State.ABORT_DRAINING)
        over = busy.sees("the end", lambda seen: seen.settled)
    quarter, *later = [weights(one.manifest) for one in routes.since(changed)]
    assert quarter[canary] == 25
    assert later[0][canary] == 0
    assert [one for one in busy.requests() if one.at > back.at and one.version == "v2"] == []
    assert _outcome(over) is Outcome.REVERTED
    assert over.status.failed_revisions == ()


def test_third_revision_supersedes_the_second_and_is_aborted_by_evidence(busy: User) -> None:
    """Given v2 at 25 %, when v3 is applied, then it is compared with v1 and aborted."""
    stable = _stable(busy)
    with busy.serves_many():
        second = _at_a_quarter(busy, "v2").target
        busy.asks_for("v3", rollout__canary__steps=QUARTER, rollout__paused=True)
        third = busy.sees("v3's turn", lambda seen: _canary(seen) not in (None, second))
        assert _outcome(third) is Outcome.SUPERSEDED
        assert third.status.rollout is not None
        assert stable == third.status.rollout.base
    with busy.serves_many() as blamed:
        blamed.add(third.target)
        busy.asks_for("v3", rollout__canary__steps=QUARTER)
        over = busy.sees("v3's end", lambda seen: _outcome(seen) is Outcome.ABORTED)
    assert over.status.last_rollout is not None
    assert over.status.last_rollout.reason == "AnalysisFailed"
    assert stable == over.stable
    assert [over.target] == [one.revision for one in over.status.failed_revisions]


def test_an_abort_by_hand_beats_everything_and_a_retry_tries_again(busy: User) -> None:
    """Given a canary with traffic, when aborted, all traffic goes back; retry starts again."""
    stable = _stable(busy)
    with busy.serves_many():
        _at_a_quarter(busy, "v2")
        busy.commands("abort")
        over = busy.sees("the end", lambda seen: seen.settled)
    assert (Outcome.ABORTED, stable) == (_outcome(over), over.stable)
    assert ready(over).reason == Reason.CANARY_FAILED
    busy.commands("retry")
    busy.sees("a new rollout", lambda seen: seen.status.rollout is not None)


def test_promotion_restarts_no_pod(busy: User) -> None:
    """Given v2 promoted step by step, then its pods are those that served it as a canary."""
    with busy.serves_many():
        busy.asks_for("v2")
        canary = busy.sees("the canary's weight", lambda seen: seen.weight > 0).target
        before = _pods(busy, canary)
        over = busy.sees("the end", lambda seen: seen.ready and seen.settled)
    assert (Outcome.PROMOTED, canary) == (_outcome(over), over.stable)
    assert before.items() <= _pods(busy, canary).items()


def test_blue_green_switches_on_command_and_the_old_colour_is_the_way_back(busy: User) -> None:
    """Given v1, when v2 waits in the preview, then promote gives it all traffic.

    The old revision stays warm, so a revert to it needs no preview and no command.
    """
    blue = _stable(busy)
    with busy.serves_many():
        _asks_for_colour(busy, "v2")
        waiting = busy.sees("the preview", lambda seen: _state(seen) is State.AWAITING_PROMOTION)
        assert waiting.weight == 0
        preview = _get(busy, f"service/{NAME}-preview")
        assert waiting.target == preview["spec"]["selector"]["halimede.dev/revision"]
        busy.commands("promote")
        over = busy.sees("the switch", lambda seen: seen.ready and seen.settled)
    assert waiting.target == over.stable
    assert waiting.target == busy.requests()[-1].revision
    assert [blue] == [one.revision for one in over.status.warm_revisions]
    with busy.serves_many():
        _asks_for_colour(busy, "v1")
        busy.sees("the way back", lambda seen: seen.settled and seen.stable == blue)
    assert blue == busy.requests()[-1].revision


def _at_a_quarter(user: User, version: str) -> Snapshot:
    user.asks_for(version, rollout__canary__steps=QUARTER)
    return user.sees(
        "25 % live", lambda seen: seen.weight == 25 and _state(seen) is State.ANALYSING
    )


def _asks_for_colour(user: User, version: str) -> None:
    user.asks_for(
        version,
        rollout__strategy="BlueGreen",
        rollout__blueGreen={"bakeSeconds": 6},
        rollout__scaleDownDelaySeconds=600,
    )


def _stable(user: User) -> str:
    return user.watch.history[-1].stable


def _canary(seen: Snapshot) -> str | None:
    return seen.status.rollout.revision if seen.status.rollout else None


def _state(seen: Snapshot) -> State | None:
    return seen.status.rollout.state if seen.status.rollout else None


def _outcome(seen: Snapshot) -> Outcome | None:
    return seen.status.last_rollout.outcome if seen.status.last_rollout else None


def _get(user: User, what: str) -> Manifest:
    manifest: Manifest = json.loads(user.kubectl("get", what, "--output", "json"))
    return manifest


def _pods(user: User, revision: str) -> dict[str, int]:
    """Return the ready pods of a revision and the restarts of their containers."""
    listed = user.kubectl(
        "get", "pods", "--selector", f"halimede.dev/revision={revision}", "--output", "json"
    )
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in json.loads(listed)["items"]
        if pod["status"].get("containerStatuses")
    }
