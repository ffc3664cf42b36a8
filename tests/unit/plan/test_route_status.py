"""The status of an HTTPRoute, set by gateways."""

import pytest

from halimede.api.base import Manifest
from halimede.plan.renderer import Renderer
from halimede.plan.route_status import httproute_status, route_status

MADE = "2026-01-01T00:00:00Z"


def says(type_: str, status: str = "True", generation: int = 2, reason: str = "R") -> Manifest:
    """Return a condition of a parent."""
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
    """Return an HTTPRoute with these conditions."""
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "digits", "generation": 2, "creationTimestamp": MADE},
        "spec": {"parentRefs": [{"name": name} for name in parents]},
        "status": {
            "parents": [
                {
                    "parentRef": {"name": name, "namespace": "default"},
                    "conditions": list(conditions),
                }
                for name, conditions in answers
            ]
        },
    }


@pytest.mark.parametrize(
    ("http_route", "accepted", "rejected", "message"),
    [
        (asked(("a", GOOD)), True, False, ""),
        (asked(), False, False, "No controller has responded for Gateway a."),
        (asked(("b", GOOD)), False, False, "No controller has responded for Gateway a."),
        (asked(("a", GOOD), ("b", GOOD), parents=("a", "b")), True, False, ""),
        (
            asked(("a", GOOD), parents=("a", "b")),
            False,
            False,
            "No controller has responded for Gateway b.",
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
def test_answers(*, http_route: Manifest, accepted: bool, rejected: bool, message: str) -> None:
    """Every parent must have accepted the current generation and resolved its references."""
    status = httproute_status(http_route)
    assert (status.accepted, status.rejected, status.message) == (accepted, rejected, message)


AFFECTED = says("a.example/Affected")
FOREIGN = "a.example/x"


def entry(
    *conditions: Manifest, controller: str = "gateway.example/c", **parent: object
) -> Manifest:
    """Return one entry of `status.parents`."""
    return {
        "controllerName": controller,
        "parentRef": {"name": "a", "namespace": "default"} | parent,
        "conditions": list(conditions),
    }


def written(*entries: Manifest, parents: tuple[Manifest, ...] = ({"name": "a"},)) -> Manifest:
    """Return an HTTPRoute with these entries of `status.parents`."""
    made = asked()
    return made | {
        "metadata": made["metadata"] | {"namespace": "default"},
        "spec": {"parentRefs": list(parents)},
        "status": {"parents": list(entries)},
    }


@pytest.mark.parametrize(
    ("http_route", "accepted", "message"),
    [
        pytest.param(
            written(entry(*GOOD), entry(AFFECTED, controller=FOREIGN)),
            True,
            "",
            id="a controller of policies besides",
        ),
        pytest.param(
            written(entry(AFFECTED, controller=FOREIGN), entry(*GOOD)),
            True,
            "",
            id="in whatever order",
        ),
        pytest.param(written(entry(*GOOD), entry(controller=FOREIGN)), True, "", id="no words"),
        pytest.param(
            written(entry(*GOOD, AFFECTED)), True, "", id="a further condition of the same one"
        ),
        pytest.param(
            written(entry(*GOOD), entry(says("Accepted"), controller=FOREIGN)),
            True,
            "",
            id="a controller that says half of it",
        ),
        pytest.param(
            written(
                entry(*GOOD),
                entry(
                    says("Accepted", generation=1),
                    says("ResolvedRefs", generation=1),
                    controller=FOREIGN,
                ),
            ),
            True,
            "",
            id="what a controller that is gone has left",
        ),
        pytest.param(
            written(entry(AFFECTED, controller=FOREIGN)),
            False,
            "No controller has responded for Gateway a.",
            id="nothing but policies",
        ),
        pytest.param(
            written(
                entry(says("Accepted"), controller="one.example/c"),
                entry(says("ResolvedRefs"), controller="two.example/c"),
            ),
            False,
            "",
            id="two halves make no answer",
        ),
        pytest.param(
            written(
                entry(*GOOD, sectionName="http"),
                entry(says("Accepted"), sectionName="https"),
            ),
            False,
            "",
            id="one listener of two",
        ),
        pytest.param(
            written(
                entry(*GOOD, sectionName="http"),
                parents=({"name": "a", "sectionName": "https"},),
            ),
            False,
            "No controller has responded for Gateway a.",
            id="another listener",
        ),
        pytest.param(
            written(entry(*GOOD, port=80), parents=({"name": "a", "port": 443},)),
            False,
            "No controller has responded for Gateway a.",
            id="another port",
        ),
        pytest.param(
            written(entry(*GOOD, namespace="elsewhere")),
            False,
            "No controller has responded for Gateway a.",
            id="a namesake elsewhere",
        ),
        pytest.param(
            written(entry(*GOOD, kind="Service", group="")),
            False,
            "No controller has responded for Gateway a.",
            id="a namesake of another kind",
        ),
        pytest.param(
            written(entry(says("Accepted", "Unknown", reason="Pending"), GOOD[1])),
            False,
            "",
            id="not decided yet",
        ),
        pytest.param(
            written(
                entry(*GOOD),
                entry(says("Accepted", "False", reason="NotAllowed"), controller=FOREIGN),
            ),
            False,
            "Gateway a: Accepted: NotAllowed: because",
            id="one yes and one no",
        ),
    ],
)
def test_several_controllers_answer(*, http_route: Manifest, accepted: bool, message: str) -> None:
    """Any controller may write `status.parents`; only entries of our parents count."""
    status = httproute_status(http_route)
    assert (status.accepted, status.message) == (accepted, message)


def service() -> Manifest:
    """Return a live Service as it was rendered."""
    digest = {"halimede.dev/rendered": "0123456789abcdef"}
    metadata = {"name": "digits", "namespace": "ml", "uid": "a", "resourceVersion": "1"}
    labels = {"halimede.dev/name": "digits"}
    return {"kind": "Service", "metadata": metadata | {"labels": labels, "annotations": digest}}


def test_services_need_no_answer() -> None:
    """A Service needs no acceptance."""
    status = route_status(Renderer(), (service(),), (service(),))
    assert (status.applied, status.accepted) == (True, True)


def test_missing_route_is_not_accepted() -> None:
    """A missing route is not accepted."""
    status = route_status(Renderer(), (), (asked(),))
    assert (status.applied, status.accepted) == (False, False)


def test_stray_route_is_not_as_asked() -> None:
    """A remaining Ingress that should be deleted is waited for."""
    stray = {"kind": "Ingress", "metadata": {"name": "digits-canary"}}
    assert not route_status(Renderer(), (service(), stray), (service(),)).applied
