"""The reasons that users match are documented, and the docs name existing ones."""

import ast
import inspect
import re
from enum import StrEnum
from pathlib import Path

import pytest

from halimede.api import reasons
from halimede.api.conditions import ConditionType
from halimede.api.reasons import (
    AbortReason,
    EventReason,
    NotReadyReason,
    Reason,
    UnavailableReason,
    Verdict,
)

ROOT = Path(__file__).parents[3]
ENUMS = (Reason, NotReadyReason, UnavailableReason, Verdict, AbortReason, EventReason)
CONDITION = re.compile(r"`(\w+)=(?:True|False|Unknown) (\w+)`")
EVENT = re.compile(r"\bEvents? `(\w+)`")


@pytest.mark.parametrize("enum", ENUMS)
def test_every_member_is_documented(enum: type[StrEnum]) -> None:
    """A docstring follows each member and says when users see it."""
    (parsed,) = ast.parse(inspect.getsource(enum)).body
    assert isinstance(parsed, ast.ClassDef)
    members = parsed.body[1:]
    documented = [
        isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in members[1::2]
    ]
    assert all(isinstance(one, ast.Assign) for one in members[::2])
    assert documented == [True] * len(enum)


def test_every_enum_is_here() -> None:
    """New enums in the module are tested too."""
    result = [
        one for one in vars(reasons).values() if inspect.isclass(one) and issubclass(one, StrEnum)
    ]
    assert set(result) - {StrEnum} == set(ENUMS)


@pytest.mark.parametrize("enum", ENUMS)
def test_reasons_fit_the_api(enum: type[StrEnum]) -> None:
    """A reason of `metav1.Condition` is a CamelCase word; that suits Events as well."""
    assert [one for one in enum if not re.fullmatch(r"([A-Z][a-z]+)+", one)] == []


@pytest.mark.parametrize(
    "path", ["docs/operations.md", "docs/concepts.md", "CHANGELOG.md", "charts/halimede/README.md"]
)
def test_documents_name_reasons_that_exist(path: str) -> None:
    """Every documented reason of a condition or an Event exists."""
    text = (ROOT / path).read_text()
    conditions, events = CONDITION.findall(text), EVENT.findall(text)
    assert {type_ for type_, _ in conditions} <= set(ConditionType)
    assert {reason for _, reason in conditions} <= {*Reason, *NotReadyReason}
    assert set(events) <= {*EventReason, *Reason, *NotReadyReason}
