"""The Job that resolves a source, as it was observed."""

from dataclasses import dataclass
from datetime import datetime

from halimede.api.base import Manifest
from halimede.plan.observed import Observed
from halimede.plan.pod_problems import condition, has_ended
from halimede.rollout.events import join_sentences


@dataclass(frozen=True, slots=True)
class ResolverJob:
    """A Job, its pods, and what they show."""

    observed: Observed
    name: str

    @property
    def live(self) -> Manifest | None:
        """The live Job; None: there is none."""
        mine = (
            child
            for child in self.observed.children
            if (child["kind"], child["metadata"]["name"]) == ("Job", self.name)
        )
        return next(mine, None)

    @property
    def pods(self) -> tuple[Manifest, ...]:
        """Its pods."""
        uid = self.live["metadata"]["uid"] if self.live else None
        return tuple(
            pod
            for pod in self.observed.resolvers
            if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or ())
        )

    @property
    def failure(self) -> str | None:
        """Why it failed as a whole, which we do not ask for; None: it did not."""
        conditions = ((self.live or {}).get("status") or {}).get("conditions") or ()
        for one in conditions:
            if (one["type"], one["status"]) == ("Failed", "True"):
                why = f"Job {self.name} has failed ({one.get('reason') or 'unknown reason'})"
                return join_sentences(why, one.get("message") or "")
        return None

    @property
    def progress(self) -> str:
        """What is known of it while its pods show no problem."""
        if (
            not self.pods
            and condition((self.live or {}).get("status") or {}, "Complete") == "True"
        ):
            return (
                f"Job {self.name} is complete, but its pod is gone: delete the Job to repeat it."
            )
        if not self.pods:
            return f"Job {self.name} has no pod yet. {self._show_events(self.name)}"
        pod = self.pods[-1]
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        if has_ended(pod):
            reason = status.get("reason") or status["phase"]
            return join_sentences(f"Pod {name} has ended ({reason})", status.get("message") or "")
        return f"Pod {name} has not started yet. {self._show_events(name)}"

    def _show_events(self, name: str) -> str:
        namespace = self.observed.deployment.metadata.namespace
        return (
            f"Its Events may say why: kubectl --namespace {namespace} get events --field-selector"
            f" involvedObject.name={name}"
        )

    @property
    def deadline(self) -> float | None:
        """When it has taken too long; None: it does not exist yet."""
        if self.live is None:
            return None
        created = datetime.fromisoformat(self.live["metadata"]["creationTimestamp"]).timestamp()
        return created + self.observed.deployment.spec.model.fetch_timeout_seconds
