"""What a `podTemplate` may contain under each policy of the operator."""

import pytest

from halimede.api.base import Manifest
from halimede.render.spec_policy import PodTemplatePolicy, SpecPolicy
from halimede.validation.restricted_template import find_policy_violations
from halimede.validation.spec import find_violations
from tests.support.pod_templates import ALLOWED, REJECTED, env, pod, triton, unlisted, volume
from tests.unit.render.resources import INPUTS, digits

PATH = "spec.podTemplate"
ASK = (
    "ask the administrator of the operator to change HALIMEDE_POD_TEMPLATE (chart:"
    " operator.podTemplate)"
)
UNLISTED = {name: (template, path) for name, template, path in unlisted()}


def errors(template: Manifest, policy: PodTemplatePolicy | None = None) -> list[str]:
    """Return the errors of a spec with this template; None: under the operator's default."""
    md = digits(podTemplate=template)
    if policy is None:
        return list(map(str, find_violations(md, INPUTS)))
    specs = SpecPolicy(pod_template=policy)
    return list(map(str, find_violations(md, INPUTS, specs=specs)))


@pytest.mark.parametrize("name", ALLOWED)
def test_what_gives_no_rights_is_allowed(name: str) -> None:
    """By default."""
    assert errors(ALLOWED[name]) == []


@pytest.mark.parametrize("name", REJECTED)
def test_what_gives_rights_is_rejected(name: str) -> None:
    """By default; the error has the path and what to do, and Full allows it."""
    template, path = REJECTED[name]
    assert [one for one in errors(template) if one.startswith(f"{PATH}.") and path in one]
    assert errors(template, PodTemplatePolicy.FULL) == []


@pytest.mark.parametrize("name", UNLISTED)
def test_every_other_field_is_rejected(name: str) -> None:
    """Every field that the client's models know and the allow-list does not contain."""
    template, path = UNLISTED[name]
    found = [one for one, _, _ in find_policy_violations(template, PodTemplatePolicy.RESTRICTED)]
    assert f"{PATH}.{path}" in found
    assert list(find_policy_violations(template, PodTemplatePolicy.FULL)) == []


def test_the_kubernetes_models_have_fields_that_are_not_listed() -> None:
    """Otherwise the test above tests nothing."""
    assert len(UNLISTED) > 80


def test_errors_say_what_to_do() -> None:
    """A field of the spec if there is one, else the administrator's setting."""
    rejected = "is not allowed by the policy Restricted of the operator"
    assert errors(pod(hostNetwork=True)) == [
        f"{PATH}.spec.hostNetwork: {rejected}; remove it, or {ASK}"
    ]
    assert errors(triton(image="b:1")) == [
        f"{PATH}.spec.containers[0].image: {rejected}; use spec.runtime.image, or {ASK}"
    ]
    assert errors(pod(containers=[{"name": "b", "image": "b:1"}])) == [
        (
            f"{PATH}.spec.containers[0]: another container than 'triton' {rejected}; remove it, or"
            f" {ASK}"
        )
    ]
    assert errors(volume(persistentVolumeClaim={"claimName": "a"})) == [
        (
            f"{PATH}.spec.volumes[0].persistentVolumeClaim.readOnly: a claim that is not read-only"
            f" {rejected}; set it to true, or {ASK}"
        )
    ]


def test_wrong_types_are_reported_instead() -> None:
    """The policy is checked when the values have the types of the fields."""
    for template in (pod(hostNetwork="yes"), env(value=1), pod(volumes={}), {"spec": []}):
        (error,) = errors(template)
        assert "must be" in error


def test_no_template_is_allowed_by_none() -> None:
    """An empty one changes nothing."""
    assert errors({}, PodTemplatePolicy.NONE) == []
    for template in (pod(), pod(nodeSelector={"zone": "a"})):
        assert errors(template, PodTemplatePolicy.NONE) == [
            f"{PATH}: the operator allows no podTemplate; remove it, or {ASK}"
        ]
