"""Draw weights, requests and errors over time into one picture."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo.summary import decisions
from harness.records import Outcome, Record
from harness.watch import Snapshot

COLOURS = {
    "v1": "#7f8fa6",
    "v2": "#2e8b57",
    "v3": "#d1495b",
    "v4": "#e08e2b",
    "v5": "#6a4c93",
    "": "black",
}
"""By version; black is for requests lost on the way."""

ROOM_SECONDS = 14
"""Space on the right, in seconds, for the text beside the last decision."""


def rollouts(
    history: Sequence[Snapshot], records: Sequence[Record], revisions: Mapping[str, str]
) -> Figure:
    """Draw the weights, what users saw, and when each version's fate was decided."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    weights, requests, errors = figure.subplots(3, 1, sharex=True)
    start = min(record.at for record in records)
    _weights(weights, history, revisions, start)
    _requests(requests, records, start)
    _errors(errors, records, start)
    for version, decision in decisions(history, revisions).items():
        for axes in (weights, requests, errors):
            axes.axvline(decision.at - start, color=COLOURS[version], linestyle=":", linewidth=1)
        text = f"{version} {decision.outcome.lower()}\nafter {decision.seconds:.0f} s"
        weights.annotate(
            text,
            (decision.at - start, 100),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="top",
            fontsize=8,
            color=COLOURS[version],
        )
    last = max(record.at for record in records) - start
    errors.set_xlim(0, last + ROOM_SECONDS)
    errors.set_xlabel("seconds since the first request")
    return figure


def _weights(
    axes: Axes, history: Sequence[Snapshot], revisions: Mapping[str, str], start: float
) -> None:
    times = [seen.at - start for seen in history]
    for version, revision in revisions.items():
        shares = [
            seen.weight if seen.status.rollout and seen.status.rollout.revision == revision else 0
            for seen in history
        ]
        axes.step(times, shares, where="post", color=COLOURS[version], label=version)
    axes.set(ylabel="weight of the\nnew revision, %", ylim=(0, 115))


def _requests(axes: Axes, records: Sequence[Record], start: float) -> None:
    seconds = range(int(max(record.at for record in records) - start) + 1)
    series = {
        version: _per_second((record for record in records if record.version == version), start)
        for version in COLOURS
    }
    axes.stackplot(
        seconds,
        [[counts[second] for second in seconds] for counts in series.values()],
        labels=list(series),
        colors=list(COLOURS.values()),
    )
    axes.set(ylabel="requests per second\nby answering version")
    axes.legend(loc="upper right", fontsize=8)


def _errors(axes: Axes, records: Sequence[Record], start: float) -> None:
    every = _per_second(records, start)
    below = dict.fromkeys(every, 0.0)
    for version, colour in COLOURS.items():
        bad = (r for r in records if r.version == version and r.outcome is not Outcome.OK)
        for second, count in _per_second(bad, start).items():
            share = 100 * count / every[second]
            axes.bar(second, share, bottom=below[second], color=colour, width=1.0)
            below[second] += share
    axes.set(ylabel="requests that ended\nin an error, %", ylim=(0, None))


def _per_second(records: Iterable[Record], start: float) -> Counter[int]:
    return Counter(int(record.at - start) for record in records)
