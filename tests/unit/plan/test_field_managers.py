"""Foreign writes of applied fields, read from managedFields."""

import pytest

from halimede.api.base import Manifest
from halimede.plan.field_managers import foreign_write, latest
from halimede.rollout.facts import ForeignWrite

WEIGHT = "nginx.ingress.kubernetes.io/canary-weight"
RULES = {"f:spec": {"f:rules": {}}}
ANNOTATION = {"f:metadata": {"f:annotations": {f"f:{WEIGHT}": {}}}}


def entry(manager: str, fields: Manifest, second: int = 0) -> Manifest:
    """Return a managedFields entry of a manager."""
    return {"manager": manager, "time": f"1970-01-01T00:00:{second:02}Z", "fieldsV1": fields}


def ingress(weight: str, rules: list[str], *entries: Manifest) -> Manifest:
    """Return a live Ingress."""
    metadata = {"annotations": {WEIGHT: weight}, "managedFields": list(entries)}
    return {"metadata": metadata, "spec": {"rules": rules}}


WANTED = ingress("5", ["a"])
OURS = {**RULES, **ANNOTATION}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (ingress("5", ["a"], entry("x", OURS)), None),
        (ingress("9", ["b"], entry("halimede", OURS)), None),
        (ingress("9", ["b"], entry("halimede", OURS), entry("x", OURS)), None),
        (ingress("9", ["a"], entry("halimede", RULES), entry("x", ANNOTATION, 7)), ("x", 7.0)),
        (ingress("5", ["b"], entry("halimede", ANNOTATION), entry("x", RULES, 7)), ("x", 7.0)),
        (ingress("5", ["b"], entry("x", RULES, 7), entry("y", RULES, 9)), ("y", 9.0)),
        (ingress("5", ["b"], entry("halimede", ANNOTATION), entry("x", {"f:status": {}})), None),
        (ingress("9", ["a"], entry("halimede", RULES), entry("x", RULES, 7)), None),
        ({"metadata": {}, "spec": {"rules": ["b"]}}, None),
    ],
    ids=[
        "as desired, with another manager",
        "our own write to come",
        "our own write to come, of what others agree with",
        "an annotation",
        "the rules",
        "the last of two",
        "only the status",
        "filled in by nobody",
        "nothing is recorded",
    ],
)
def test_foreign_write(live: Manifest, expected: tuple[str, float] | None) -> None:
    """A write is foreign if a field differs and only other managers own it."""
    result = foreign_write(live, WANTED)
    assert (result and (result.manager, result.at)) == expected


def test_the_latest_write_is_the_one() -> None:
    """Of several foreign writes the latest counts; without any there is none."""
    one, two = ForeignWrite("a", 1.0), ForeignWrite("b", 2.0)
    assert latest([one, None, two]) == two
    assert latest([None]) is None
