"""Strategic merge, as in `kubectl patch`."""

from typing import Any

import pytest

from halimede.render.merge import merge

POD = {
    "containers": [
        {"name": "triton", "image": "t:1", "env": [{"name": "A", "value": "1"}]},
    ],
    "tolerations": [{"key": "gpu"}],
    "nodeSelector": {"zone": "a"},
}


SLEEP = {"preStop": {"sleep": {"seconds": 15}}}
HTTP = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5}
EXEC = {"exec": {"command": ["true"]}}


@pytest.mark.parametrize(
    ("field", "base", "patch", "merged"),
    [
        pytest.param("lifecycle", SLEEP, {"preStop": EXEC}, {"preStop": EXEC}, id="a handler"),
        pytest.param(
            "lifecycle",
            SLEEP,
            {"preStop": {"sleep": {"seconds": 5}}},
            {"preStop": {"sleep": {"seconds": 5}}},
            id="the same handler",
        ),
        pytest.param(
            "lifecycle",
            SLEEP,
            {"postStart": EXEC},
            SLEEP | {"postStart": EXEC},
            id="a handler of the other moment",
        ),
        pytest.param(
            "lifecycle",
            SLEEP,
            {"preStop": EXEC | {"sleep": None}},
            {"preStop": EXEC},
            id="a handler, and null for the default",
        ),
        *(
            pytest.param(
                probe,
                HTTP,
                {member: {"port": 1}},
                {member: {"port": 1}, "periodSeconds": 5},
                id=f"{member} of {probe}",
            )
            for probe in ("startupProbe", "livenessProbe", "readinessProbe")
            for member in ("exec", "tcpSocket", "grpc")
        ),
        pytest.param(
            "readinessProbe",
            HTTP,
            {"periodSeconds": 9},
            HTTP | {"periodSeconds": 9},
            id="no member",
        ),
        pytest.param(
            "readinessProbe",
            HTTP,
            {"httpGet": {"path": "/x"}},
            {"httpGet": {"path": "/x", "port": "http"}, "periodSeconds": 5},
            id="a part of the member",
        ),
        *(
            pytest.param(
                "volumes",
                [{"name": "model", "emptyDir": {}}],
                [{"name": "model", source: {"some": "thing"}}],
                [{"name": "model", source: {"some": "thing"}}],
                id=f"{source} of a volume",
            )
            for source in ("persistentVolumeClaim", "ephemeral", "csi", "image", "hostPath", "new")
        ),
        pytest.param(
            "volumes",
            [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}],
            [{"name": "shm", "emptyDir": {"sizeLimit": "2Gi"}}],
            [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}],
            id="a part of a volume's source",
        ),
        pytest.param(
            "env",
            [{"name": "A", "value": "1"}],
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            id="a variable from elsewhere",
        ),
        pytest.param(
            "env",
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            [{"name": "A", "value": ""}],
            [{"name": "A", "value": ""}],
            id="a variable with a value, though it is empty",
        ),
        pytest.param(
            "env",
            [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            id="a variable from another place",
        ),
    ],
)
def test_unions(field: str, base: Any, patch: Any, merged: Any) -> None:
    """In a union the patch's field replaces the default one."""
    assert merge({field: base}, {field: patch}) == {field: merged}


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        pytest.param({}, {}, id="nothing changes nothing"),
        pytest.param(
            {"containers": [{"name": "triton", "image": "t:2"}]},
            {"containers": [POD["containers"][0] | {"image": "t:2"}]},
            id="a container is found by its name",
        ),
        pytest.param(
            {"containers": [{"name": "log", "image": "l:1"}]},
            {"containers": [*POD["containers"], {"name": "log", "image": "l:1"}]},
            id="a container of another name is added",
        ),
        pytest.param(
            {"containers": [{"name": "triton", "env": [{"name": "B", "value": "2"}]}]},
            {
                "containers": [
                    POD["containers"][0]
                    | {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
                ]
            },
            id="variables merge by name",
        ),
        pytest.param(
            {"containers": [{"name": "triton", "env": [{"name": "A", "$patch": "delete"}]}]},
            {"containers": [POD["containers"][0] | {"env": []}]},
            id="an item can be deleted",
        ),
        pytest.param(
            {"tolerations": [{"key": "mine"}]},
            {"tolerations": [{"key": "mine"}]},
            id="a list of nameless things is replaced",
        ),
        pytest.param(
            {"nodeSelector": {"$patch": "replace", "disk": "ssd"}},
            {"nodeSelector": {"disk": "ssd"}},
            id="a map can be replaced",
        ),
        pytest.param(
            {"nodeSelector": {"zone": None, "disk": "ssd"}},
            {"nodeSelector": {"disk": "ssd"}},
            id="null removes",
        ),
        pytest.param(
            {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}]},
            {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}]},
            id="a list that was not there is taken over",
        ),
        pytest.param(
            {"containers": [{"name": {"odd": 1}}]},
            {"containers": [{"name": {"odd": 1}}]},
            id="nonsense is passed on for the API server to reject",
        ),
    ],
)
def test_merge(patch: dict[str, Any], merged: dict[str, Any]) -> None:
    """The patch changes what it names and nothing else."""
    assert merge(POD, patch) == POD | merged
