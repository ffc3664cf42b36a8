"""Users behind Ingresses or a plain Service, and an operator that may die between any two writes.

Requests go where ingress-nginx would send them, and where kube-proxy would; as either follows
with a delay, they go by what the cluster said one tick ago, to pods that are ready now.
"""

import copy
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from halimede.api.base import Manifest
from halimede.api.status import State
from halimede.plan.observed import Observed
from halimede.plan.plan import Plan
from halimede.render.traffic import NGINX
from harness.fake_behaviour import Behaviour, pod_manifest
from harness.fake_cluster import FakeCluster
from harness.fake_spec import SPEC

ROUTES = ("HTTPRoute", "Ingress")
Objects = dict[tuple[str, str], Manifest]
NOTHING = Plan(None, (), (), (), None)


@dataclass
class IngressCluster(FakeCluster):
    """A cluster in which every single write is looked at, and may be the operator's last."""

    lives: int | None = None
    """How many writes the operator does before it dies; None: it does not."""
    away_seconds: float = 60.0
    """How long it is away then."""
    order: random.Random = field(default_factory=lambda: random.Random(1))
    """Shuffles the writes that are done at the same time."""
    foreign: int = 0
    """Pods of a revision that nobody knows."""
    done: int = 0
    """How many writes there were."""
    empty: list[str] = field(default_factory=list)
    """What was found wrong after a write."""
    _back_at: float = 0.0
    _told: Objects = field(default_factory=dict)

    def observe(self) -> Observed:
        """Look, and see foreign pods as well."""
        seen = super().observe()
        pods = (
            pod_manifest(f"digits-0-{number}", "0", self.now, Behaviour(), ready=True)
            for number in range(self.foreign)
        )
        return replace(seen, pods=(*seen.pods, *pods))

    def carry_out(self, plan: Plan) -> None:
        """Do one write after the other: those of a wave in any order, routes after the rest."""
        for part in self._parts(plan):
            if self.lives is not None and self.done >= self.lives:
                self.lives, self._back_at = None, self.now + self.away_seconds
                return
            super().carry_out(part)
            self.done += 1
            self.empty += self.wrong()
        self.events.extend(plan.events)

    def settle(self) -> None:
        """Do nothing while the operator is away."""
        if self.now >= self._back_at:
            super().settle()

    def tick(self, seconds: float) -> None:
        """Let proxies learn, after this time, what the cluster says now."""
        super().tick(seconds)
        self._told = {
            key: copy.deepcopy(one)
            for key, one in self.objects.items()
            if key[0] in ("Ingress", "Service")
        }

    def wrong(self) -> list[str]:
        """Find what could meet an empty backend by the objects as they are."""
        found = []
        for main in self._mains(self.objects):
            if self.stable is not None and not self._behind(self.objects, _backend(main)):
                found.append(f"{main['metadata']['name']} leads to no ready pod")
            canary = self.objects.get(("Ingress", f"{main['metadata']['name']}-canary"))
            if canary and not self._behind(self.objects, _backend(canary)):
                found.append(f"{canary['metadata']['name']} leads to no ready pod")
        if not self._behind(self.objects, "digits") and self.stable is not None:
            found.append("the entry Service has no ready pod")
        return found

    def shares(self) -> dict[str, float]:
        """Tell which part of the connections each revision gets at the entry Service."""
        pods = self._behind(self.objects, "digits")
        owners = [self.pods[pod][0] for pod in pods]
        return {one: owners.count(one) / len(owners) for one in sorted(set(owners))}

    def _parts(self, plan: Plan) -> Iterator[Plan]:
        waves: list[list[Plan]] = [
            [replace(NOTHING, handovers=(one,)) for one in plan.handovers],
            [replace(NOTHING, applies=(one,)) for one in _of(plan.applies, routes=False)],
            [replace(NOTHING, applies=(one,)) for one in _of(plan.applies, routes=True)],
            [replace(NOTHING, deletes=(one,)) for one in plan.deletes],
        ]
        for wave in waves:
            yield from self.order.sample(wave, len(wave))

    def _mains(self, objects: Objects) -> list[Manifest]:
        return [
            one
            for (kind, name), one in objects.items()
            if kind == "Ingress" and not name.endswith("-canary")
        ]

    def _behind(self, objects: Objects, service: str) -> list[str]:
        """List the ready pods that a Service leads to."""
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
        """Have users' requests answered, half by HTTP and half by gRPC if there are both."""
        told = self._told or self.objects
        mains = self._mains(told)
        requests = self.requests_per_second * seconds
        if not mains:
            self._answer(self._behind(told, "digits"), requests)
        for main in mains:
            self._serve_ingress(told, main, requests / len(mains))

    def _serve_ingress(self, told: Objects, main: Manifest, requests: float) -> None:
        pods = self._behind(told, _backend(main))
        canary = told.get(("Ingress", f"{main['metadata']['name']}-canary"))
        others = self._behind(told, _backend(canary)) if canary else []
        if not pods:
            self.lost += requests
        elif canary is None or not others:
            self._answer(pods, requests)
        else:
            notes = canary["metadata"]["annotations"]
            share = int(notes[f"{NGINX}/canary-weight"]) / int(
                notes[f"{NGINX}/canary-weight-total"]
            )
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


def _of(applies: Iterable[Manifest], *, routes: bool) -> list[Manifest]:
    return [one for one in applies if (one["kind"] in ROUTES) is routes]


def _backend(ingress: Manifest) -> str:
    path = ingress["spec"]["rules"][0]["http"]["paths"][0]
    return str(path["backend"]["service"]["name"])


Story = Callable[[IngressCluster], object]


def promote(cluster: IngressCluster) -> None:
    """Roll a good revision out."""
    cluster.model(2).run(10)
    cluster.until(cluster.ready)


def abort_at(state: State) -> Story:
    """Have somebody abort a rollout in some state."""

    def story(cluster: IngressCluster) -> None:
        cluster.model(2).until(lambda: cluster.state is state)
        cluster.command("abort@1").run(300)

    return story


def third(cluster: IngressCluster) -> None:
    """Ask for a third revision in mid-canary."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.model(3).run(10)
    cluster.until(cluster.ready)


def revert(cluster: IngressCluster) -> None:
    """Go back to the old revision in mid-canary."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.model(1).run(10)
    cluster.until(cluster.ready)


def baking_without(story: Story) -> Story:
    """Leave the stable revision nothing in the bake."""

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
"""By name: a strategy, and what happens."""


def loses_nothing(first: IngressCluster, story: Story) -> None:
    """Hold a story to it that no request is lost, and so if the operator dies on the way."""
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
