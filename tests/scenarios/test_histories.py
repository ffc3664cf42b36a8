"""Random histories of the planner: kills after any write, and no lost request."""

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from random import Random

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from harness.fake_behaviour import Behaviour, failing_fetcher, option
from harness.fake_spec import GATEWAY
from tests.support.ingress_cluster import IngressCluster, serving
from tests.support.records import is_planted, replace_record, restore_record

INGRESS: Manifest = {
    "type": "Ingress",
    "ingress": {"host": "digits.example.com", "tlsSecretName": "digits"},
}
EXPOSED: tuple[Manifest, ...] = (GATEWAY, INGRESS, {"type": "Service"})
VERBS = ("abort", "promote", "promote-full", "pause", "resume", "retry", "rollback", "dance")
STEPS = ((10,), (10, 50), (25, 75), (0, 30), (5, 20, 60))
CACHED: Manifest = {"cache": {"kind": "Volume", "volume": {"claimName": "models"}}}
BAD = Behaviour(error_rate=0.5)
SLOW = Behaviour(resolve_seconds=400.0)
UNRESOLVED = Behaviour(resolver=failing_fetcher(1, "the model is not there"))
BROKEN = Behaviour(container={"name": "triton", "ready": False, "state": {"waiting": {}}})


class History:
    """One random history of a ModelDeployment that serves."""

    def __init__(self, seed: int) -> None:
        """Start with a first revision and a random kind of `expose`."""
        self.chance = Random(seed)
        self.cached = seed // 2 % 2 == 1
        """Whether the models are in a cache, so that no pod needs its source."""
        self.cluster = serving(copy.deepcopy(EXPOSED[seed % len(EXPOSED)]), replicas=4)
        if seed % 2:
            # The digest of each model has to be determined.
            self.cluster.edit(lambda spec: spec["model"].pop("sha256"))
        if self.cached:
            self.cluster.edit(lambda spec: spec["model"].update(supply=copy.deepcopy(CACHED)))
        self.cluster.order = self.chance
        self.models = 1
        self.tokens = count(1)
        self.replaced: dict[str, Manifest] = {}
        """The records that were replaced, by name."""
        self.templates: dict[str, Manifest] = {}
        """The pod templates that were observed, by the uid of their Deployment."""

    def ask(self) -> None:
        """Set another model: good, bad or broken, or one that cannot be fetched yet."""
        self.models += 1
        kinds = (None, None, BAD, BROKEN, SLOW, UNRESOLVED)
        self.cluster.model(self.models, self.chance.choice(kinds))

    def go_back(self) -> None:
        """Set an earlier model."""
        self.cluster.model(self.chance.randint(1, self.models))

    def lose_a_source(self) -> None:
        """Delete what is at an address, or bring all back."""
        if self.cluster.lost_sources or not self.cached:
            self.cluster.lost_sources.clear()
        else:
            # The first one was fetched before there was a cache.
            number = self.chance.randint(2, self.models + 1)
            self.cluster.lost_sources[f"https://models.example/digits/{number}"] = self.cluster.now

    def edit(self) -> None:
        """Edit the rollout's settings."""
        strategy = self.chance.choice(("Canary", "BlueGreen"))
        steps = [{"weight": one, "minSeconds": 20} for one in self.chance.choice(STEPS)]
        control = {"controlPercent": self.chance.choice((0, 10, 40))}
        self.cluster.edit(
            lambda spec: (
                spec["rollout"].update(strategy=strategy),
                spec["rollout"]["canary"].update(steps=steps, **control),
                spec["rollout"]["blueGreen"].update(control),
            )
        )

    def scale(self) -> None:
        """Set another number of replicas."""
        self.cluster.edit(lambda spec: spec.update(replicas=self.chance.randint(2, 6)))

    def be_killed(self) -> None:
        """Kill the operator after one of its next writes."""
        self.cluster.lives = self.cluster.done + self.chance.randrange(8)

    def command(self, verb: str | None = None) -> None:
        """Give a command, a random one by default."""
        self.cluster.command(f"{verb or self.chance.choice(VERBS)}@{next(self.tokens)}")

    def lose_metrics(self) -> None:
        """Stop or start Prometheus."""
        self.cluster.prometheus.up = not self.cluster.prometheus.up

    def meddle(self) -> None:
        """Delete a child that serves no requests."""
        kinds = ("ConfigMap", "PodDisruptionBudget")
        result = [key for key in self.cluster.objects if key[0] in kinds]
        del self.cluster.objects[self.chance.choice(result)]

    def replace_record(self) -> None:
        """Plant another pod in the record of a revision."""
        records = [name for kind, name in self.cluster.objects if kind == "ConfigMap"]
        if name := self.chance.choice([*(set(records) - self.replaced.keys()), None]):
            before = replace_record(self.cluster, name.removeprefix("digits-"))
            self.replaced[name] = before

    def restore_records(self) -> None:
        """Restore the records that were replaced and that nobody has deleted."""
        for name, record in self.replaced.items():
            live = self.cluster.objects.get(("ConfigMap", name))
            if live is not None and live["data"] != record["data"]:
                restore_record(self.cluster, record)
        self.replaced.clear()

    def upgrade(self) -> None:
        """Upgrade the operator, whose image fetches models."""
        image = f"registry.example/halimede-fetch:{self.chance.random()}"
        self.cluster.platform = replace(self.cluster.platform, fetch_image=image)

    def go_on(self) -> None:
        """Run a random action, and let some time pass."""
        ways: tuple[Callable[[], None], ...] = (
            self.ask, self.ask, self.go_back, self.edit, self.scale, self.be_killed,
            self.be_killed, self.command, self.lose_metrics, self.meddle,
            self.replace_record, self.restore_records, self.upgrade, self.lose_a_source,
        )  # fmt: skip
        self.chance.choice(ways)()
        self.cluster.run(self.chance.choice((1, 5, 30, 120, 700)))
        self.check_pods()

    def check_pods(self) -> None:
        """No Deployment ever gets another pod template, and nothing planted is in any object.

        Each pod knows the digest of the model that it serves, or of its files in the cache.
        """
        for (kind, _), live in self.cluster.objects.items():
            if kind == "Deployment":
                template = copy.deepcopy(live["spec"]["template"])
                assert self.templates.setdefault(live["metadata"]["uid"], template) == template
                args = template["spec"]["initContainers"][0]["args"]
                in_cache = ("models", option(args, "--files")) in self.cluster.cached
                assert in_cache or "--sha256" in args
        assert not is_planted(self.cluster)


