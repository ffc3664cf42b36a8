"""Evaluate the built-in queries as Prometheus does, from their text."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from halimede.judge.reading import Series

_MATCHER = re.compile(r'(\w+)(=~|!=|=)("(?:[^"\\]|\\.)*")')
_QUERY = re.compile(
    r"(?:count by \((?P<by>[^)]+)\) \()?\{(?P<matchers>.*)\}(?:\[(?P<window>\d+)s\])?\)?"
)


class Matcher(NamedTuple):
    """A matcher of a selector."""

    label: str
    operator: str
    value: str

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is selected."""
        value = labels.get(self.label, "")
        if self.operator == "=~":
            return re.fullmatch(self.value, value) is not None
        return (value == self.value) is (self.operator == "=")


def evaluate(text: str, stored: Iterable[Series], at: float) -> list[Series]:
    """Return Prometheus's answer to a query at a time, with samples that are no finite numbers."""
    query = _QUERY.fullmatch(text)
    assert query is not None, text
    matchers = [
        Matcher(label, operator, json.loads(value))
        for label, operator, value in _MATCHER.findall(query["matchers"])
    ]
    selected = [
        series for series in stored if all(matcher.accepts(series.labels) for matcher in matchers)
    ]
    if query["by"]:
        return _grouped(selected, query["by"].split(", "))
    start = at - int(query["window"])
    windows = (
        Series(
            series.labels, tuple(sample for sample in series.samples if start < sample.at <= at)
        )
        for series in selected
    )
    return [series for series in windows if series.samples]


def judged(answer: Iterable[Series]) -> list[Series]:
    """Return an answer without samples that are no finite numbers, in a fixed order."""
    finite = (
        Series(
            series.labels,
            tuple(sample for sample in series.samples if math.isfinite(sample.value)),
        )
        for series in answer
    )
    return sorted(finite, key=lambda series: sorted(series.labels.items()))


def _grouped(selected: Iterable[Series], by: Iterable[str]) -> list[Series]:
    groups = {
        tuple((label, series.labels[label]) for label in by if label in series.labels)
        for series in selected
    }
    return [Series(dict(group), ()) for group in sorted(groups)]
