"""Drift: real and apparent differences of a live object from the desired one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.render.drift import is_up_to_date

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "containers", "limits", "cpu", "args", "ports"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_everything_covers_itself(value: Any) -> None:
    """An object equal to the desired one has no drift."""
    assert is_up_to_date(value, value)


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, id="fields of others"),
        pytest.param(
            {"limits": {"cpu": "500m", "memory": "2Gi", "x": "1"}},
            {"limits": {"cpu": "0.5", "memory": "2048Mi", "x": 1}},
            id="quantities as the API server writes them",
        ),
        pytest.param({"limits": {"cpu": "1e3"}}, {"limits": {"cpu": "1k"}}, id="exponents"),
        pytest.param({"sizeLimit": "1Gi"}, {"sizeLimit": "1024Mi"}, id="size of a volume"),
        pytest.param(
            {"containers": [{"name": "mesh"}, {"name": "triton", "image": "t"}]},
            {"containers": [{"name": "triton", "image": "t"}]},
            id="an injected sidecar",
        ),
        pytest.param({}, {"hostnames": [], "annotations": {}, "x": None}, id="empty and absent"),
    ],
)
def test_no_drift(live: dict[str, Any], desired: dict[str, Any]) -> None:
    """Fields that the API server or others add or rewrite are no drift."""
    assert is_up_to_date(live, desired)


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="another value"),
        pytest.param({"a": 1}, {"a": True}, id="another type"),
        pytest.param({}, {"a": 0}, id="a missing field, though it is falsy"),
        pytest.param({"tmp": {}}, {"tmp": {"emptyDir": {}}}, id="an empty volume that is not"),
        pytest.param({"a": "x"}, {"a": {"b": 1}}, id="a value in the place of a map"),
        pytest.param({"a": {"b": 1}}, {"a": [1]}, id="a map in the place of a list"),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1m"}}, id="another quantity"),
        pytest.param({"limits": {"cpu": "odd"}}, {"limits": {"cpu": "1"}}, id="no quantity"),
        pytest.param({"labels": {"a": "1000m"}}, {"labels": {"a": "1"}}, id="labels are text"),
        pytest.param({"args": ["a", "b"]}, {"args": ["a"]}, id="an added argument"),
        pytest.param({"args": ["b", "a"]}, {"args": ["a", "b"]}, id="another order"),
        pytest.param(
            {"backendRefs": [{"name": "x", "weight": 1}, {"name": "y", "weight": 9}]},
            {"backendRefs": [{"name": "x", "weight": 1}]},
            id="an added backend takes traffic",
        ),
        pytest.param(
            {"containers": [{"name": "mesh"}]}, {"containers": [{"name": "t"}]}, id="a lost one"
        ),
        pytest.param(
            {"selector": {"a": "1", "b": "2"}},
            {"selector": {"a": "1"}},
            id="a label in a selector",
        ),
        pytest.param(
            {"podSelector": {"matchLabels": {"a": "1", "b": "2"}}},
            {"podSelector": {"matchLabels": {"a": "1"}}},
            id="a label in a pod selector",
        ),
        pytest.param(
            {"ingress": [{"ports": [{"port": 1}, {"port": 2}]}]},
            {"ingress": [{"ports": [{"port": 1}]}]},
            id="an added port opens a policy",
        ),
        pytest.param(
            {"egress": [{"ports": [{"port": 1, "endPort": 9}]}]},
            {"egress": [{"ports": [{"port": 1}]}]},
            id="a range of ports opens a policy",
        ),
    ],
)
def test_drift(live: dict[str, Any], desired: dict[str, Any]) -> None:
    """Changes of our fields are drift."""
    assert not is_up_to_date(live, desired)


OWNED = {
    "f:tty": {},
    "f:cpu": {},
    "f:labels": {"f:a": {}},
    "f:selector": {},
    "f:containers": {'k:{"name":"t"}': {".": {}, "f:name": {}, "f:image": {}}},
    "f:ports": {'k:{"containerPort":1,"protocol":"TCP"}': {".": {}, "f:hostPort": {}}},
}


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        pytest.param({}, {"tty": False}, id="a default that was dropped"),
        pytest.param({"cpu": "500m"}, {"cpu": "0.5"}, id="a quantity in another form"),
        pytest.param({"labels": {"a": "2"}}, {"labels": {"a": "1"}}, id="a value in a map"),
        pytest.param({"selector": {"b": "2"}}, {"selector": {"a": "1"}}, id="a whole map"),
        pytest.param(
            {"containers": [{"name": "t", "image": "mirror/i"}]},
            {"containers": [{"name": "t", "image": "i"}]},
            id="an item's field",
        ),
        pytest.param({}, {"containers": [{"name": "t", "image": "i"}]}, id="a whole list"),
        pytest.param(
            {"ports": [{"containerPort": 1, "protocol": "TCP"}]},
            {"ports": [{"containerPort": 1, "hostPort": 0}]},
            id="an item with a key by default",
        ),
    ],
)
def test_what_is_still_ours_is_no_drift(live: dict[str, Any], desired: dict[str, Any]) -> None:
    """Defaults and rewrites of our own apply are no drift unless ownership is lost."""
    assert is_up_to_date(live, desired, OWNED)
    assert not is_up_to_date(live, desired)
    assert not is_up_to_date(live, desired, {"f:other": {}})


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        pytest.param({"stdin": True}, {"stdin": False}, id="a field"),
        pytest.param({"labels": {"b": "2"}}, {"labels": {"b": "1"}}, id="one of two in a map"),
        pytest.param(
            {"containers": [{"name": "t", "args": ["a"]}]},
            {"containers": [{"name": "t", "args": ["b"]}]},
            id="an item's field",
        ),
        pytest.param({"containers": []}, {"containers": [{"name": "u"}]}, id="an item"),
    ],
)
def test_what_is_ours_no_more_is_drift(live: dict[str, Any], desired: dict[str, Any]) -> None:
    """Fields that another manager took over are drift, those that we own are not."""
    assert not is_up_to_date(live, desired, OWNED)
