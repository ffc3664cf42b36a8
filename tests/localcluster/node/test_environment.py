import base64
from typing import Any

import pytest

from localcluster.node.downward_api import ConfigurationError, Facts
from localcluster.node.environment import Source, command_line, expand, sources, variables

FACTS = Facts("10.244.1.1", "10.244.0.1", {"cpu": "4", "memory": "8Gi"})
POD: dict[str, Any] = {
    "metadata": {
        "name": "digits-0",
        "namespace": "models",
        "uid": "1-2-3",
        "labels": {"app": "digits", "tier": 'a "b"'},
        "annotations": {"halimede.dev/x": "y"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "server", "containers": []},
}
CONFIG_MAP = {"data": {"a": "1", "b": "2"}}
SECRET = {"data": {"key": base64.b64encode(b"s3cret").decode()}}
OBJECTS = {Source("ConfigMap", "c"): CONFIG_MAP, Source("Secret", "s"): SECRET}


def resolved(container: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a container of `POD`."""
    return variables(POD, container, {**dict.fromkeys(sources(container)), **OBJECTS}, FACTS)


def reference(kind: str, name: str, key: str, **more: object) -> dict[str, Any]:
    """Return a container with one variable, `V`, from a key of an object."""
    return {"env": [{"name": "V", "valueFrom": {kind: {"name": name, "key": key, **more}}}]}


def test_values_refer_to_what_was_set_before_them() -> None:
    """A variable can refer to earlier ones and those of envFrom, not to later ones."""
    container = {
        "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "C_"}, {"secretRef": {"name": "s"}}],
        "env": [
            {"name": "ONE", "value": "$(C_a)-$(TWO)-$$(C_a)"},
            {"name": "TWO", "value": "$(ONE)"},
            {"name": "C_b"},
        ],
    }
    assert resolved(container) == {
        "C_a": "1",
        "C_b": "",
        "key": "s3cret",
        "ONE": "1-$(TWO)-$(C_a)",
        "TWO": "1-$(TWO)-$(C_a)",
    }


@pytest.mark.parametrize(
    ("container", "value"),
    [
        (reference("configMapKeyRef", "c", "b"), "2"),
        (reference("secretKeyRef", "s", "key"), "s3cret"),
    ],
)
def test_a_key_gives_its_value(container: dict[str, Any], value: str) -> None:
    """A variable can come from one key of a ConfigMap or a Secret."""
    assert resolved(container) == {"V": value}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        (reference("secretKeyRef", "x", "a"), 'secret "x" not found'),
        (reference("configMapKeyRef", "x", "a"), 'configmap "x" not found'),
        (reference("secretKeyRef", "s", "a"), "couldn't find key a in Secret models/s"),
        (reference("configMapKeyRef", "c", "z"), "couldn't find key z in ConfigMap models/c"),
        ({"envFrom": [{"secretRef": {"name": "x"}}]}, 'secret "x" not found'),
        ({"envFrom": [{"configMapRef": {"name": "x"}}]}, 'configmap "x" not found'),
    ],
)
def test_what_is_missing_is_named_in_the_kubelets_words(
    container: dict[str, Any], message: str
) -> None:
    """A waiting message is the same as the kubelet's."""
    with pytest.raises(ConfigurationError) as raised:
        resolved(container)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    "container",
    [
        reference("secretKeyRef", "x", "a", optional=True),
        reference("configMapKeyRef", "c", "z", optional=True),
        {"envFrom": [{"configMapRef": {"name": "x", "optional": True}}]},
    ],
)
def test_what_is_optional_may_be_missing(container: dict[str, Any]) -> None:
    """A missing optional source sets nothing."""
    assert resolved(container) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "digits-0"),
        ("metadata.namespace", "models"),
        ("metadata.uid", "1-2-3"),
        ("metadata.labels['app']", "digits"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['halimede.dev/x']", "y"),
        ("metadata.labels", 'app="digits"\ntier="a \\"b\\""'),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "server"),
        ("status.podIP", "10.244.1.1"),
        ("status.hostIP", "10.244.0.1"),
    ],
)
def test_a_pod_gets_its_own_fields_as_variables(path: str, value: str) -> None:
    """Every fieldPath of variables and downward volumes is supported."""
    container = {"env": [{"name": "V", "valueFrom": {"fieldRef": {"fieldPath": path}}}]}
    assert resolved(container) == {"V": value}


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "1", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.memory", "1Mi", "64"),
        ("limits.memory", "1Gi", "8"),
        ("requests.cpu", "0", "0"),
    ],
)
def test_a_container_gets_its_resources_as_variables(
    resource: str, divisor: str, value: str
) -> None:
    """Values are in units of the divisor, rounded up; without a limit they are the node's."""
    origin = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    container = {
        "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}},
        "env": [{"name": "V", "valueFrom": origin}],
    }
    assert resolved(container) == {"V": value}


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, ["halimede"]),
        ({"args": ["explain", "$(A)"]}, ["halimede", "explain", "1"]),
        ({"command": ["sh"]}, ["sh"]),
        ({"command": ["sh", "-c"], "args": ["echo $(B) $$(A)"]}, ["sh", "-c", "echo $(B) $(A)"]),
    ],
)
def test_a_command_takes_the_place_of_the_entry_point(
    container: dict[str, Any], expected: list[str]
) -> None:
    """`command` replaces the image's entry point, `args` only follow it."""
    assert command_line(container, ("halimede",), {"A": "1"}) == expected


def test_only_whole_references_are_expanded() -> None:
    """A dollar sign without a reference is kept."""
    assert expand("$A ${A} $( $(A) $$", {"A": "1"}) == "$A ${A} $( 1 $"
