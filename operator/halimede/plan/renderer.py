"""Validate, render and compare with live objects, with a cache.

Every reconcile renders everything again, and most of it is unchanged: with twenty revisions this
took nine tenths of the time of a reconcile. The results depend only on the arguments, so the cache
changes nothing but the time. What contains a copy of a ConfigMap is not cached: it may be as large
as a model.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from halimede.api.base import Manifest, RevisionHash
from halimede.api.source import Inputs
from halimede.api.status import Status
from halimede.api.v1alpha1 import Metadata, ModelDeployment
from halimede.render import revision, scaling, traffic, workload
from halimede.render.drift import is_up_to_date
from halimede.render.env import RENDERED
from halimede.render.images import Platform
from halimede.render.ownership import owned_fields
from halimede.render.revision import Revision
from halimede.render.traffic import Backend
from halimede.validation import spec
from halimede.validation.spec import Violation

ANSWERS = 2048
"""Maximum number of cached renderings of each kind: enough for some hundred ModelDeployments."""
COMPARISONS = 65536
"""Maximum number of cached comparisons; these contain no manifest."""

CacheKey = TypeVar("CacheKey", bound=Hashable)
Cached = TypeVar("Cached")
Version = tuple[str, str]
"""An object's uid and resourceVersion, which identify its live content."""
_NO_METADATA, _NO_STATUS = Metadata(name="", namespace=""), Status()


@dataclass(frozen=True, slots=True)
class RenderKey:
    """Everything of a ModelDeployment that its children depend on; the key of the cache."""

    name: str
    namespace: str
    uid: str
    spec: str
    """The spec as JSON."""
    known: ModelDeployment = field(compare=False, repr=False)
    """The whole ModelDeployment."""

    @property
    def deployment(self) -> ModelDeployment:
        """A ModelDeployment with only these fields, so that rendering cannot use any other."""
        names = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        bare = _NO_METADATA.evolve(**names)
        return self.known.evolve(metadata=bare, status=_NO_STATUS)


def render_key(md: ModelDeployment) -> RenderKey:
    """Return the cache key of a ModelDeployment."""
    metadata = md.metadata
    return RenderKey(
        metadata.name, metadata.namespace, metadata.uid, md.spec.model_dump_json(), md
    )


class Renderer:
    """Renders with caches of its own; create one for all reconciles."""

    def __init__(self) -> None:
        """Create the empty caches."""
        self._violations = lru_cache(ANSWERS)(_find_violations)
        self._revisions = lru_cache(ANSWERS)(_render_revision)
        self._children = lru_cache(ANSWERS)(_render_children)
        self._traffic = lru_cache(ANSWERS)(_render_traffic)
        self._autoscaling = lru_cache(ANSWERS)(_autoscaling_objects)
        self._records: dict[Version, Revision] = {}
        self._comparisons: dict[tuple[Version, str], bool] = {}

    def find_violations(self, key: RenderKey, inputs: Inputs) -> tuple[Violation, ...]:
        """Find what is wrong with a spec: see `validation.spec.find_violations`."""
        return spec.find_violations(key.deployment, inputs) if inputs else self._violations(key)

    def render_revision(self, key: RenderKey, platform: Platform, inputs: Inputs) -> Revision:
        """Render the revision of a spec: see `render.revision.render_revision`."""
        if inputs:
            return revision.render_revision(key.deployment, platform, inputs)
        return self._revisions(key, platform)

    def render_children(
        self, key: RenderKey, recorded: Revision, replicas: int | None
    ) -> tuple[Manifest, ...]:
        """Render the children that run a revision: see `render.workload.render_workload`."""
        if recorded.source:
            return _render_children(key, recorded, replicas)
        return self._children(key, recorded, replicas)

    def render_traffic(
        self,
        key: RenderKey,
        backends: tuple[Backend, ...],
        preview: RevisionHash | None,
        *,
        testers: bool,
        copies: int,
        by_pods: bool,
    ) -> tuple[Manifest, ...]:
        """Render the Services and routes: see `render.traffic.render_traffic`."""
        return self._traffic(
            key, backends, preview, testers=testers, copies=copies, by_pods=by_pods
        )

    def autoscaling_objects(
        self, key: RenderKey, scaled: RevisionHash | None, *, frozen: bool
    ) -> tuple[Manifest, ...]:
        """Render the disruption budget, and the autoscaler of the revision *scaled* if any is."""
        return self._autoscaling(key, scaled, frozen=frozen)

    def load_revision(self, config_map: Manifest) -> Revision:
        """Read a revision from its live ConfigMap: see `render.revision.from_record`."""
        version = _version(config_map)
        recorded = self._records.get(version)
        if recorded is None:
            recorded = revision.from_record(config_map)
            if not recorded.source:
                _store(self._records, ANSWERS, version, recorded)
        return recorded

    def is_current(self, live: Manifest | None, desired: Manifest) -> bool:
        """Whether a live object has the fields of a rendered one, unchanged since their apply.

        See `render.drift.is_up_to_date` and `render.ownership.owned_fields`. The digest in the
        rendered annotation identifies the desired object in the cache.
        """
        if live is None:
            return False
        cache_key = (_version(live), desired["metadata"]["annotations"][RENDERED])
        if cache_key not in self._comparisons:
            answer = is_up_to_date(live, desired) or is_up_to_date(
                live, desired, owned_fields(live, desired)
            )
            _store(self._comparisons, COMPARISONS, cache_key, answer)
        return self._comparisons[cache_key]


def _find_violations(key: RenderKey) -> tuple[Violation, ...]:
    return spec.find_violations(key.deployment, {})


def _render_revision(key: RenderKey, platform: Platform) -> Revision:
    return revision.render_revision(key.deployment, platform, {})


def _render_children(
    key: RenderKey, recorded: Revision, replicas: int | None
) -> tuple[Manifest, ...]:
    return workload.render_workload(key.deployment, recorded, replicas)


def _render_traffic(
    key: RenderKey,
    backends: tuple[Backend, ...],
    preview: RevisionHash | None,
    *,
    testers: bool,
    copies: int,
    by_pods: bool,
) -> tuple[Manifest, ...]:
    return traffic.render_traffic(
        key.deployment, backends, preview, testers=testers, copies=copies, by_pods=by_pods
    )


def _autoscaling_objects(
    key: RenderKey, scaled: RevisionHash | None, *, frozen: bool
) -> tuple[Manifest, ...]:
    hpa = scaling.hpa(key.deployment, scaled, frozen=frozen) if scaled else None
    return (*((hpa,) if hpa else ()), scaling.pdb(key.deployment))


def _version(live: Manifest) -> Version:
    metadata = live["metadata"]
    return metadata["uid"], metadata["resourceVersion"]


def _store(cache: dict[CacheKey, Cached], max_size: int, key: CacheKey, value: Cached) -> None:
    if len(cache) >= max_size:
        cache.clear()
    cache[key] = value
