"""Objects that were made to end the operator: many, large, deep, and edited again and again."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import model, put

DEEP = "deep"
"""The ModelDeployment that is too deep for Python's JSON parser."""
LARGE = "large"
"""The ModelDeployment that is edited with more than a podTemplate may have."""
CHANGED = tuple(f"changed{number}" for number in range(10))
"""ModelDeployments with valid edits, each of which is a new revision. They are edited in turn, so
that the operator has the time to begin its rollout."""
LARGE_DATA = "x" * 1_000_000
LARGE_EDIT = 600_000
"""Bytes of a podTemplate that the API server accepts and the operator does not."""
VARIABLES = 1200
"""Variables in a podTemplate of nearly the largest size that is valid."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything there is."""

    config_maps: int
    """ConfigMaps of 1 MB that no ModelDeployment names; half of them have our label."""
    deployments: int
    """Small ModelDeployments."""
    edits: int
    """Edits of one ModelDeployment with 0.6 MB, and as many valid ones of others."""


def deep_template(levels: int) -> str:
    """Return a podTemplate as JSON with this number of levels."""
    return '{"metadata": {"annotations": ' + '{"a": ' * levels + "1" + "}" * levels + "}}"


def create_deep(api_server: Cluster, name: str, namespace: str, levels: int) -> None:
    """Create a ModelDeployment with this number of levels; Python cannot write it."""
    text = json.dumps(model(name, namespace, podTemplate="DEEP"))
    api_server.kubectl("create", "-f", "-", input=text.replace('"DEEP"', deep_template(levels)))


@dataclass(frozen=True, slots=True)
class HostileTenant:
    """A tenant who wants to end the operator."""

    api_server: Cluster
    kube: KubeCluster
    namespace: str
    _numbers: Iterator[int] = field(default_factory=count)
    """No two edits are the same."""

    async def create(self, size: Size) -> None:
        """Create all objects."""
        await _create_all(self.kube, _config_maps(self.namespace, size.config_maps))
        small = (model(f"m{number}", self.namespace) for number in range(size.deployments))
        await _create_all(self.kube, small)
        create_deep(self.api_server, DEEP, self.namespace, 9000)
        await self.edit(len(CHANGED))

    async def edit(self, edits: int) -> None:
        """Edit one object with 0.6 MB and others validly."""
        for number in islice(self._numbers, edits):
            await put(self.kube, _large_edit(self.namespace, number), "test")
            await put(self.kube, _valid_edit(self.namespace, number), "test")

    async def unobserved(self) -> list[str]:
        """Return the edited objects whose last edit the operator has not observed."""
        names = (LARGE, *CHANGED)
        edited = [await self.kube.get(MODEL_DEPLOYMENT, self.namespace, name) for name in names]
        return [
            live["metadata"]["name"]
            for live in edited
            if live and live["status"]["observedGeneration"] < live["metadata"]["generation"]
        ]

    def undecided(self, size: Size) -> set[str]:
        """Return the valid objects that do not serve, and the others that are not reported."""
        ready = '.status.conditions[?(@.type=="Ready")].reason'
        path = f"{{range .items[*]}}{{.metadata.name}}={{{ready}}} {{end}}"
        here = (f"--namespace={self.namespace}", f"--output=jsonpath={path}")
        valid = (*CHANGED, *(f"m{number}" for number in range(size.deployments)))
        expected = {f"{name}=Serving" for name in valid}
        expected |= {f"{name}=InvalidSpec" for name in (DEEP, LARGE)}
        return expected - set(self.api_server.kubectl("get", "mdeploy", *here).split())


def _config_maps(namespace: str, number_of_maps: int) -> Iterable[Manifest]:
    for number in range(number_of_maps):
        labels = {"app.kubernetes.io/managed-by": "halimede"} if number % 2 else {}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"large-{number}", "namespace": namespace, "labels": labels},
            "data": {"x": LARGE_DATA},
        }


def _large_edit(namespace: str, number: int) -> Manifest:
    note = f"{number}".ljust(LARGE_EDIT, "x")
    return model(LARGE, namespace, podTemplate={"metadata": {"annotations": {"note": note}}})


def _valid_edit(namespace: str, number: int) -> Manifest:
    env = [{"name": f"E{entry}", "value": str(number)} for entry in range(VARIABLES)]
    template = {"spec": {"containers": [{"name": "triton", "env": env}]}}
    return model(CHANGED[number % len(CHANGED)], namespace, podTemplate=template)


async def _create_all(kube: KubeCluster, manifests: Iterable[Manifest]) -> None:
    """Create objects, some at a time."""
    slots = asyncio.Semaphore(8)

    async def create(manifest: Manifest) -> None:
        async with slots:
            await kube.create(manifest, "test")

    await asyncio.gather(*(create(manifest) for manifest in manifests))
