"""The render cache: cached results equal new ones."""

import copy
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.status import RevisionStatus, Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.renderer import Renderer, render_key
from halimede.render import workload
from halimede.render.names import REVISION_LABEL
from halimede.render.revision import InvalidRecordError
from harness.fake_cluster import PLATFORM
from harness.fake_spec import SPEC


@pytest.fixture
def renderer() -> Renderer:
    """Return a renderer with empty caches."""
    return Renderer()


def deployment(**changes: Any) -> ModelDeployment:
    """Return a ModelDeployment with these changes of the spec."""
    metadata = {"name": "digits", "namespace": "ml", "uid": "u"}
    return ModelDeployment.from_manifest(
        {"metadata": metadata, "spec": copy.deepcopy(SPEC) | changes}
    )


def test_what_a_pass_learns_changes_no_rendering(renderer: Renderer) -> None:
    """Given another status and another annotation, the children are the very same objects."""
    md = deployment()
    revision = renderer.render_revision(render_key(md), PLATFORM, {})
    before = renderer.render_children(render_key(md), revision, 2)
    metadata = md.metadata.evolve(annotations={"a": "b"}, generation=7)
    status = Status(stable=RevisionStatus(revision=revision.hash, since=1.0))
    later = md.evolve(metadata=metadata, status=status)
    again = renderer.render_revision(render_key(later), PLATFORM, {})
    assert again is revision
    assert renderer.render_children(render_key(later), again, 2) is before
    assert before == workload.render_workload(later, again, 2)


@pytest.mark.parametrize(
    ("other", "replicas"),
    [
        pytest.param(deployment(), 3, id="more pods"),
        pytest.param(deployment(rollout={"progressDeadlineSeconds": 77}), 2, id="another spec"),
        pytest.param(
            deployment().evolve(metadata=deployment().metadata.evolve(uid="v")),
            2,
            id="a namesake",
        ),
    ],
)
def test_another_question_has_its_own_answer(
    renderer: Renderer, other: ModelDeployment, replicas: int
) -> None:
    """Given any other change that children depend on, they are rendered again."""
    md = deployment()
    revision = renderer.render_revision(render_key(md), PLATFORM, {})
    before = renderer.render_children(render_key(md), revision, 2)
    after = renderer.render_children(render_key(other), revision, replicas)
    assert after != before
    assert after == workload.render_workload(other, revision, replicas)


def test_a_copy_of_a_config_map_is_compared_every_time(renderer: Renderer) -> None:
    """Given a ConfigMap that changes under the same name, the revision changes."""
    md = deployment(model=SPEC["model"] | {"storageUri": "configMap://models"})
    one, other = (
        renderer.render_revision(
            render_key(md), PLATFORM, {"models": {"data": {"model.onnx": content}}}
        )
        for content in ("a", "b")
    )
    assert one.hash != other.hash
    assert renderer.render_children(render_key(md), one, 1) == renderer.render_children(
        render_key(md), one, 1
    )


def live(renderer: Renderer, version: str, **changes: Any) -> tuple[Manifest, Manifest]:
    """Return a rendered ConfigMap as live in a resource version."""
    md = deployment()
    revision = renderer.render_revision(render_key(md), PLATFORM, {})
    rendered, *_ = renderer.render_children(render_key(md), revision, 1)
    seen = copy.deepcopy(rendered) | changes
    seen["metadata"] |= {"uid": "live", "resourceVersion": version}
    return seen, rendered


def test_a_new_version_of_an_object_is_compared_again(renderer: Renderer) -> None:
    """Given drift in one resource version, it is detected there and not in the next."""
    result = [
        renderer.is_current(*live(renderer, "1")),
        renderer.is_current(*live(renderer, "2", data={})),
        renderer.is_current(*live(renderer, "3")),
    ]
    assert result == [True, False, True]
    assert not renderer.is_current(None, live(renderer, "1")[1])


def test_a_record_is_read_again_when_it_changes(renderer: Renderer) -> None:
    """Given a record that is invalid, an error is raised until it is repaired."""
    good, _ = live(renderer, "4")
    key, name = render_key(deployment()), good["metadata"]["labels"][REVISION_LABEL]
    assert renderer.load_revision(key, name, good) is renderer.load_revision(key, name, good)
    spoilt, _ = live(renderer, "5", data={})
    with pytest.raises(InvalidRecordError):
        renderer.load_revision(key, name, spoilt)
    restored, _ = live(renderer, "6")
    again = renderer.load_revision(key, name, restored)
    assert again == renderer.load_revision(key, name, good)


def test_a_record_is_digested_again_when_it_changes(renderer: Renderer) -> None:
    """Given another content in another resource version, its digest is another one."""
    key = render_key(deployment())
    digests = [
        renderer.digest_record(key, live(renderer, "7")[0]),
        renderer.digest_record(key, live(renderer, "8", data={})[0]),
        renderer.digest_record(key, live(renderer, "9")[0]),
    ]
    assert digests[0] == digests[2] != digests[1]


def test_caches_are_not_shared() -> None:
    """Each renderer renders for itself, and the results are equal."""
    key = render_key(deployment())
    one, other = (Renderer().render_revision(key, PLATFORM, {}) for _ in range(2))
    assert one is not other
    assert one == other


def render_edit(renderer: Renderer, number: int, entries: int) -> ModelDeployment:
    """Render a spec with this number of small environment variables, different in each edit."""
    env = [{"name": f"E{entry}", "value": str(number)} for entry in range(entries)]
    md = deployment(podTemplate={"spec": {"containers": [{"name": "triton", "env": env}]}})
    revision = renderer.render_revision(render_key(md), PLATFORM, {})
    renderer.render_children(render_key(md), revision, 1)
    return md


def test_edits_of_one_object_add_nothing_to_the_cache() -> None:
    """Given many edits of a large spec, only the results of the last one are cached."""
    renderer = Renderer()
    render_edit(renderer, 0, 1000)
    first = renderer.size
    for number in range(1, 6):
        render_edit(renderer, number, 1000)
    assert renderer.size == first


def test_what_is_gone_leaves_the_cache() -> None:
    """Given a ModelDeployment that is deleted, nothing of it is cached."""
    renderer = Renderer()
    md = render_edit(renderer, 0, 10)
    renderer.forget((md.metadata.namespace, md.metadata.name))
    assert renderer.size == 0


def test_the_cache_is_bounded_by_memory() -> None:
    """Given many large objects, the cache keeps those used last, within its limit."""
    limit = 2_000_000
    renderer = Renderer(limit)
    for number in range(20):
        md = deployment(podTemplate={"metadata": {"annotations": {"a": "x" * 100_000}}})
        md = md.evolve(metadata=md.metadata.evolve(name=f"m{number}"))
        last = renderer.render_revision(render_key(md), PLATFORM, {})
        assert renderer.size <= limit
    assert renderer.render_revision(render_key(md), PLATFORM, {}) is last
