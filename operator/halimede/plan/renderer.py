"""Checking, rendering, and comparing with what is live, once for each question.

A pass asks for everything anew, and most of it is as it was in the last one: with twenty revisions
nine tenths of a pass went into what had not changed. The answers depend on the questions alone, so
that remembering them changes nothing but the time. What holds a copy of a ConfigMap is not
remembered: it may be as large as a model.
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
"""How many renderings of each sort are kept: those of some hundred ModelDeployments."""
COMPARISONS = 65536
"""How many comparisons are kept; they hold no manifest."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")
Version = tuple[str, str]
"""An object's uid and resourceVersion, which stand for all that is live of it."""
_NOBODY, _NOTHING = Metadata(name="", namespace=""), Status()

_recorded: dict[Version, Revision] = {}
_compared: dict[tuple[Version, str], bool] = {}


@dataclass(frozen=True, slots=True)
class RenderKey:
    """All that rendering may know of a ModelDeployment: equal ones have equal children."""

    name: str
    namespace: str
    uid: str
    spec: str
    """The spec as JSON."""
    known: ModelDeployment = field(compare=False, repr=False)
    """The same as an object, with whatever else was known of it."""

    @property
    def deployment(self) -> ModelDeployment:
        """The same as an object, and nothing else, so that nothing else can matter."""
        names = {"name": self.name, "namespace": self.namespace, "uid": self.uid}
        bare = _NOBODY.evolve(**names)
        return self.known.evolve(metadata=bare, status=_NOTHING)


def render_key(md: ModelDeployment) -> RenderKey:
    """Take from a ModelDeployment what its children depend on."""
    known = md.metadata
    return RenderKey(known.name, known.namespace, known.uid, md.spec.model_dump_json(), md)


def find_violations(of: RenderKey, inputs: Inputs) -> tuple[Violation, ...]:
    """Find what is wrong with a spec: see `render.checks.violations`."""
    return spec.find_violations(of.deployment, inputs) if inputs else _find_violations(of)


@lru_cache(maxsize=ANSWERS)
def _find_violations(of: RenderKey) -> tuple[Violation, ...]:
    return spec.find_violations(of.deployment, {})


def render_revision(of: RenderKey, platform: Platform, inputs: Inputs) -> Revision:
    """Render the revision that a spec asks for: see `render.revision.revision`."""
    if inputs:
        return revisions.render_revision(of.deployment, platform, inputs)
    return _render_revision(of, platform)


@lru_cache(maxsize=ANSWERS)
def _render_revision(of: RenderKey, platform: Platform) -> Revision:
    return revisions.render_revision(of.deployment, platform, {})


def render_children(
    of: RenderKey, recorded: Revision, replicas: int | None
) -> tuple[Manifest, ...]:
    """Render what runs a revision: see `render.workload.workload`."""
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
    """Render what leads clients to the revisions: see `render.traffic.traffic`."""
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
    """Read a revision back from its live ConfigMap: see `render.revision.from_record`."""
    version = _version(config_map)
    found = _recorded.get(version)
    if found is None:
        found = from_record(config_map)
        if not found.source:
            _keep(_recorded, ANSWERS, version, found)
    return found


def is_current(live: Manifest | None, desired: Manifest) -> bool:
    """Whether a live object is what came of a rendered one, and nobody else has changed it since.

    See `render.covers.covers` and `render.ownership.owned_fields`. The digest that rendering
    leaves stands for all that is wanted.
    """
    if live is None:
        return False
    question = (_version(live), desired["metadata"]["annotations"][RENDERED])
    if question not in _compared:
        answer = is_up_to_date(live, desired) or is_up_to_date(
            live, desired, owned_fields(live, desired)
        )
        _keep(_compared, COMPARISONS, question, answer)
    return _compared[question]


def _version(live: Manifest) -> Version:
    metadata = live["metadata"]
    return metadata["uid"], metadata["resourceVersion"]


def _keep(answers: dict[Question, Answer], most: int, question: Question, answer: Answer) -> None:
    if len(answers) >= most:
        answers.clear()
    answers[question] = answer
