"""Priority and fairness of the API server: how much it executes for the operator at a time."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from halimede.adapters.precedence import HELD_SECONDS
from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.support.audit_log import AuditLog
from tests.support.operator_account import OperatorAccount
from tests.support.waiting import wait_until

API = {"apiVersion": "flowcontrol.apiserver.k8s.io/v1"}
NAME = "throttled"
LEVEL = "prioritylevelconfiguration"
OF_LEVEL = f'priority_level="{NAME}"}}'
SEATS = f"apiserver_flowcontrol_nominal_limit_seats{{{OF_LEVEL}"
EXECUTED = f'apiserver_flowcontrol_current_executing_seats{{flow_schema="{NAME}",{OF_LEVEL}'
LEAST = timedelta(seconds=1)
"""The shortest Retry-After of the API server."""
UNDER_WAY = timedelta(seconds=0.7)
"""Time in which what had been sent before a rejection arrives."""
HELD = timedelta(seconds=HELD_SECONDS)
READS = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Throttle:
    """A priority level for the operator's requests alone; what exceeds it is rejected with 429.

    The requests for its Lease have the level that the chart gives them.
    """

    cluster: Cluster

    @classmethod
    def install(cls, account: OperatorAccount, shares: int) -> "Throttle":
        """Create the level with a number of shares, and send the operator's requests to it."""
        items = [
            _level(shares),
            _schema(account.user),
        ]
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        account.cluster.kubectl("create", "--filename=-", input=text)
        return cls(account.cluster)

    def set(self, shares: int) -> None:
        """Change the number of shares; even with none, one request is executed at a time."""
        before = self._seats()
        patch = json.dumps({"spec": {"limited": {"nominalConcurrencyShares": shares}}})
        self.cluster.kubectl("patch", LEVEL, NAME, "--type=merge", f"--patch={patch}")
        wait_until(self._seats, lambda seats: seats != before)

    def remove(self) -> None:
        """Delete the level."""
        self.cluster.kubectl("delete", f"flowschema/{NAME}", f"{LEVEL}/{NAME}")

    def wait_until_full(self) -> None:
        """Wait until a request is being executed."""
        metrics = ("get", "--raw=/metrics")
        wait_until(lambda: self.cluster.kubectl(*metrics), lambda text: f"{EXECUTED} 1" in text)

    def _seats(self) -> list[str]:
        """Return how many requests are executed at a time, as the API server's metrics say it."""
        metrics = self.cluster.kubectl("get", "--raw=/metrics").splitlines()
        return [line for line in metrics if line.startswith(SEATS)]


def rejected_writes(audit: AuditLog, namespace: str) -> list[Manifest]:
    """Return the audit events of writes that were rejected with 429."""
    return [event for event in _writes(audit, namespace) if _code(event) == 429]


def repeated_too_soon(audit: AuditLog, namespace: str) -> list[str]:
    """Return the requests that were sent again before the API server wanted them.

    Creations are not counted: those of several objects have the same URL.
    """
    events = sorted(
        (event for event in audit.requests(namespace) if event["verb"] != "create"),
        key=lambda event: (event["verb"], event["requestURI"], event["auditID"]),
    )
    too_soon = []
    for (verb, uri), group in groupby(events, lambda one: (one["verb"], one["requestURI"])):
        sent = sorted(group, key=_received)
        for first, second in pairwise(sent):
            if _code(first) == 429 and _received(second) - _received(first) < LEAST:
                too_soon.append(f"{verb} {uri}")
    return too_soon


def sent_before_repetition(audit: AuditLog, first: str, other: str) -> list[str]:
    """Return the writes of a namespace that came before the repetition of a *first* one.

    What was under way when the first one was rejected, and what has waited long, does not count.
    """
    writes = _writes(audit, first)
    windows = [
        (_received(one) + UNDER_WAY, min(_repeated(one, writes), _received(one) + HELD))
        for one in rejected_writes(audit, first)
    ]
    return [
        f"{_received(write)} {write['verb']} {write['requestURI']}"
        for write in _writes(audit, other)
        if any(start < _received(write) < end for start, end in windows)
    ]


def _repeated(rejection: Manifest, writes: list[Manifest]) -> datetime:
    """Return when a rejected write was sent again; if it was not, when it was sent."""
    same = (rejection["verb"], rejection["requestURI"])
    later = (
        _received(write)
        for write in writes
        if (write["verb"], write["requestURI"]) == same and _received(write) > _received(rejection)
    )
    return min(later, default=_received(rejection))


def _writes(audit: AuditLog, namespace: str) -> list[Manifest]:
    return [event for event in audit.requests(namespace) if event["verb"] not in READS]


def _received(event: Manifest) -> datetime:
    return datetime.fromisoformat(event["requestReceivedTimestamp"])


def _code(event: Manifest) -> int:
    return int(event.get("responseStatus", {}).get("code", 0))


def _level(shares: int) -> Manifest:
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    spec = {"type": "Limited", "limited": limited}
    kind = "PriorityLevelConfiguration"
    return {**API, "kind": kind, "metadata": {"name": NAME}, "spec": spec}


def _schema(user: str) -> Manifest:
    which = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    rules = {
        "subjects": [{"kind": "User", "user": {"name": user}}],
        "resourceRules": [which | {"clusterScope": True, "namespaces": ["*"]}],
    }
    spec = {
        "priorityLevelConfiguration": {"name": NAME},
        "matchingPrecedence": 900,
        "rules": [rules],
    }
    return {**API, "kind": "FlowSchema", "metadata": {"name": NAME}, "spec": spec}
