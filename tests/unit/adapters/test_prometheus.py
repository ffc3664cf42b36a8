"""How unusual responses of Prometheus are handled."""

import asyncio
import gzip
import json
import socket
from dataclasses import replace
from threading import Event

import pytest

from halimede.adapters.poll_answers import Readings
from halimede.adapters.prometheus import PrometheusReader
from halimede.api.analysis import MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.queries import plan_queries
from halimede.judge.reading import (
    CounterSamples,
    Counts,
    CustomCounts,
    DueQuery,
    MetricsQueries,
    MetricsRequest,
    Reading,
    Sample,
    Series,
    Unavailable,
)
from tests.support.http_stub import Server, answer
from tests.support.series import CANARY, STABLE, request

ROUTER_UP = {"__name__": "envoy_cluster_upstream_rq_total", "instance": "envoy"}


async def read(
    url: str | None, asked: MetricsRequest | None = None, *, read_seconds: float = 10.0
) -> Reading:
    """Ask once."""
    metrics = PrometheusReader(url, read_seconds=read_seconds)
    try:
        return await metrics.read(plan_queries(asked or request()))
    finally:
        metrics.close()


async def rejection(url: str | None, *, read_seconds: float = 10.0) -> Unavailable:
    """Send one query and return why the router could not be read."""
    reading = await read(url, read_seconds=read_seconds)
    said = reading.answers[Source.ROUTER]
    assert isinstance(said, Unavailable)
    return said


async def test_samples_are_taken_as_they_are(server: Server) -> None:
    """Samples are parsed from text; values that are no numbers are dropped."""
    values = [[1.5, "3"], [2.5, "NaN"], [3.5, "+Inf"], [4.5, "7"]]
    server.body = answer({"metric": ROUTER_UP, "values": values})
    reading = await read(server.url)
    expected = CounterSamples((Series(ROUTER_UP, (Sample(1.5, 3.0), Sample(4.5, 7.0))),))
    assert reading.answers[Source.ROUTER] == expected


async def test_every_declared_source_is_asked_once(server: Server) -> None:
    """Each declared source has one query; an undeclared router has none."""
    assert set((await read(server.url)).answers) == {Source.ROUTER, Source.TRITON}
    assert len(server.asked) == 2
    alone = replace(request(), provider=MetricsProvider.NONE)
    assert set((await read(server.url, alone)).answers) == {Source.TRITON}
    assert len(server.asked) == 3


@pytest.mark.parametrize("since", [None, 0.0])
async def test_client_errors_take_no_query_of_their_own(
    server: Server, since: float | None
) -> None:
    """Client errors are read from the router's answer, for now and for the past."""
    server.body = answer({"metric": ROUTER_UP, "values": [[1.5, "3"]]})
    reading = await read(server.url, replace(request(since=since), client_errors=True))
    answers = reading.history.answers if reading.history else reading.answers
    assert set(answers) == {Source.ROUTER, Source.TRITON}
    assert isinstance(answers[Source.ROUTER], CounterSamples)
    assert len(server.asked) == 2


async def test_before_the_beginning_the_past_is_read(server: Server) -> None:
    """Before the start only the past is queried, and no counts are returned."""
    reading = await read(server.url, request(since=None))
    assert reading.history is not None
    assert set(reading.history.answers) == {Source.ROUTER, Source.TRITON}
    assert reading.answers == {}
    assert all(query.endswith("[7200s]") for query in server.asked)


async def test_an_answer_with_warnings_is_no_data(server: Server) -> None:
    """Thanos warns if a store did not answer, so the counts may be too low."""
    values = [[1.5, "3"]]
    warnings = ["store 10.0.0.7 did not answer"]
    server.body = answer({"metric": ROUTER_UP, "values": values}, warnings=warnings)
    message = await rejection(server.url)
    assert message.why is UnavailableReason.INCOMPLETE
    assert "store 10.0.0.7 did not answer" in message.message


@pytest.mark.parametrize(
    ("status", "why", "words"),
    [
        (400, UnavailableReason.REJECTED, "HTTP 400, because"),
        (401, UnavailableReason.REJECTED, "give the operator valid credentials"),
        (404, UnavailableReason.REJECTED, "HALIMEDE_PROMETHEUS_URL"),
        (408, UnavailableReason.UNREACHABLE, "HTTP 408"),
        (413, UnavailableReason.REJECTED, "check its query limits"),
        (422, UnavailableReason.REJECTED, "check its query limits"),
        (429, UnavailableReason.UNREACHABLE, "HTTP 429"),
        (503, UnavailableReason.UNREACHABLE, "Prometheus is unavailable"),
    ],
)
async def test_errors_say_whether_waiting_helps(
    server: Server, status: int, why: UnavailableReason, words: str
) -> None:
    """4xx is an error with a remedy; 429 and 5xx are transient."""
    server.status = status
    server.body = json.dumps({"status": "error", "error": "because"})
    message = await rejection(server.url)
    assert message.why is why
    assert words in message.message


