"""The user's route: split between revisions, and restored."""

import json
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.render.traffic import Backend
from halimede.render.user_route import (
    annotation,
    json_patch,
    restored,
    unusable_reason,
    with_revisions,
)

STABLE, CANARY = "aaaaaaaa", "bbbbbbbb"
KEY = annotation("digits")


def ref(name: str = "digits", port: int = 8000, **more: Any) -> Manifest:
    """Return a backendRef as the API server stores it."""
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": 1, **more}


def route(*rules: list[Manifest], **annotations: str) -> Manifest:
    """Return an HTTPRoute with these backends by rule."""
    metadata: Manifest = {"name": "shop", "namespace": "ml", "resourceVersion": "7"}
    if annotations:
        metadata["annotations"] = annotations
    spec = {"rules": [{"matches": [{"n": n}], "backendRefs": r} for n, r in enumerate(rules)]}
    return {"kind": "HTTPRoute", "metadata": metadata, "spec": spec}


def shares(weight: int) -> tuple[Backend, ...]:
    """Return backends with this canary weight."""
    return (Backend(STABLE, 100 - weight), Backend(CANARY, weight))


def led(live: Manifest, weight: int) -> Manifest:
    """Return the route after naming the revisions and setting the canary's weight."""
    return with_revisions(with_revisions(live, "digits", shares(weight)), "digits", shares(weight))


def weights(live: Manifest, rule: int = 0) -> list[tuple[str, int]]:
    """Return the weights of a rule's backends; the entry Service only if above 0."""
    refs = live["spec"]["rules"][rule]["backendRefs"]
    return [
        (one["name"].removeprefix("digits-"), one["weight"])
        for one in refs
        if one["name"] != "digits" or one["weight"]
    ]


HEADERS = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["server"]}}
SET = {
    "type": "ResponseHeaderModifier",
    "responseHeaderModifier": {"set": [{"name": "x-a", "value": "1"}]},
}
MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": ref("copy")}}
ROUTES = {
    "one rule": route([ref()]),
    "a weight of its own": route([ref(weight=7)]),
    "no weight": route([{"name": "digits", "port": 8000}]),
    "switched off": route([ref(weight=0)]),
    "HTTP and gRPC": route([ref(port=8001)], [ref()]),
    "beside another service": route([ref(weight=3), ref("old", weight=1)], [ref("old")]),
    "beside another port of the Service": route([ref(), ref(port=8002, weight=9)]),
    "with filters": route([ref(filters=[MIRROR, HEADERS])], [ref(filters=[SET])]),
    "with annotations": route([ref()], note="mine"),
    "twice in one rule": route([ref(weight=1), ref(weight=2)]),
    "two rules that differ by weight": route([ref(weight=2)], [ref(weight=4)]),
}


@pytest.mark.parametrize("name", ROUTES)
def test_what_was_taken_is_given_back(name: str) -> None:
    """The route is restored after any changes of the weights."""
    live = ROUTES[name]
    for weight in (0, 1, 33, 100):
        live = led(live, weight)
        assert with_revisions(live, "digits", shares(weight)) == live
        assert restored(live, "digits")["spec"] == ROUTES[name]["spec"]
    back = restored(live, "digits")
    assert (back["metadata"].get("annotations") or {}) == (
        ROUTES[name]["metadata"].get("annotations") or {}
    )


def test_the_revisions_are_named_before_they_get_requests() -> None:
    """A Service new to proxies gets no requests yet; the entry Service keeps them."""
    live = with_revisions(ROUTES["beside another service"], "digits", shares(5))
    assert weights(live) == [(STABLE, 0), (CANARY, 0), ("digits", 300), ("old", 100)]
    live = with_revisions(live, "digits", shares(5))
    assert weights(live) == [(STABLE, 285), (CANARY, 15), ("old", 100)]
    assert [one["name"] for one in live["spec"]["rules"][0]["backendRefs"]][2] == "digits"


def test_alone_in_its_rule_weights_are_percentages() -> None:
    """The only backend of a rule has all its requests, whatever its weight."""
    live = led(ROUTES["a weight of its own"], 25)
    assert weights(live) == [(STABLE, 75), (CANARY, 25)]


def test_beside_others_shares_are_kept() -> None:
    """A share of three quarters stays so, and a twentieth of it goes to the canary."""
    live = led(ROUTES["beside another service"], 5)
    assert weights(live) == [(STABLE, 285), (CANARY, 15), ("old", 100)]
    assert weights(live, 1) == [("old", 1)]


