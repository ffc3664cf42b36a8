"""The operator's HTTP endpoints."""

import aiohttp

from halimede import telemetry
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


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """The operator's own metrics are in the text format, with its content type."""
    telemetry.QUEUE_DEPTH.set(3)
    async with (
        serve(0, healthy=lambda: None, ready=lambda: None) as port,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert "halimede_queue_depth 3.0" in await answer.text()
        assert answer.headers["Content-Type"].startswith("text/plain")
