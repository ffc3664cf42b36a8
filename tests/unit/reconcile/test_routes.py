"""What gateways say of an HTTPRoute."""

import pytest

from halimede.api.base import Manifest
from halimede.reconcile.routes import answer, route

MADE = "2026-01-01T00:00:00Z"


def says(type_: str, status: str = "True", generation: int = 2, reason: str = "R") -> Manifest:
    """Make a condition of a parent."""
    return {
        "type": type_,
        "status": status,
        "observedGeneration": generation,
        "reason": reason,
        "message": "because",
    }


GOOD = (says("Accepted"), says("ResolvedRefs"))


def asked(
    *answers: tuple[str, tuple[Manifest, ...]], parents: tuple[str, ...] = ("a",)
) -> Manifest:
    """Make an HTTPRoute with its answers."""
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "digits", "generation": 2, "creationTimestamp": MADE},
        "spec": {"parentRefs": [{"name": name} for name in parents]},
        "status": {
            "parents": [
                {"parentRef": {"name": name, "namespace": "default"}, "conditions": list(told)}
                for name, told in answers
            ]
        },
    }


@pytest.mark.parametrize(
    ("http_route", "accepted", "refused", "message"),
    [
        (asked(("a", GOOD)), True, False, ""),
        (asked(), False, False, "No controller has answered for Gateway a."),
        (asked(("b", GOOD)), False, False, "No controller has answered for Gateway a."),
        (asked(("a", GOOD), ("b", GOOD), parents=("a", "b")), True, False, ""),
        (
            asked(("a", GOOD), parents=("a", "b")),
            False,
            False,
            "No controller has answered for Gateway b.",
        ),
        (asked(("a", (says("Accepted"),))), False, False, ""),
        (asked(("a", (*GOOD[:1], says("ResolvedRefs", generation=1)))), False, False, ""),
        (
            asked(("a", (says("Accepted", "False", reason="NotAllowed"), GOOD[1]))),
            False,
            True,
            "Gateway a: Accepted: NotAllowed: because",
        ),
    ],
)
def test_answers(*, http_route: Manifest, accepted: bool, refused: bool, message: str) -> None:
    """Every parent must have accepted the present generation and resolved what it names."""
    told = answer(http_route)
    assert (told.accepted, told.refused, told.message) == (accepted, refused, message)


def service() -> Manifest:
    """Make a Service that is live just as it was rendered."""
    digest = {"halimede.dev/rendered": "0123456789abcdef"}
    versions = {"uid": "a", "resourceVersion": "1"}
    return {"kind": "Service", "metadata": {"name": "digits", "annotations": digest, **versions}}


def test_services_need_no_answer() -> None:
    """Nobody answers for a Service."""
    told = route((service(),), (service(),))
    assert (told.applied, told.accepted) == (True, True)


def test_missing_route_is_not_accepted() -> None:
    """A route that is not there yet leads nobody anywhere."""
    told = route((), (asked(),))
    assert (told.applied, told.accepted) == (False, False)


def test_stray_route_is_not_as_asked() -> None:
    """An Ingress that still sends requests somewhere is waited for."""
    stray = {"kind": "Ingress", "metadata": {"name": "digits-canary"}}
    assert not route((service(), stray), (service(),)).applied