def test_ports_and_filters_are_kept() -> None:
    """Each protocol keeps its port, and responses name the revision."""
    live = led(ROUTES["with filters"], 5)
    first, second = (rule["backendRefs"][1] for rule in live["spec"]["rules"])
    header = {"name": "x-halimede-revision", "value": CANARY}
    both = {"remove": ["server"], "set": [header]}
    assert first["filters"] == [MIRROR, HEADERS | {"responseHeaderModifier": both}]
    assert second["filters"][0]["responseHeaderModifier"]["set"][1] == header
    both_ports = led(ROUTES["HTTP and gRPC"], 5)
    assert [
        [one["port"] for one in rule["backendRefs"]] for rule in both_ports["spec"]["rules"]
    ] == [
        [8001, 8001, 8001],
        [8000, 8000, 8000],
    ]


def test_rules_that_moved_are_known_again() -> None:
    """A rule that the owner inserts before ours does not change what is restored."""
    live = led(route([ref(weight=7)]), 5)
    live["spec"]["rules"].insert(0, {"backendRefs": [ref("new")]})
    back = restored(with_revisions(live, "digits", shares(25)), "digits")
    assert [rule["backendRefs"] for rule in back["spec"]["rules"]] == [
        [ref("new")],
        [ref(weight=7)],
    ]


def test_an_edited_rule_keeps_its_shares() -> None:
    """A backend that the owner adds beside ours keeps its share."""
    live = led(route([ref(weight=7)]), 25)
    live["spec"]["rules"][0]["backendRefs"].append(ref("new", weight=50))
    assert weights(with_revisions(live, "digits", shares(50))) == [
        (STABLE, 50),
        (CANARY, 50),
        ("new", 50),
    ]
    assert weights(restored(live, "digits")) == [("digits", 2), ("new", 1)]


@pytest.mark.parametrize("kept", ["", "{}", "[1]", '[[{"port":8000}]]', "null"])
def test_a_spoilt_annotation_costs_only_the_weight(kept: str) -> None:
    """With an invalid annotation the backends are restored by their shares."""
    live = led(route([ref(weight=7)]), 25)
    live["metadata"]["annotations"][KEY] = kept
    assert weights(restored(live, "digits")) == [("digits", 1)]


def test_a_route_restored_by_its_owner_is_recorded_again() -> None:
    """A route that the owner resets is recorded again with its new weight."""
    live = led(route([ref(weight=7)]), 25)
    live["spec"]["rules"][0]["backendRefs"] = [ref(weight=9)]
    live = led(live, 25)
    assert weights(live) == [(STABLE, 75), (CANARY, 25)]
    assert json.loads(live["metadata"]["annotations"][KEY]) == [[ref(weight=9)]]


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (route([ref()]), None),
        (route([ref("other")]), "no rule has the Service 'digits'"),
        (route([ref(port=80)]), "no rule has the Service 'digits'"),
        (route([ref(namespace="far")]), "no rule has the Service 'digits'"),
        (route([ref(kind="Custom", group="x")]), "no rule has the Service 'digits'"),
        ({"metadata": {}, "spec": {}}, "no rule has the Service 'digits'"),
        (with_revisions(route([ref()], [ref("b")]), "b", shares(5)), None),
        (
            with_revisions(route([ref(), ref("b")]), "b", shares(5)),
            "in use by the ModelDeployment 'b'",
        ),
        (with_revisions(route([ref(), ref("b")]), "digits", shares(5)), None),
        (route([ref(weight=1), ref("b", weight=10_001)]), "too large"),
        (route([ref(weight=100), ref("b", weight=1_000_000)]), None),
    ],
)
def test_rejections(live: Manifest, said: str | None) -> None:
    """A route without a backend for the model is not changed, and the reason is returned."""
    result = unusable_reason(live, "digits")
    assert (result is None) is (said is None)
    assert (said or "") in " ".join(result or ())


def test_the_patch_touches_backends_and_annotation_only() -> None:
    """Each changed rule is one operation, and all fail if the route's version differs."""
    live = route([ref("old")], [ref()])
    desired = with_revisions(live, "digits", shares(5))
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    first, rule, note = json_patch(live, desired, "digits")
    assert first == version
    assert (rule["op"], rule["path"]) == ("replace", "/spec/rules/1/backendRefs")
    assert (note["op"], note["path"]) == ("add", "/metadata/annotations")
    assert json_patch(desired, desired, "digits") == ()
    assert json_patch(desired, restored(desired, "digits"), "digits")[2] == {
        "op": "remove",
        "path": "/metadata/annotations/halimede.dev~1original-digits",
    }
    annotated = route([ref()], note="mine")
    (*_, added) = json_patch(annotated, with_revisions(annotated, "digits", shares(5)), "digits")
    assert added["path"] == "/metadata/annotations/halimede.dev~1original-digits"