def comes_to_rest(cluster: IngressCluster) -> bool:
    """Return whether no rollout is running and another pass changes nothing."""
    if cluster.rollout is not None:
        return False
    plan = cluster.reconcile()
    return not (plan.status or plan.applies or plan.deletes or plan.handovers)


def waits(cluster: IngressCluster) -> bool:
    """Return whether a rollout may wait for a command: for evidence, or for pods of stable.

    A stable revision whose record is lost is not scaled any more.
    """
    unhealthy = cluster.condition("Ready") == ("Unknown", "StableUnhealthy")
    return cluster.state is State.ANALYSING or unhealthy


@pytest.mark.parametrize("seed", range(24))
def test_every_history_ends_at_rest_and_loses_no_request(seed: int) -> None:
    """Given fifteen random actions, no request is lost, and in the end the spec is reached."""
    history = History(seed)
    for _ in range(15):
        history.go_on()
    cluster = history.cluster
    assert (cluster.empty, cluster.lost) == ([], 0.0)
    cluster.prometheus.up, cluster.lives = True, None
    history.restore_records()
    cluster.lost_sources.clear()
    cluster.model(1)
    history.command("resume")
    cluster.until(lambda: comes_to_rest(cluster) or waits(cluster), 20_000)
    # A revision that cannot have the name of before, as its record is lost, is a new one.
    history.command("promote-full-force")
    cluster.until(lambda: comes_to_rest(cluster), 20_000)
    history.check_pods()
    assert (cluster.empty, cluster.lost) == ([], 0.0)
    assert not [event for event in cluster.events if "the token" in event.message]
