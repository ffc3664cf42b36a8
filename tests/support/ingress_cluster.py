"""A fake cluster with Ingresses or a Service, whose operator can be killed after any write.

Requests are routed as by ingress-nginx or kube-proxy. Both follow with a delay, so requests use
the objects of one tick ago, and the pods that are ready now.
"""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from halimede.api.base import Manifest
from halimede.api.expose import CANARY
from halimede.api.status import State
from halimede.plan.foreign import is_owned_by
from halimede.plan.observed import Observed
from halimede.plan.plan import Plan
from halimede.plan.write_order import waves
from harness.fake_behaviour import Behaviour, pod_manifest
from harness.fake_cluster import UID, FakeCluster
from harness.fake_spec import SPEC

Objects = dict[tuple[str, str], Manifest]
NOTHING = Plan(None, (), (), (), None)


@dataclass
class IngressCluster(FakeCluster):
    """A cluster that is checked after every write, and whose operator can be killed there."""

    lives: int | None = None
    """Number of writes before the operator is killed. None: it is not killed."""
    away_seconds: float = 60.0
    """Seconds until it is restarted."""
    order: random.Random = field(default_factory=lambda: random.Random(1))
    """Shuffles the writes that are sent at the same time."""
    foreign: int = 0
    """Number of pods of an unknown revision."""
    done: int = 0
    """Number of writes so far."""
    empty: list[str] = field(default_factory=list)
    """Backends found without ready pods after a write."""
    _back_at: float = 0.0
    _known_objects: Objects = field(default_factory=dict)

    def observe(self) -> Observed:
        """Observe the cluster, including foreign pods."""
        seen = super().observe()
        pods = (
            pod_manifest(f"digits-0-{number}", "0", self.now, Behaviour(), ready=True)
            for number in range(self.foreign)
        )
        return replace(seen, pods=(*seen.pods, *pods))

    def execute(self, plan: Plan) -> None:
        """Execute the writes one by one: each wave in random order."""
        for wave in self._waves(plan):
            for part in self.order.sample(wave, len(wave)):
                if self.lives is not None and self.done >= self.lives:
                    self.lives, self._back_at = None, self.now + self.away_seconds
                    return
                super().execute(part)
                self.done += 1
                self.empty += self.wrong()
            if self._interrupted:
                break
        self.events.extend(plan.events)

    def settle(self) -> None:
        """Do nothing while the operator is away."""
        if self.now >= self._back_at:
            super().settle()

    def tick(self, seconds: float) -> None:
        """Let the time pass and then update the proxies with the present objects."""
        super().tick(seconds)
        self._known_objects = {
            key: copy.deepcopy(one)
            for key, one in self.objects.items()
            if key[0] in ("Ingress", "Service")
        }

    def wrong(self) -> list[str]:
        """Return the Ingresses and Services whose pods are not ready, by the present objects."""
        problems = []
        for main in self._mains(self.objects):
            if self.stable is not None and not self._behind(self.objects, _backend(main)):
                problems.append(f"{main['metadata']['name']} leads to no ready pod")
            canary = self.objects.get(("Ingress", f"{main['metadata']['name']}-canary"))
            if canary and not self._behind(self.objects, _backend(canary)):
                problems.append(f"{canary['metadata']['name']} leads to no ready pod")
        if not self._behind(self.objects, "digits") and self.stable is not None:
            problems.append("the entry Service has no ready pod")
        return problems

    def shares(self) -> dict[str, float]:
        """Return the fraction of connections that each revision gets at the entry Service."""
        pods = self._behind(self.objects, "digits")
        owners = [self.pods[pod][0] for pod in pods]
        return {one: owners.count(one) / len(owners) for one in sorted(set(owners))}

    def _waves(self, plan: Plan) -> list[list[Plan]]:
        return [
            [replace(NOTHING, handovers=(one,)) for one in plan.handovers],
            *([replace(NOTHING, applies=(one,)) for one in wave] for wave in waves(plan.applies)),
            [replace(NOTHING, deletes=(one,)) for one in plan.deletes],
        ]

    def _mains(self, objects: Objects) -> list[Manifest]:
        return [
            one
            for (kind, name), one in objects.items()
            if kind == "Ingress" and not name.endswith("-canary") and is_owned_by(one, UID)
        ]

    def _behind(self, objects: Objects, service: str) -> list[str]:
        """Return the ready pods that a Service selects."""
        selector = objects.get(("Service", service), {}).get("spec", {}).get("selector")
        if selector is None:
            return []
        revision = selector.get("halimede.dev/revision")
        return [
            pod
            for pod, (owner, _) in self.pods.items()
            if revision in (None, owner) and self._is_ready(pod)
        ]

    def _serve(self, seconds: float) -> None:
        """Answer users' requests, half by HTTP and half by gRPC if there are both."""
        objects = self._known_objects or self.objects
        mains = self._mains(objects)
        requests = self.requests_per_second * seconds
        if not mains:
            self._answer(self._behind(objects, "digits"), requests)
        for main in mains:
            self._serve_ingress(objects, main, requests / len(mains))

    def _serve_ingress(self, objects: Objects, main: Manifest, requests: float) -> None:
        pods = self._behind(objects, _backend(main))
        canary = objects.get(("Ingress", f"{main['metadata']['name']}-canary"))
        others = self._behind(objects, _backend(canary)) if canary else []
        if not pods:
            self.lost += requests
        elif canary is None or not others:
            self._answer(pods, requests)
        else:
            notes = canary["metadata"]["annotations"]
            share = int(notes[f"{CANARY}-weight"]) / int(notes[f"{CANARY}-weight-total"])
            self._answer(others, requests * share)
            self._answer(pods, requests * (1 - share))

    def _answer(self, pods: list[str], requests: float) -> None:
        if not pods:
            self.lost += requests
        for pod in pods:
            owner, part = self.pods[pod][0], requests / len(pods)
            errors = part * self._behaviour(owner).error_rate
            self.failed += errors
            self.prometheus.count(f"ml_digits-{owner}_8000", pod, part, errors)


