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
from halimede.render import revision as revisions
from halimede.render import scaling, workload
from halimede.render import traffic as routing
from halimede.render.drift import is_up_to_date
from halimede.render.env import RENDERED
from halimede.render.images import Platform
from halimede.render.ownership import owned_fields
from halimede.render.revision import Revision, from_record
from halimede.render.traffic import Backend
from halimede.validation import spec
from halimede.validation.spec import Violation

ANSWERS = 2048
"""Maximum number of cached renderings of each kind: enough for some hundred ModelDeployments."""
COMPARISONS = 65536
"""Maximum number of cached comparisons; these contain no manifest."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")
Version = tuple[str, str]
"""An object's uid and resourceVersion, which identify its live content."""
_NO_METADATA, _NO_STATUS = Metadata(name="", namespace=""), Status()

_revision_cache: dict[Version, Revision] = {}
_comparison_cache: dict[tuple[Version, str], bool] = {}


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


def find_violations(of: RenderKey, inputs: Inputs) -> tuple[Violation, ...]:
    """Find what is wrong with a spec: see `validation.spec.find_violations`."""
    return spec.find_violations(of.deployment, inputs) if inputs else _find_violations(of)


@lru_cache(maxsize=ANSWERS)
def _find_violations(of: RenderKey) -> tuple[Violation, ...]:
    return spec.find_violations(of.deployment, {})


def render_revision(of: RenderKey, platform: Platform, inputs: Inputs) -> Revision:
    """Render the revision of a spec: see `render.revision.render_revision`."""
    if inputs:
        return revisions.render_revision(of.deployment, platform, inputs)
    return _render_revision(of, platform)


@lru_cache(maxsize=ANSWERS)
def _render_revision(of: RenderKey, platform: Platform) -> Revision:
    return revisions.render_revision(of.deployment, platform, {})


def render_children(
    of: RenderKey, recorded: Revision, replicas: int | None
) -> tuple[Manifest, ...]:
    """Render the children that run a revision: see `render.workload.render_workload`."""
    if recorded.source:
        return workload.render_workload(of.deployment, recorded, replicas)
    return _render_children(of, recorded, replicas)


@lru_cache(maxsize=ANSWERS)
def _render_children(
    of: RenderKey, recorded: Revision, replicas: int | None
) -> tuple[Manifest, ...]:
    return workload.render_workload(of.deployment, recorded, replicas)


@lru_cache(maxsize=ANSWERS)
def render_traffic(
    of: RenderKey,
    backends: tuple[Backend, ...],
    preview: RevisionHash | None,
    *,
    testers: bool,
    copies: int,
    by_pods: bool,
) -> tuple[Manifest, ...]:
    """Render the Services and routes: see `render.traffic.render_traffic`."""
    return routing.render_traffic(
        of.deployment, backends, preview, testers=testers, copies=copies, by_pods=by_pods
    )


@lru_cache(maxsize=ANSWERS)
def autoscaling_objects(
    of: RenderKey, scaled: RevisionHash | None, *, frozen: bool
) -> tuple[Manifest, ...]:
    """Render the disruption budget, and the autoscaler of the revision *scaled* if any is."""
    hpa = scaling.hpa(of.deployment, scaled, frozen=frozen) if scaled else None
    return (*((hpa,) if hpa else ()), scaling.pdb(of.deployment))


def load_revision(config_map: Manifest) -> Revision:
    """Read a revision from its live ConfigMap: see `render.revision.from_record`."""
    version = _version(config_map)
    revision = _revision_cache.get(version)
    if revision is None:
        revision = from_record(config_map)
        if not revision.source:
            _store(_revision_cache, ANSWERS, version, revision)
    return revision


def is_current(live: Manifest | None, desired: Manifest) -> bool:
    """Whether a live object has the fields of a rendered one, unchanged since they were applied.

    See `render.drift.is_up_to_date` and `render.ownership.owned_fields`. The digest in the
    rendered annotation identifies the desired object in the cache.
    """
    if live is None:
        return False
    cache_key = (_version(live), desired["metadata"]["annotations"][RENDERED])
    if cache_key not in _comparison_cache:
        answer = is_up_to_date(live, desired) or is_up_to_date(
            live, desired, owned_fields(live, desired)
        )
        _store(_comparison_cache, COMPARISONS, cache_key, answer)
    return _comparison_cache[cache_key]


def _version(live: Manifest) -> Version:
    metadata = live["metadata"]
    return metadata["uid"], metadata["resourceVersion"]


def _store(cache: dict[Question, Answer], max_size: int, key: Question, value: Answer) -> None:
    if len(cache) >= max_size:
        cache.clear()
    cache[key] = value
