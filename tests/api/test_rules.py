"""Every rule between fields, on a real API server: one object accepted, one rejected."""

from typing import Any

import pytest

from halimede.api.crd import build_crd
from tests.api import rows_of_rollouts, rows_of_serving
from tests.api.conftest import Rejection

ROWS = rows_of_serving.ROWS | rows_of_rollouts.ROWS


@pytest.mark.parametrize("name", ROWS)
def test_accepted(rejection: Rejection, name: str) -> None:
    """An object close to violating a rule is accepted."""
    assert rejection(ROWS[name].good) == ""


@pytest.mark.parametrize("name", ROWS)
def test_rejected(rejection: Rejection, name: str) -> None:
    """An object that violates a rule is rejected with the field and the remedy."""
    message = rejection(ROWS[name].bad)
    assert ROWS[name].field in message
    assert ROWS[name].said in message


def messages(node: Any) -> set[str]:
    """Return the messages of all rules of a schema."""
    if isinstance(node, list):
        return set().union(*map(messages, node))
    if not isinstance(node, dict):
        return set()
    own = {rule["message"] for rule in node.get("x-kubernetes-validations", ())}
    return own.union(*map(messages, node.values()))


def test_every_rule_has_its_row() -> None:
    """Every rule has an object that it rejects."""
    untested = {
        message
        for message in messages(build_crd())
        if not any(one.said in message for one in ROWS.values())
    }
    assert untested == set()
