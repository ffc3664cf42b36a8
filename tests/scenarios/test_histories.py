"""Random histories of the whole decision: kills after any write, and users who notice nothing."""

import copy
from collections.abc import Callable
from random import Random

import pytest

from halimede.api.base import Manifest
from harness.fake_behaviour import Behaviour
from harness.fake_spec import GATEWAY
from tests.support.ingress_cluster import IngressCluster, serving

INGRESS: Manifest = {
    "type": "Ingress",
    "ingress": {"host": "digits.example.com", "tlsSecretName": "digits"},
}
EXPOSED: tuple[Manifest, ...] = (GATEWAY, INGRESS, {"type": "Service"})
VERBS = ("abort", "promote", "promote-full", "pause", "resume", "retry", "rollback", "dance")
STEPS = ((10,), (10, 50), (25, 75), (0, 30), (5, 20, 60))
BAD = Behaviour(error_rate=0.5)
BROKEN = Behaviour(container={"name": "triton", "ready": False, "state": {"waiting": {}}})


class History:
    """One random history of a ModelDeployment that serves."""

    def __init__(self, seed: int) -> None:
        """Begin with a first revision, exposed in one of the ways."""
        self.chance = Random(seed)
        self.cluster = serving(copy.deepcopy(EXPOSED[seed % len(EXPOSED)]), replicas=4)
        self.cluster.order = self.chance
        self.models = 1

    def ask(self) -> None:
        """Ask for another model, good, bad or broken."""
        self.models += 1
        self.cluster.model(self.models, self.chance.choice((None, None, BAD, BROKEN)))

    def go_back(self) -> None:
        """Ask for a model of before."""
        self.cluster.model(self.chance.randint(1, self.models))

    def edit(self) -> None:
        """Edit the way of rolling out."""
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
        """Ask for another number of pods."""
        self.cluster.edit(lambda spec: spec.update(replicas=self.chance.randint(2, 6)))

    def be_killed(self) -> None:
        """Have the operator die after one of its next writes."""
        self.cluster.lives = self.cluster.done + self.chance.randrange(8)

    def command(self) -> None:
        """Command something."""
        self.cluster.command(f"{self.chance.choice(VERBS)}@{self.chance.random()}")

    def lose_metrics(self) -> None:
        """Take Prometheus away, or bring it back."""
        self.cluster.prometheus.up = not self.cluster.prometheus.up

    def meddle(self) -> None:
        """Have somebody delete a child that serves nobody."""
        kinds = ("ConfigMap", "PodDisruptionBudget")
        found = [key for key in self.cluster.objects if key[0] in kinds]
        del self.cluster.objects[self.chance.choice(found)]

    def go_on(self) -> None:
        """Let one more thing happen, and some time go by."""
        ways: tuple[Callable[[], None], ...] = (
            self.ask, self.ask, self.go_back, self.edit, self.scale, self.be_killed,
            self.be_killed, self.command, self.lose_metrics, self.meddle,
        )  # fmt: skip
        self.chance.choice(ways)()
        self.cluster.run(self.chance.choice((1, 5, 30, 120, 700)))


def comes_to_rest(cluster: IngressCluster) -> bool:
    """Whether nothing is under way and another pass would do nothing."""
    if cluster.rollout is not None:
        return False
    plan = cluster.look()
    return not (plan.status or plan.applies or plan.deletes or plan.handovers)


@pytest.mark.parametrize("seed", range(24))
def test_every_history_ends_at_rest_and_loses_no_request(seed: int) -> None:
    """Given fifteen random events, no request met an empty backend, and then all is as asked."""
    history = History(seed)
    for _ in range(15):
        history.go_on()
    cluster = history.cluster
    assert (cluster.empty, cluster.lost) == ([], 0.0)
    cluster.prometheus.up, cluster.lives = True, None
    cluster.model(1).command("resume@end")
    cluster.until(lambda: comes_to_rest(cluster), 20_000)
    assert (cluster.empty, cluster.lost) == ([], 0.0)