@pytest.mark.parametrize(
    "body",
    [
        "<html>Sign in</html>",
        "[]",
        '{"status": "success"}',
        '{"data": 1}',
        '{"data": {"result": "7"}}',
        f'{{"data": {{"result": [{"9" * 5000}]}}}}',
        "[" * 100_000,
        answer(1),
        answer({"values": [[1.5, "3"]]}),
        answer({"metric": {}, "values": 1}),
        answer({"metric": {}, "values": [[1.5]]}),
        answer({"metric": {}, "values": [["then", "3"]]}),
        answer({"metric": {}, "values": [[10**400, "3"]]}),
    ],
)
async def test_something_else_at_the_address_is_rejected(server: Server, body: str) -> None:
    """The message names the address and the setting."""
    server.body = body
    said = await rejection(server.url)
    assert said.why is UnavailableReason.REJECTED
    assert f"{server.url} is not a Prometheus API" in said.message


async def test_a_success_without_content_is_rejected(server: Server) -> None:
    """Prometheus answers queries only with 200."""
    server.status = 203
    message = await rejection(server.url)
    assert message.why is UnavailableReason.REJECTED
    assert "is not a Prometheus API" in message.message


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError, AttributeError])
@pytest.mark.parametrize(
    "function",
    ["judge.queries.plan_counters", "judge.queries.render_query", "adapters.prometheus.to_counts"],
)
async def test_an_error_of_ours_is_not_taken_for_theirs(
    server: Server, monkeypatch: pytest.MonkeyPatch, function: str, error: type[Exception]
) -> None:
    """An error in building queries is not reported as one of Prometheus."""

    def fail(*_: object) -> None:
        raise error("a programming error")

    monkeypatch.setattr(f"halimede.{function}", fail)
    server.body = vector("2")
    with pytest.raises(error, match="a programming error"):
        await read(server.url, custom("f{{ revision }}{{ window }}"))


async def test_an_endless_response_is_rejected_with_query_and_remedy(server: Server) -> None:
    """Reading ends at the limit; the error is permanent and is not retried within the poll."""
    server.body, server.endless = " " * 65536, True
    message = await rejection(server.url)
    assert message.why is UnavailableReason.REJECTED
    assert message.message == (
        f"Router counters: the response to the query `{server.asked[0][:120]} …` has more than"
        " 8388608 bytes: scrape less often, or raise the operator's setting"
        " HALIMEDE_PROMETHEUS_MAX_RESPONSE_MEBIBYTES (chart:"
        " operator.prometheus.maxResponseMebibytes)"
    )
    assert len(server.asked) == 2


async def test_a_compressed_response_is_limited_by_its_size_uncompressed(server: Server) -> None:
    """A small response that expands to 64 MiB is rejected."""
    server.content = gzip.compress(b" " * (64 * 1024 * 1024))
    server.headers = {"Content-Encoding": "gzip"}
    assert "more than 8388608 bytes" in (await rejection(server.url)).message


async def test_too_many_series_are_rejected_before_they_are_parsed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request has a limit for servers that know it, and the response is counted as text."""
    parsed: list[object] = []
    monkeypatch.setattr(json, "loads", parsed.append)
    server.body = answer(*[{"metric": {}, "values": []}] * 20_001).replace(": ", ":")
    message = await rejection(server.url)
    assert message.why is UnavailableReason.REJECTED
    assert "has more than 20000 series" in message.message
    assert server.limits == ["20001", "20001"]
    assert parsed == []


async def test_too_many_series_are_rejected_however_they_are_written(server: Server) -> None:
    """Series are counted again after parsing, as a proxy may write other white space."""
    server.body = answer(*[{"metric": {}, "values": []}] * 20_001)
    assert "has more than 20000 series" in (await rejection(server.url)).message


async def test_a_response_is_parsed_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of the parser for each query."""
    texts: list[bytes] = []
    parse = json.loads

    def count(text: bytes) -> object:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(json, "loads", count)
    await read(server.url)
    assert len(texts) == len(server.asked) == 2


