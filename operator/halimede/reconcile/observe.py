"""Look: everything that one decision may know, from the store where it can."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from halimede.adapters.cluster import Cluster
from halimede.adapters.kinds import CHILDREN, CONFIG_MAP, ENDPOINT_SLICE, POD
from halimede.adapters.prometheus import Metrics
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.source import Inputs, config_maps
from halimede.api.v1alpha1 import ModelDeployment
from halimede.reconcile.decide import metrics_request
from halimede.reconcile.observed import Observed

INPUT_SECONDS = 10.0
"""How long a ConfigMap that was read counts as known. Those that users own are not watched: a
changed one is noticed at the next pass after this time, at the latest at the resync."""


@dataclass(slots=True)
class InputReader:
    """The ConfigMaps that specs name: read once per generation of a spec, not in every pass."""

    cluster: Cluster
    _known: dict[Key, tuple[int, float, Inputs]] = field(default_factory=dict)

    async def read(self, key: Key, deployment: ModelDeployment, now: float) -> Inputs:
        """Return the ConfigMaps by name; None for those that do not exist."""
        try:
            names = config_maps(deployment.spec)
        except ValueError:
            return {}  # the checks say what is wrong with the address
        generation = deployment.metadata.generation
        known = self._known.get(key)
        if known and known[0] == generation and now - known[1] < INPUT_SECONDS:
            return known[2]
        inputs = {name: await self.cluster.get(CONFIG_MAP, key.namespace, name) for name in names}
        if all(inputs.values()):
            self._known[key] = (generation, now, inputs)
        return inputs

    def forget(self, key: Key) -> None:
        """Forget a ModelDeployment that is gone."""
        self._known.pop(key, None)


@dataclass(frozen=True, slots=True)
class Senses:
    """Where a pass looks."""

    store: Store
    inputs: InputReader
    metrics: Metrics


async def observe(
    key: Key,
    deployment: ModelDeployment,
    senses: Senses,
    apply_errors: Mapping[str, str],
    now: float,
) -> Observed:
    """Gather what one decision about *deployment* may know."""
    request = metrics_request(deployment, now)
    owned = senses.store.owned
    uid = deployment.metadata.uid
    return Observed(
        deployment=deployment,
        children=tuple(
            child for kind in CHILDREN for child in owned(kind, key) if _owned_by(child, uid)
        ),
        pods=owned(POD, key),
        endpoint_slices=owned(ENDPOINT_SLICE, key),
        inputs=await senses.inputs.read(key, deployment, now),
        reading=await senses.metrics.read(request) if request else None,
        apply_errors=apply_errors,
    )


def _owned_by(child: Manifest, uid: str) -> bool:
    owners = child["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid for owner in owners)
