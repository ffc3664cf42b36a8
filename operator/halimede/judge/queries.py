"""The questions put to Prometheus, in PromQL.

One instant query per source with a range selector, so that Prometheus answers with raw samples,
and all counters of one scrape either are in the answer or are not.
"""

import json
import re
from collections.abc import Iterable
from math import ceil

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from halimede.judge.counts import (
    GRPC_PORT,
    HTTP_PORT,
    LOOKBACK,
    ROUTER_METRICS,
    TRITON_METRICS,
    cluster,
)
from halimede.judge.past import HISTORY
from halimede.judge.reading import MetricsRequest, Source

LONGEST_WINDOW = 21600.0
"""Seconds of counters that are read at most, however long nobody looked."""


class _Regex(str):
    """A regular expression whose literal parts are escaped already."""

    __slots__ = ()


def _any_of(names: Iterable[object]) -> _Regex:
    """Match any of the names; a `_Regex` among them as such, the others literally."""
    return _Regex(
        "|".join(name if isinstance(name, _Regex) else re.escape(str(name)) for name in names)
    )


def _literal(value: object) -> str:
    """Write a value as PromQL: text as a quoted string, a number of seconds as a duration."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return f"{ceil(value)}s"
    raise TypeError(f"PromQL has no literal for {type(value).__name__}")


_TEMPLATES = Environment(
    loader=PackageLoader("halimede.judge"),
    undefined=StrictUndefined,
    finalize=_literal,
    autoescape=select_autoescape(),  # never HTML here: `finalize` does the quoting
)
_TEMPLATES.filters["any_of"] = _any_of


def query(source: Source, request: MetricsRequest) -> str:
    """Ask for both revisions' counters since the watermark, or for stable's past."""
    template = _TEMPLATES.get_template(f"{source.lower()}.promql.j2")
    if source is Source.TRITON:
        return template.render(
            metrics=TRITON_METRICS,
            namespace=request.namespace,
            pods=[_Regex(re.escape(f"{request.name}-{one}-") + ".+") for one in _whose(request)],
            model=request.model,
            window=_window(request),
        )
    ports = (HTTP_PORT, GRPC_PORT)
    return template.render(
        metrics=ROUTER_METRICS,
        clusters=[cluster(request, one, port) for one in _whose(request) for port in ports],
        window=_window(request),
    )


def _whose(request: MetricsRequest) -> tuple[str, ...]:
    return (request.stable,) if request.since is None else (request.stable, request.canary)


def _window(request: MetricsRequest) -> float:
    if request.since is None:
        return HISTORY
    return min(max(request.now - request.since, 0.0), LONGEST_WINDOW) + LOOKBACK
