"""Validate, render and compare with live objects, with a cache.

Every reconcile renders everything again, and most of it is unchanged: with twenty revisions this
took nine tenths of the time of a reconcile. The results depend only on the arguments, so the cache
changes nothing but the time.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from halimede.api.base import Manifest, RevisionHash
from halimede.api.source import Inputs, ModelFiles
from halimede.api.status import Status
from halimede.api.v1alpha1 import Metadata, ModelDeployment
from halimede.judge.query_policy import NAMESPACED_ONLY, QueryPolicy
from halimede.plan.bounded_cache import Owner, OwnerCache, Result
from halimede.render import network, resolver, revision, scaling, traffic, workload
from halimede.render.drift import is_up_to_date
from halimede.render.env import RENDERED
from halimede.render.names import NAME_LABEL
from halimede.render.ownership import owned_fields
from halimede.render.platform import NetworkSettings, Platform
from halimede.render.revision import Revision
from halimede.render.traffic import Backend
from halimede.validation import spec
from halimede.validation.spec import Violation

MAX_BYTES = 64 * 1024 * 1024
"""Maximum memory of cached renderings: enough for some 500 ModelDeployments with rollouts."""

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
    def owner(self) -> Owner:
        """The namespace and name, by which the cache finds the results."""
        return self.namespace, self.name

    @property
    def version(self) -> tuple[str, str]:
        """The uid and the spec: a change of either invalidates all results."""
        return self.uid, self.spec

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


@dataclass(frozen=True, slots=True)
class _Comparison:
    version: str
    """The `resourceVersion` of the live object."""
    digest: str
    """Of the desired object."""
    is_current: bool


class Renderer:
    """Renders with a cache of its own; create one for all reconciles."""

    def __init__(
        self, max_bytes: int = MAX_BYTES, *, policy: QueryPolicy = NAMESPACED_ONLY
    ) -> None:
        """Create an empty cache for at most about *max_bytes*.

        Args:
            max_bytes: Of the cached renderings.
            policy: Which queries specs may contain.
        """
        self.policy = policy
        self._cache = OwnerCache(max_bytes)
        self._comparisons: dict[Owner, dict[str, _Comparison]] = {}
        """By owner and uid of the live object."""

    @property
    def size(self) -> int:
        """The estimated memory of the cached renderings, in bytes."""
        return self._cache.size

    def forget(self, owner: Owner) -> None:
        """Drop what is cached for a ModelDeployment that is gone."""
        self._cache.forget(owner)
        self._comparisons.pop(owner, None)

    def find_violations(
        self, key: RenderKey, platform: Platform, inputs: Inputs
    ) -> tuple[Violation, ...]:
        """Find what is wrong with a spec: see `validation.spec.find_violations`."""
        required, specs = platform.sha256_required, platform.specs

        def find() -> tuple[Violation, ...]:
            return spec.find_violations(
                key.deployment, inputs, self.policy, sha256_required=required, specs=specs
            )

        if inputs:  # a ConfigMap changes without the spec
            return find()
        return self._get(key, ("violations", required, specs), find)

    def render_revision(
        self, key: RenderKey, platform: Platform, inputs: Inputs, files: ModelFiles | None = None
    ) -> Revision:
        """Render the revision of a spec: see `render.revision.render_revision`."""
        if inputs:
            return revision.render_revision(key.deployment, platform, inputs, files)
        return self._get(
            key,
            ("revision", platform, files),
            lambda: revision.render_revision(key.deployment, platform, inputs, files),
        )

    def render_resolver(
        self, key: RenderKey, platform: Platform, expected: ModelFiles | None = None
    ) -> tuple[Manifest, ...]:
        """Render what resolves the spec's source: see `render.resolver.render_resolver`."""
        return self._get(
            key,
            ("resolver", platform, expected),
            lambda: resolver.render_resolver(key.deployment, platform, expected),
        )

    def render_children(
        self,
        key: RenderKey,
        recorded: Revision,
        replicas: int | None,
        settings: NetworkSettings | None = None,
    ) -> tuple[Manifest, ...]:
        """Render the children that run a revision.

        See `render.workload.render_workload` and `render.network.render_network`.
        """
        return self._get(
            key,
            ("children", recorded, replicas, settings),
            lambda: (
                *workload.render_workload(key.deployment, recorded, replicas),
                *network.render_network(key.deployment, recorded, settings),
            ),
        )

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
        return self._get(
            key,
            ("traffic", backends, preview, testers, copies, by_pods),
            lambda: traffic.render_traffic(
                key.deployment, backends, preview, testers=testers, copies=copies, by_pods=by_pods
            ),
        )

    def autoscaling_objects(
        self, key: RenderKey, scaled: RevisionHash | None, *, frozen: bool
    ) -> tuple[Manifest, ...]:
        """Render the disruption budget, and the autoscaler of the revision *scaled* if any is."""
        return self._get(
            key,
            ("autoscaling", scaled, frozen),
            lambda: _autoscaling_objects(key.deployment, scaled, frozen=frozen),
        )

    def load_revision(self, key: RenderKey, name: RevisionHash, config_map: Manifest) -> Revision:
        """Read the revision *name* from its live ConfigMap: see `render.revision.from_record`."""
        return self._get(
            key,
            ("record", name, *_version(config_map)),
            lambda: revision.from_record(name, config_map),
        )

    def digest_record(self, key: RenderKey, config_map: Manifest) -> str:
        """Digest a live ConfigMap: see `render.revision.digest_record`."""
        return self._get(
            key,
            ("digest", *_version(config_map)),
            lambda: revision.digest_record(config_map),
        )

    def _get(
        self, key: RenderKey, question: tuple[Hashable, ...], compute: Callable[[], Result]
    ) -> Result:
        return self._cache.get(key.owner, key.version, question, compute)

    def is_current(self, live: Manifest | None, desired: Manifest) -> bool:
        """Whether a live object has the fields of a rendered one, unchanged since their apply.

        See `render.drift.is_up_to_date` and `render.ownership.owned_fields`. The digest in the
        rendered annotation identifies the desired object in the cache.
        """
        if live is None:
            return False
        uid, version = _version(live)
        digest = desired["metadata"]["annotations"][RENDERED]
        known = self._comparisons.setdefault(_owner(desired), {})
        comparison = known.get(uid)
        if comparison is None or (comparison.version, comparison.digest) != (version, digest):
            answer = is_up_to_date(live, desired) or is_up_to_date(
                live, desired, owned_fields(live, desired)
            )
            comparison = known[uid] = _Comparison(version, digest, answer)
        return comparison.is_current

    def sweep(self, owner: Owner, live: Iterable[Manifest]) -> None:
        """Drop what is cached for an owner and no longer needed; called after each reconcile.

        That is what the reconcile has not asked for, such as the routes of earlier weights, and
        the comparisons of objects that are not live any more.
        """
        self._cache.sweep(owner)
        uids = {child["metadata"]["uid"] for child in live}
        known = self._comparisons.get(owner, {})
        for uid in known.keys() - uids:
            del known[uid]


def _autoscaling_objects(
    md: ModelDeployment, scaled: RevisionHash | None, *, frozen: bool
) -> tuple[Manifest, ...]:
    hpa = scaling.hpa(md, scaled, frozen=frozen) if scaled else None
    return (*((hpa,) if hpa else ()), scaling.pdb(md))


def _owner(child: Manifest) -> Owner:
    metadata = child["metadata"]
    return metadata["namespace"], metadata["labels"][NAME_LABEL]


def _version(live: Manifest) -> tuple[str, str]:
    """Return an object's uid and resourceVersion, which identify its live content."""
    metadata = live["metadata"]
    return metadata["uid"], metadata["resourceVersion"]