def _backend(ingress: Manifest) -> str:
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    return str(path["backend"]["service"]["name"])


Story = Callable[[IngressCluster], object]


def promote(cluster: IngressCluster) -> None:
    """Roll a good revision out."""
    cluster.model(2).run(10)
    cluster.until(cluster.ready)


def abort_at(state: State) -> Story:
    """Abort a rollout in this state."""

    def story(cluster: IngressCluster) -> None:
        cluster.model(2).until(lambda: cluster.state is state)
        cluster.command("abort@1").run(300)

    return story


def third(cluster: IngressCluster) -> None:
    """Set a third model during a canary."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.model(3).run(10)
    cluster.until(cluster.ready)


def revert(cluster: IngressCluster) -> None:
    """Revert to the old model during a canary."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.model(1).run(10)
    cluster.until(cluster.ready)


def baking_without(story: Story) -> Story:
    """Run the story without a control share."""

    def bare(cluster: IngressCluster) -> None:
        cluster.edit(lambda spec: spec["rollout"]["canary"].update(controlPercent=0))
        story(cluster)

    return bare


STORIES: dict[str, tuple[str, Story]] = {
    "promote": ("Canary", promote),
    "abort a step": ("Canary", abort_at(State.ANALYSING)),
    "abort a promotion": ("Canary", abort_at(State.PROMOTING)),
    "promote without a control share": ("Canary", baking_without(promote)),
    "abort a bake without a control share": ("Canary", baking_without(abort_at(State.BAKING))),
    "third": ("Canary", third),
    "revert": ("Canary", revert),
    "switch": ("BlueGreen", promote),
    "switch back": ("BlueGreen", abort_at(State.BAKING)),
}
"""By name: a strategy and the story."""


def loses_nothing(first: IngressCluster, story: Story) -> None:
    """Assert that the story loses no request, also if the operator is killed after any write."""
    whole = copy.deepcopy(first)
    story(whole)
    assert (whole.empty, whole.lost) == ([], 0.0)
    for lives in range(1, whole.done, 2):
        cluster = copy.deepcopy(first)
        cluster.lives, cluster.order = lives, random.Random(lives)
        story(cluster)
        assert (lives, cluster.empty, cluster.lost) == (lives, [], 0.0)
        assert (cluster.stable, cluster.rollout) == (whole.stable, None)


def serving(expose: Manifest, strategy: str = "Canary", replicas: int = 2) -> IngressCluster:
    """Make a cluster in which a first revision serves, without counters of a router."""
    cluster = IngressCluster(spec=copy.deepcopy(SPEC), requests_per_second=400.0)
    cluster.spec |= {"expose": expose, "replicas": replicas}
    cluster.spec["rollout"]["strategy"] = strategy
    cluster.spec["rollout"]["canary"]["bakeSeconds"] = 30
    cluster.spec["rollout"]["blueGreen"] = {"autoPromote": True, "bakeSeconds": 60}
    cluster.spec["rollout"]["analysis"]["provider"] = "None"
    cluster.until(cluster.ready)
    cluster.run(120)
    cluster.lost, cluster.done, cluster.empty = 0.0, 0, []
    return cluster
