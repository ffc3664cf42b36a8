"""The stage on which scenes play: the cluster, the users, the observations and the claims."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo.claims import Claim, StuckError, UntrueError
from demo.supply import Supply
from demo.verdict import Verdict
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import KIND
from harness import manifests
from harness.load import Load
from harness.models import Version
from harness.records import Record
from harness.watch import Snapshot, Watch
from localcluster import chart, diagnosis
from localcluster.cluster import Access

POLL_INTERVAL = 0.2
"""Seconds between two polls of a condition."""
WITHIN_SECONDS = 300.0
"""Seconds until the demo ends because something has not happened; a loaded machine is slow."""


@dataclass(slots=True)
class Stage:
    """Everything a scene works with; scenes use its methods given, when and then."""

    cluster: Access
    versions: dict[str, Version]
    out: Path
    """The folder for records and pictures."""
    supply: Supply
    """Where the versions' files are."""
    load: Load
    watch: Watch
    narrate: Callable[[str], None] = print
    """Called with each line of the story."""
    claims: list[Claim] = field(default_factory=list)
    revisions: dict[str, str] = field(default_factory=dict)
    """The revision that Halimede made of each version that was applied."""
    scene: str = ""
    scene_began: float = 0.0

    def begin(self, scene: str) -> None:
        """Start a scene: what is claimed and counted from here on belongs to it."""
        self.scene, self.scene_began = scene, time.time()
        self.narrate(f"● {scene}")

    def given(self, text: str, *, holds: bool) -> None:
        """Require the state that the scene starts from.

        Raises:
            StuckError: The state is another one, and the scene would show nothing.
        """
        if not holds:
            raise StuckError(f"the scene needs: {text}")

    def when(self, text: str) -> None:
        """Narrate what is being done."""
        self.narrate(f"→ {text}")

    def then(self, text: str, *, holds: bool, found: object = "") -> None:
        """Claim something, with what was found; a claim that does not hold fails the demo."""
        claim = Claim(self.scene, text, holds, str(found))
        self.claims.append(claim)
        self.narrate(claim.line())

    def end(self) -> None:
        """End the scene.

        Raises:
            UntrueError: One of its claims did not hold.
        """
        untrue = [claim for claim in self.claims if claim.scene == self.scene and not claim.holds]
        if untrue:
            raise UntrueError(untrue)

    def apply(self, *objects: Manifest) -> None:
        """Apply ``objects`` with kubectl, as a user would."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(listed))

    def ask_for(self, version: str) -> str:
        """Apply the ModelDeployment with ``version`` and return the revision made of it."""
        self.apply(manifests.model_deployment(version, self.supply.source(version)))
        generation = int(self._query("modeldeployment", manifests.NAME, "{.metadata.generation}"))
        snapshot = self.wait(
            f"Halimede to see {version}",
            lambda seen: seen.current and seen.generation >= generation and seen.resolved,
        )
        self.revisions[version] = snapshot.target
        return snapshot.target

    def wait(self, what: str, until: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait for a status for which ``until`` holds, and return it.

        Raises:
            StuckError: It did not come within `WITHIN_SECONDS`.
        """
        deadline = time.time() + WITHIN_SECONDS
        while time.time() < deadline:
            snapshot = self.watch.latest
            if snapshot and until(snapshot):
                return snapshot
            self.pause()
        raise self._stuck(what, self._last_seen())

    def wait_for_start(self, version: str) -> None:
        """Wait until the rollout of ``version`` begins: one that is being stopped ends first.

        Raises:
            StuckError: It did not begin within `WITHIN_SECONDS`.
        """
        revision = self.revisions[version]

        def begun(seen: Snapshot) -> bool:
            return seen.status.rollout is not None and seen.status.rollout.revision == revision

        self.wait(f"{version} to start", begun)

    def wait_for_verdict(self, version: str) -> Verdict:
        """Wait until the outcome of ``version`` is decided, and traffic has followed.

        Raises:
            StuckError: That did not happen within `WITHIN_SECONDS`.
        """
        revision = self.revisions[version]
        seen = self.wait(
            f"the verdict on {version}",
            lambda seen: Verdict.on(revision, seen) is not None and seen.at_rest,
        )
        verdict = Verdict.on(revision, seen)
        if verdict is None:
            raise AssertionError("the wait above has seen it")
        return verdict

    def wait_for_requests(self, what: str, enough: Callable[[], bool]) -> None:
        """Wait until the users' records fulfil ``enough``.

        Raises:
            StuckError: They did not within `WITHIN_SECONDS`.
        """
        deadline = time.time() + WITHIN_SECONDS
        while not enough():
            if time.time() > deadline:
                raise self._stuck(what, self._last_requests())
            self.pause()

    def pause(self, seconds: float = POLL_INTERVAL) -> None:
        """Wait while the users go on, then read their records."""
        self.load.journal.catch_up()
        threading.Event().wait(seconds)

    def records(self, since: float | None = None) -> list[Record]:
        """Return the requests sent from ``since`` on, or since the scene began."""
        start = self.scene_began if since is None else since
        return [record for record in list(self.load.journal.records) if record.at >= start]

    def answered_by(self, version: str) -> list[Record]:
        """Return this scene's requests that ``version`` answered, with or without an error."""
        return [record for record in self.records() if record.version == version]

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots of the resource since the scene began."""
        return self.watch.since(self.scene_began)

    def events(self) -> list[Manifest]:
        """Return the Kubernetes Events about the ModelDeployment."""
        about = f"involvedObject.kind={KIND},involvedObject.name={manifests.NAME}"
        return self._list("events", "--field-selector", about)

    def pods(self, version: str) -> list[Manifest]:
        """Return the pods of a version that was applied."""
        return self._list("pods", "--selector", f"halimede.dev/revision={self.revisions[version]}")

    def _list(self, *what: str) -> list[Manifest]:
        items: list[Manifest] = json.loads(self._get(*what, "--output", "json"))["items"]
        return items

    def _query(self, kind: str, name: str, path: str) -> str:
        return self._get(kind, name, "--output", f"jsonpath={path}")

    def _get(self, *arguments: str) -> str:
        return self.cluster.kubectl("--namespace", manifests.NAMESPACE, "get", *arguments)

    def _stuck(self, what: str, last: str) -> StuckError:
        """Return the error of a time-out: its condition, the last state, and the pods' state."""
        states = [
            diagnosis.describe_namespace(self.cluster, namespace)
            for namespace in (manifests.NAMESPACE, chart.NAMESPACE)
        ]
        waited = f"waited {WITHIN_SECONDS:.0f} s for {what}; last seen: {last}"
        return StuckError("\n".join([waited, *states]))

    def _last_requests(self) -> str:
        records = self.records()
        last = [f"{record.outcome} ({record.status} {record.detail})" for record in records[-5:]]
        return f"{len(records)} requests in this scene, the last of them: {', '.join(last)}"

    def _last_seen(self) -> str:
        latest = self.watch.latest
        if latest is None:
            return "nothing"
        return latest.status.model_dump_json(exclude_none=True, exclude={"warm_revisions"})[:2000]