async def test_a_large_response_to_a_custom_query_is_rejected(server: Server) -> None:
    """The response with a number has few bytes, and its limit is low for every query."""
    server.body = vector(*["1"] * 5000)
    said = (await read(server.url, custom("f{{ revision }}{{ window }}"))).answers[Source.ROUTER]
    assert isinstance(said, Unavailable)
    assert said.why is UnavailableReason.REJECTED
    assert said.message.startswith("Router counters: the response to the query `n{namespace=")
    assert said.message.endswith("aggregate it, for example with sum(...)")


async def test_built_in_queries_are_asked_first(server: Server) -> None:
    """A user's slow query cannot make the window of the built-in ones end too early."""
    server.body = vector("2")
    await read(server.url, custom("f{{ revision }}{{ window }}"))
    assert server.asked[0].startswith("{__name__")
    assert not any(query.startswith("{__name__") for query in server.asked[1:])


async def test_infos_are_no_warnings(server: Server) -> None:
    """Infos are about the style of a query, and the answer is complete."""
    server.body = answer({"metric": ROUTER_UP, "values": [[1.5, "3"]]}, infos=["not a counter"])
    assert isinstance((await read(server.url)).answers[Source.ROUTER], CounterSamples)


async def test_several_queries_make_one_answer(server: Server) -> None:
    """Traefik's label may have either of two names, which takes two queries."""
    server.body = answer({"metric": ROUTER_UP, "values": [[1.5, "3"]]})
    asked = replace(request(), provider=MetricsProvider.TRAEFIK)
    said = (await read(server.url, asked)).answers[Source.ROUTER]
    assert isinstance(said, CounterSamples)
    assert len(said.series) == 2
    assert sum("exported_service=~" in query for query in server.asked) == 1


async def test_a_redirect_is_followed(server: Server) -> None:
    """Redirects are followed; a circle of them counts as an outage."""
    server.status = 302
    server.headers = {"Location": "/elsewhere?query=again"}
    message = await rejection(server.url)
    assert message.why is UnavailableReason.UNREACHABLE
    assert "again" in server.asked


async def test_a_redirect_to_no_address_is_rejected(server: Server) -> None:
    """The message names the redirect as the cause."""
    server.status = 302
    server.headers = {"Location": "http://[elsewhere"}
    message = await rejection(server.url)
    assert message.why is UnavailableReason.REJECTED
    assert "redirects to an invalid address" in message.message


async def test_a_name_that_no_host_can_have_is_unreachable() -> None:
    """A host name with a label over 63 characters counts as unreachable."""
    said = await rejection(f"http://{'a' * 64}:9090")
    assert said.why is UnavailableReason.UNREACHABLE
    assert "HALIMEDE_PROMETHEUS_URL" in said.message


