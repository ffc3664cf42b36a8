"""The operator's HTTP endpoints."""

from http import HTTPStatus

import aiohttp

from halimede import telemetry
from halimede.adapters.access_reviews import Denial
from halimede.web import serve


async def test_probes_report_the_cause() -> None:
    """A probe returns 200 and `ok`, or 503 and the reason."""
    trouble: str | None = None
    async with (
        serve(0, healthy=lambda: trouble, ready=lambda: "not yet") as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
        trouble = "stuck"
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "stuck")
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "not yet")


async def test_readiness_is_reported_with_notes() -> None:
    """Given notes, `/readyz` reports them while nothing is wrong."""
    async with (
        serve(0, healthy=lambda: None, ready=lambda: None, notes=lambda: "2 waiting") as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        client.get("/readyz") as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "ok\n2 waiting")


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """The operator's own metrics are in the text format, with its content type."""
    telemetry.POLLS.set(3)
    async with (
        serve(0, healthy=lambda: None, ready=lambda: None) as port,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert "halimede_polls 3.0" in await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")


async def test_a_denial_is_answered_with_its_reason() -> None:
    """The status and the reason are those of the denial; 401 says how to authenticate."""
    denials: dict[str | None, Denial | None] = {
        None: Denial(HTTPStatus.UNAUTHORIZED, "a token is required"),
        "Bearer other": Denial(HTTPStatus.FORBIDDEN, "other may not"),
        "Bearer reader": None,
    }

    async def find_denial(authorization: str | None) -> Denial | None:
        return denials[authorization]

    async with (
        serve(0, healthy=lambda: None, ready=lambda: None, find_denial=find_denial) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        async with client.get("/metrics") as answer:
            assert (answer.status, await answer.text()) == (401, "a token is required\n")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        headers = {"Authorization": "Bearer other"}
        async with client.get("/metrics", headers=headers) as answer:
            assert (answer.status, await answer.text()) == (403, "other may not\n")
            assert "WWW-Authenticate" not in answer.headers
        headers = {"Authorization": "Bearer reader"}
        async with client.get("/metrics", headers=headers) as answer:
            assert answer.status == 200
            assert "halimede_queue_depth" in await answer.text()
