"""Strategic merge, as users of `kubectl patch` know it."""

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
            id="nonsense is passed on for the API server to refuse",
        ),
    ],
)
def test_merge(patch: dict[str, Any], merged: dict[str, Any]) -> None:
    """The patch changes what it names and nothing else."""
    assert merge(POD, patch) == POD | merged