async def test_a_closed_port_is_unreachable() -> None:
    """A refused connection is reported at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        said = await rejection(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert said.why is UnavailableReason.UNREACHABLE
    assert "ConnectionError" in said.message


async def test_a_timeout_is_unreachable_and_blocks_no_other_query(server: Server) -> None:
    """A query without a response times out and does not block the event loop."""
    server.silent = Event()
    asked = asyncio.create_task(rejection(server.url, read_seconds=0.3))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0)
        turns += 1
    server.silent.set()
    assert asked.result().why is UnavailableReason.UNREACHABLE
    assert turns > 10


async def test_without_an_address_nothing_is_asked() -> None:
    """The message names the setting."""
    message = await rejection(None)
    assert message.why is UnavailableReason.NOT_CONFIGURED
    assert "HALIMEDE_PROMETHEUS_URL" in message.message


CUSTOM = replace(
    request(now=1000.0, since=900.0),
    provider=MetricsProvider.CUSTOM,
    indicators=(
        DueQuery("Router", "n{r='{{ revision }}'}[{{ window }}]", "f{{ revision }}", 60.0),
    ),
)


def vector(*values: str) -> str:
    """Return the response of an instant query."""
    series = [{"metric": {"n": str(at)}, "value": [1.5, one]} for at, one in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}})


def custom(errors: str) -> MetricsRequest:
    """Run custom queries with this query of errors."""
    (asked,) = CUSTOM.indicators
    return replace(CUSTOM, indicators=(asked._replace(errors=errors),))


async def test_custom_queries_are_asked_for_each_revision_about_one_window(
    server: Server,
) -> None:
    """Each revision has two queries, evaluated at the end of the window."""
    server.body = vector("2.6")
    reading = await read(server.url, custom("f{r='{{ revision }}'}[{{ window }}]"))
    assert reading.answers[Source.ROUTER] == CustomCounts(Counts(3, 3), Counts(3, 3))
    asked = [query for query in server.asked if not query.startswith("{__name__")]
    assert sorted(asked) == sorted(
        f"{what}{{namespace=\"ml\",r='{revision}'}}[60s]"
        for what in "nf"
        for revision in (CANARY, STABLE)
    )
    assert server.times.count("1000.0") == 4


async def test_several_series_are_rejected_with_the_field(server: Server) -> None:
    """Several series are ambiguous."""
    server.body = vector("1", "2")
    said = (await read(server.url, custom("f{{ revision }}{{ window }}"))).answers[Source.ROUTER]
    assert isinstance(said, Unavailable)
    assert said.why is UnavailableReason.REJECTED
    assert (
        said.message
        == "Router counters: the result has 2 series: aggregate them, for example with sum(...)"
    )


async def test_a_template_that_is_broken_by_now_is_rejected(server: Server) -> None:
    """If a template becomes invalid in a rollout, the rollout is held."""
    said = (await read(server.url, custom("{{ 1 }}"))).answers[Source.ROUTER]
    assert isinstance(said, Unavailable)
    assert said.why is UnavailableReason.REJECTED


def together(*names: str, now: float = 1000.0) -> list[MetricsQueries]:
    """Return the polls of these ModelDeployments, which only Triton counts."""
    return [
        plan_queries(replace(request(now, provider=MetricsProvider.NONE), name=name, model=name))
        for name in names
    ]


async def read_together(url: str | None, polls: list[MetricsQueries]) -> Readings:
    """Ask once for several polls."""
    metrics = PrometheusReader(url, read_seconds=0.5)
    try:
        return await metrics.read_together(polls)
    finally:
        metrics.close()


async def test_polls_that_are_read_together_share_a_query(server: Server) -> None:
    """Each gets the series of its own pods."""
    pods = [
        {"metric": {"pod": f"{name}-{CANARY}-x", "model": name}, "values": [[999.5, "3"]]}
        for name in ("digits", "letters")
    ]
    server.body = answer(*pods)
    answered = await read_together(server.url, together("digits", "letters"))
    assert len(server.asked) == 1
    assert answered.together
    for reading, pod in zip(answered.readings, pods, strict=True):
        found = reading.answers[Source.TRITON]
        assert isinstance(found, CounterSamples)
        assert [series.labels for series in found.series] == [pod["metric"]]


async def test_a_rejected_query_does_not_make_others_unavailable(server: Server) -> None:
    """Parts are asked for until the poll that is rejected is alone."""
    server.rejected = "m2"
    answered = await read_together(server.url, together("m0", "m1", "m2", "m3"))
    found = [reading.answers[Source.TRITON] for reading in answered.readings]
    assert [isinstance(one, Unavailable) for one in found] == [False, False, True, False]
    assert not answered.together
    assert len(server.asked) == 5


async def test_a_shared_answer_that_is_too_large_is_asked_for_in_parts(server: Server) -> None:
    """One ModelDeployment alone may have that many series."""
    pods = [{"metric": {"pod": f"m0-{CANARY}-x", "model": "m0"}, "values": []}] * 20_001
    server.body = answer(*pods)
    answered = await read_together(server.url, together("m0", "m1"))
    assert len(server.asked) == 3
    for reading in answered.readings:
        found = reading.answers[Source.TRITON]
        assert isinstance(found, Unavailable)
        assert "has more than 20000 series" in found.message


async def test_an_outage_is_not_asked_about_in_parts(server: Server) -> None:
    """More queries would not help a server that does not respond."""
    server.status = 503
    answered = await read_together(server.url, together("m0", "m1", "m2"))
    assert len(server.asked) == 1
    assert not answered.together
    for reading in answered.readings:
        found = reading.answers[Source.TRITON]
        assert isinstance(found, Unavailable)
        assert found.why is UnavailableReason.UNREACHABLE


async def test_without_an_address_nothing_is_asked_in_parts() -> None:
    """The reason is the same for all."""
    answered = await read_together(None, together("m0", "m1"))
    for reading in answered.readings:
        found = reading.answers[Source.TRITON]
        assert isinstance(found, Unavailable)
        assert found.why is UnavailableReason.NOT_CONFIGURED
