"""A user of Halimede in the tests: applies objects, reads the status, and sends load."""

import copy
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from halimede.api.conditions import Condition, ConditionType
from halimede.api.status import Outcome as Ended
from harness import manifests
from harness.data import digits
from harness.load import Load, Plan
from harness.models import Version
from harness.records import Outcome, Record
from harness.watch import Snapshot, Watch
from localcluster.cluster import Cluster
from localcluster.diagnosis import describe_namespace, kubectl_in
from tests.support.waiting import WITHIN, wait_until

NAME = manifests.NAME

CROWD = 100.0
"""Requests/s of the high load; more would show no more, and take time from the other tests."""
MANY = 2_000
"""Requests in each block that must lose none; most blocks take longer and have more."""


@dataclass(slots=True)
class User:
    """A user who serves the demo's models in a new namespace."""

    cluster: Cluster
    namespace: str
    versions: dict[str, Version]
    records_file: Path
    generation: int = 0
    """The generation of the last applied ModelDeployment."""
    tokens: Iterator[int] = field(default_factory=lambda: count(1))
    """The tokens of the next commands."""
    watch: Watch = field(init=False)
    load: Load = field(init=False)

    def __post_init__(self) -> None:
        """Create the namespace and the models, and prepare the load without starting it."""
        self.cluster.kubectl("create", "namespace", self.namespace)
        for version in self.versions.values():
            config_map = manifests.config_map(version)
            config_map["metadata"]["namespace"] = self.namespace
            self.apply(config_map)
        self.watch = Watch(self.cluster.kubeconfig, self.namespace, NAME)
        address = "{}:{}".format(*self.cluster.gateway)
        self.load = Load(
            Plan(
                http=address,
                grpc=address,
                authority=self.hostname,
                model=NAME,
                images=digits()[1],
                records=self.records_file,
                rate=40.0,
                seconds=1500.0,
            )
        )

    @property
    def hostname(self) -> str:
        """The hostname of the model at the gateway."""
        return f"{self.namespace}.example.com"

    def apply(self, manifest: dict[str, Any]) -> int:
        """Apply an object unchanged and return its generation, or 0 if it has none."""
        flags = ("--server-side", "-f", "-", "--output", "jsonpath={.metadata.generation}")
        output = self.cluster.kubectl("apply", *flags, input=json.dumps(manifest))
        return int(output or 0)

    def asks_for(self, version: str, **changes: object) -> None:
        """Apply the ModelDeployment with ``version``.

        ``changes`` are merged into the spec; the keys are field names joined by ``__``, and None
        removes a field.
        """
        manifest = copy.deepcopy(manifests.model_deployment(version))
        manifest["metadata"]["namespace"] = self.namespace
        manifest["spec"]["expose"]["gateway"]["hostnames"] = [self.hostname]
        manifest["spec"]["rollout"]["abortScaleDownDelaySeconds"] = 5
        for path, value in changes.items():
            *outer, last = path.split("__")
            here = manifest["spec"]
            for name in outer:
                here = here.setdefault(name, {})
            here[last] = value
            if value is None:
                del here[last]
        self.generation = self.apply(manifest)

    def commands(self, verb: str) -> None:
        """Annotate the ModelDeployment with a command, with the next token and the own name."""
        name = self.kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
        command = f"halimede.dev/command={verb}@{next(self.tokens)}"
        by = f"halimede.dev/command-by={name}"
        self.kubectl("annotate", "--overwrite", "mdeploy", NAME, command, by)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in this namespace; a wait that times out fails with a diagnosis."""
        return kubectl_in(self.cluster, self.namespace, *arguments)

    def sees(
        self, what: str, until: Callable[[Snapshot], bool], within: float = WITHIN
    ) -> Snapshot:
        """Wait for a status of the last applied generation for which ``until`` holds.

        On timeout it fails with the last status.
        """

        def holds(latest: Snapshot | None) -> bool:
            current = latest is not None and latest.current
            return current and latest.generation >= self.generation and until(latest)

        def explain() -> str:
            last = self.watch.latest
            status = last and json.dumps(last.status.to_manifest(), indent=1)
            return f"{what} was not seen; the status:\n{status}\n{self.explain()}"

        snapshot = wait_until(lambda: self.watch.latest, holds, within=within, explain=explain)
        assert snapshot is not None
        return snapshot

    def serves(self, version: str) -> str:
        """Apply ``version`` as the first one, wait until it is Ready, and return its revision."""
        self.asks_for(version)
        return self.sees(f"{version} Ready", lambda seen: seen.ready).stable

    def starts_load(self, rate: float = 40.0) -> None:
        """Send *rate* requests/s, and wait until the first 40 are answered."""
        self.load = Load(replace(self.load.plan, rate=rate))
        self.load.start()
        self.waits_for_requests(40)

    def waits_for_requests(self, more: int) -> None:
        """Wait until *more* requests are answered."""
        goal = len(self.requests()) + more
        wait_until(
            lambda: len(self.requests()),
            lambda number: number >= goal,
            explain=lambda: f"{more} requests did not come\n{self.explain()}",
        )

    def explain(self) -> str:
        """Describe the faults in the namespace and the last requests."""
        last = "\n".join(map(str, self.requests()[-5:]))
        return f"{describe_namespace(self.cluster, self.namespace)}\nthe last requests:\n{last}"

    @contextmanager
    def serves_many(self) -> Iterator[set[str]]:
        """Wait after the block until `MANY` requests since its start are answered; none may fail.

        Exception: requests to a revision that the block adds to the yielded set.
        """
        before = len(self.requests())
        blamed: set[str] = set()
        yield blamed
        self.waits_for_requests(before + MANY - len(self.requests()))
        new = self.requests()[before:]
        failed = [one for one in new if one.outcome is not Outcome.OK]
        assert [one for one in failed if one.revision not in blamed] == []

    def requests(self) -> list[Record]:
        """Return all requests that are answered so far."""
        self.load.journal.catch_up()
        return self.load.journal.records

    def outcomes(self) -> list[Ended]:
        """Return the outcomes of the rollouts, in order."""
        ended = (seen.status.last_rollout for seen in self.watch.history)
        return list({one.id: one.outcome for one in ended if one}.values())

    def errors(self) -> list[Record]:
        """Return the failed requests."""
        return [one for one in self.requests() if one.outcome is not Outcome.OK]

    def events(self) -> list[dict[str, Any]]:
        """Return the Events about the ModelDeployment."""
        output = self.kubectl("get", "events", "--output", "json")
        events: list[dict[str, Any]] = json.loads(output)["items"]
        return [one for one in events if one["involvedObject"]["kind"] == "ModelDeployment"]

    def leaves(self) -> None:
        """Stop the load and delete the namespace, unless the test has deleted it."""
        self.load.stop()
        self.watch.stop()
        gone = ("--ignore-not-found", "--wait=false")
        self.cluster.kubectl("delete", "namespace", self.namespace, *gone)


def condition(seen: Snapshot, kind: ConditionType) -> Condition | None:
    """Return a condition by its type, or None."""
    return next((one for one in seen.status.conditions if one.type is kind), None)


def ready(seen: Snapshot) -> Condition:
    """Return the condition Ready, which always exists."""
    condition_ready = condition(seen, ConditionType.READY)
    assert condition_ready is not None
    return condition_ready


def kill_operator(cluster: Cluster) -> set[int]:
    """Kill -9 the processes of all the operator's replicas and return their ids."""
    victims = operator_processes(cluster)
    assert victims, "no operator runs"
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    return victims


def operator_processes(cluster: Cluster) -> set[int]:
    """Return the process ids of the operator's replicas, as they are outside the cluster."""
    return {pid for pid in descendants(cluster.pid) if _is_operator(pid)}


def _is_operator(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.endswith(b"/halimede") for word in words[:2]) and b"run" in words


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started, and those have started."""
    threads = Path(f"/proc/{pid}/task").glob("*")
    children = [int(one) for thread in threads for one in _children(thread)]
    return [one for child in children for one in (child, *descendants(child))]


def _children(thread: Path) -> list[str]:
    try:
        return (thread / "children").read_text().split()
    except OSError:
        return []  # The thread has just ended.
