"""The tables of the reference and of troubleshooting, compared with the code."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import Counter, Gauge, Histogram

from halimede import telemetry
from halimede.api.crd import build_crd
from halimede.api.reasons import AbortReason, EventReason, NotReadyReason, Reason
from halimede.api.status import Outcome, State
from halimede.plan.planner import WARN_ON
from halimede.rollout.command import Verb
from halimede.rollout.events import EventType
from halimede.settings import Settings
from tests.support.pages import ROOT, table, text

REFERENCE = "docs/reference.md"
TROUBLE = "docs/troubleshooting.md"
SCHEMA = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
TREES = [
    ast.parse(path.read_text())
    for folder in ("operator", "jobs")
    for path in (ROOT / folder).rglob("*.py")
]
COMPUTED = {f"Rollout{one}" for one in (Outcome.SUPERSEDED, Outcome.REVERTED, "Paused", "Resumed")}
"""Reasons of Events that are built at run time."""


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the default of every field; `required` for those without one."""
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}{name}"
        yield here, "required" if name in schema.get("required", ()) else inner.get("default")
        yield from fields(inner, f"{here}.")
        if isinstance(inner.get("items"), dict):
            yield from fields(inner["items"], f"{here}[].")


def shown(default: Any) -> str:
    """Return a default as the table shows it."""
    if default in (None, {}):
        return ""
    if default == "required":
        return "required"
    if isinstance(default, dict):
        return "`{}`".format(", ".join(f'{name}: "{value}"' for name, value in default.items()))
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    quoted = isinstance(default, str) and default[0].isdigit()
    return f'`"{default}"`' if quoted else f"`{default}`"


def reasons(function: str, position: int) -> set[str]:
    """Return the reasons that are passed to a function at a position."""
    calls = (node for tree in TREES for node in ast.walk(tree) if isinstance(node, ast.Call))
    given = (
        call.args[position]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == function
        if len(call.args) > position
    )
    enums = {one.__name__: one for one in (AbortReason, EventReason)}
    return {
        str(enums[node.value.id][node.attr])
        for argument in given
        for node in ast.walk(argument)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in enums
    }


def sentences() -> Iterator[str]:
    """Yield every string in the programs, with … for values."""
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                )


def test_every_field_of_the_spec_has_its_row() -> None:
    """Paths and defaults are those of the schema."""
    rows = table(REFERENCE, "| field | default | meaning |")
    expected = {path: shown(default) for path, default in fields(SCHEMA["spec"])}
    assert {path: default for path, (default, _) in rows.items()} == expected


def test_every_field_of_the_status_has_its_row() -> None:
    """Every field of the status and of its rollout has a row."""
    rows = set(table(REFERENCE, "| field | meaning |"))
    status = SCHEMA["status"]["properties"]
    assert rows == status.keys() | status["rollout"]["properties"].keys()


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("| state | meaning |", State),
        ("| outcome | meaning |", Outcome),
        ("| verb | what it does |", [*Verb, "rollback:<revision>"]),
    ],
    ids=["states", "outcomes", "verbs"],
)
def test_every_member_has_its_row(header: str, known: Any) -> None:
    """The tables have all states, outcomes and verbs, and no others."""
    assert set(table(REFERENCE, header)) == {str(one) for one in known}


def test_every_event_has_its_row_and_type() -> None:
    """Every Event is listed with its type, and no other."""
    rows = table(REFERENCE, "| reason | type | when |")
    normal, warning = (reasons(name, 0) for name in ("normal", "warning"))
    expected = {
        name: {
            *([str(EventType.NORMAL)] if name in normal | COMPUTED else []),
            *([str(EventType.WARNING)] if name in warning else []),
        }
        for name in normal | warning | COMPUTED
    }
    assert {name: set(types.split(", ")) for name, (types, _) in rows.items()} == expected


def test_warnings_of_ready_are_listed() -> None:
    """The sentence about Warnings names exactly the reasons that cause one."""
    sentence = text(REFERENCE).split("A Warning is also written")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) - {"Ready"} == {str(one) for one in WARN_ON}


def test_every_abort_reason_has_its_row() -> None:
    """Every abort reason is explained in the reference and in troubleshooting."""
    aborts = reasons("abort", 1)
    assert set(table(REFERENCE, "| reason of an abort | meaning |")) == aborts
    others = {str(Outcome.REVERTED), str(Outcome.SUPERSEDED)}
    assert set(table(TROUBLE, "| reason | do |")) == aborts | others


def test_every_reason_of_a_condition_is_explained() -> None:
    """Each reason has a row that says what to do."""
    seen = table(TROUBLE, "| you see | it means | do |")
    assert {name.rpartition(" ")[2] for name in seen} >= {str(one) for one in Reason}
    assert set(table(TROUBLE, "| reason | it means | do |")) == {
        str(one) for one in NotReadyReason
    }


def test_messages_in_troubleshooting_exist() -> None:
    """Every message that is quoted in italics is in the code of the programs."""
    known = list(sentences())
    quoted = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text(TROUBLE))
    assert quoted
    patterns = [re.compile(".*".join(map(re.escape, one.split("…"))), re.DOTALL) for one in quoted]
    assert [one.pattern for one in patterns if not any(map(one.search, known))] == []


def test_every_setting_has_its_row() -> None:
    """Variables and defaults are those of the settings."""
    rows = table(REFERENCE, "| variable | default | meaning |")
    plain = {name: getattr(Settings(), name) for name in Settings.__dataclass_fields__}
    expected = {
        f"HALIMEDE_{name.upper()}": "" if value in (None, ()) else f"`{_as_variable(value)}`"
        for name, value in plain.items()
    }
    assert {name: default for name, (default, _) in rows.items()} == expected


def test_every_metric_has_its_row() -> None:
    """Every metric of the operator has a row with type and labels."""
    rows = table(REFERENCE, "| metric | type | labels | meaning |")
    kinds = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
    expected = {}
    for one in vars(telemetry).values():
        if isinstance(one, tuple(kinds)):
            (family,) = one.describe()
            suffix = "_total" if isinstance(one, Counter) else ""
            labels = ", ".join(f"`{label}`" for label in one._labelnames)
            expected[f"{family.name}{suffix}"] = [kinds[type(one)], labels]
    assert {name: cells[:2] for name, cells in rows.items()} == expected


def _as_variable(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
