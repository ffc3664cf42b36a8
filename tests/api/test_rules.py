"""Every rule between fields, on a real API server: an object that passes, one that is refused."""

from typing import Any

import pytest

from halimede.api.crd import build_crd
from tests.api import rows_of_rollouts, rows_of_serving
from tests.api.conftest import Refusal

ROWS = rows_of_serving.ROWS | rows_of_rollouts.ROWS


@pytest.mark.parametrize("name", ROWS)
def test_accepted(refusal: Refusal, name: str) -> None:
    """What comes close to breaking a rule, and does not, is accepted."""
    assert refusal(ROWS[name].good) == ""


@pytest.mark.parametrize("name", ROWS)
def test_refused(refusal: Refusal, name: str) -> None:
    """What breaks a rule is refused with the field to blame and the cure."""
    said = refusal(ROWS[name].bad)
    assert ROWS[name].field in said
    assert ROWS[name].said in said


def messages(node: Any) -> set[str]:
    """Collect the messages of all rules of a schema."""
    if isinstance(node, list):
        return set().union(*map(messages, node))
    if not isinstance(node, dict):
        return set()
    own = {rule["message"] for rule in node.get("x-kubernetes-validations", ())}
    return own.union(*map(messages, node.values()))


def test_every_rule_has_its_row() -> None:
    """No rule is without an object that it refuses."""
    untested = {
        message
        for message in messages(build_crd())
        if not any(one.said in message for one in ROWS.values())
    }
    assert untested == set()
