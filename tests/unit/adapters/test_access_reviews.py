"""Who may read the metrics: answers of the API server, and what is kept of them."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import pytest
from kubernetes.aio.client import Configuration

from halimede.adapters import access_reviews
from halimede.adapters.access_reviews import (
    ALLOWED_SECONDS,
    CONCURRENT_REVIEWS,
    DENIED_SECONDS,
    MAX_ANSWERS,
    AccessReviews,
)
from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import ForbiddenError, OperatorError, TransientError
from halimede.adapters.kinds import Kind
from halimede.api.base import Manifest
from halimede.web import serve


@dataclass
class Server:
    """An API server that knows the tokens `reader…` and `other…`."""

    error: OperatorError | None = None
    reviews: Counter[str] = field(default_factory=Counter)
    """The number of reviews, by kind."""
    subject: Manifest = field(default_factory=dict)
    """The last one whose access was reviewed."""
    concurrent: int = 0
    most: int = 0

    async def review(self, kind: Kind, spec: Manifest) -> Manifest:
        """Answer as the API server does."""
        self.reviews[kind.name] += 1
        self.concurrent += 1
        self.most = max(self.most, self.concurrent)
        await asyncio.sleep(0)
        self.concurrent -= 1
        if self.error is not None:
            raise self.error
        if kind.name == "SubjectAccessReview":
            self.subject = spec
            return {"allowed": spec["user"].startswith("reader")}
        token = spec["token"]
        if not token.startswith(("reader", "other")):
            return {"authenticated": False, "error": "invalid bearer token"}
        user = {"username": token, "uid": "u", "groups": ["g"], "extra": {"e": ["1"]}}
        return {"authenticated": True, "user": user}


@dataclass
class Clock:
    """A clock that the test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def status(access: AccessReviews, token: str) -> int:
    """Return the status of the response to a request with a token."""
    denial = await access.find_denial(f"Bearer {token}")
    return 200 if denial is None else denial.status


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer  ", 401),
        ("Basic reader", 401),
        ("reader", 401),
        ("Bearer unknown", 401),
        ("Bearer reader\udcff", 401),
        ("Bearer other", 403),
        ("Bearer reader", 200),
        ("bearer  reader ", 200),
    ],
)
async def test_a_request_needs_a_token_with_the_right(header: str | None, expected: int) -> None:
    """Only the token of an account that may get /metrics is accepted."""
    denial = await AccessReviews(Server()).find_denial(header)
    assert (200 if denial is None else denial.status) == expected


async def test_the_whole_user_is_reviewed() -> None:
    """The rights of groups count, for the path and the verb of the request."""
    server = Server()
    await AccessReviews(server).find_denial("Bearer reader")
    assert server.subject == {
        "user": "reader",
        "uid": "u",
        "groups": ["g"],
        "extra": {"e": ["1"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


@pytest.mark.parametrize(
    ("token", "seconds"),
    [("reader", ALLOWED_SECONDS), ("other", DENIED_SECONDS), ("unknown", DENIED_SECONDS)],
)
async def test_an_answer_is_kept_for_a_short_time(token: str, seconds: float) -> None:
    """Within that time the API server is not asked again, then it is."""
    server, clock = Server(), Clock()
    access = AccessReviews(server, clock)
    first = await status(access, token)
    clock.now += seconds - 1
    assert await status(access, token) == first
    assert server.reviews["TokenReview"] == 1
    clock.now += 1
    assert await status(access, token) == first
    assert server.reviews["TokenReview"] == 2


async def test_unknown_tokens_do_not_displace_a_reader() -> None:
    """Given a flood of tokens, what is kept is limited, and readers are not asked for again."""
    server = Server()
    access = AccessReviews(server)
    assert await status(access, "reader") == 200
    flood = [status(access, f"unknown-{number}") for number in range(2 * MAX_ANSWERS)]
    assert set(await asyncio.gather(*flood)) == {401}
    asked = server.reviews["TokenReview"]
    assert await status(access, "reader") == 200
    assert server.reviews["TokenReview"] == asked
    assert server.most <= CONCURRENT_REVIEWS
    assert await status(access, "unknown-0") == 401
    assert server.reviews["TokenReview"] == asked + 1


async def test_many_readers_are_limited_too() -> None:
    """Given more tokens with the right than are kept, the first is reviewed again."""
    server = Server()
    access = AccessReviews(server)
    for number in range(MAX_ANSWERS + 1):
        assert await status(access, f"reader-{number}") == 200
    assert await status(access, f"reader-{MAX_ANSWERS}") == 200
    assert server.reviews["TokenReview"] == MAX_ANSWERS + 1
    assert await status(access, "reader-0") == 200
    assert server.reviews["TokenReview"] == MAX_ANSWERS + 2


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TransientError("the API server cannot be reached: refused"), 503),
        (ForbiddenError("cannot create resource tokenreviews", 403), 500),
    ],
)
async def test_without_an_answer_metrics_are_denied(
    caplog: pytest.LogCaptureFixture, error: OperatorError, expected: int
) -> None:
    """The log has the cause; the next request is reviewed again."""
    server = Server(error=error)
    access = AccessReviews(server)
    with caplog.at_level(logging.ERROR, access_reviews.__name__):
        assert await status(access, "reader") == expected
    assert str(error) in caplog.text
    assert "reader" not in caplog.text
    server.error = None
    assert await status(access, "reader") == 200


async def test_an_unreachable_api_server_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Given no server at its address, /metrics is 503, and the probes are still open."""
    configuration = Configuration()
    configuration.host = "http://127.0.0.1:1"
    cluster = KubeCluster(configuration)
    async with (
        serve(
            0,
            healthy=lambda: None,
            ready=lambda: None,
            find_denial=AccessReviews(cluster).find_denial,
        ) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        headers = {"Authorization": "Bearer reader"}
        async with client.get("/metrics", headers=headers) as answer:
            assert answer.status == 503
            assert "halimede_" not in await answer.text()
        for path in ("/healthz", "/readyz"):
            async with client.get(path) as answer:
                assert answer.status == 200
    assert "the API server cannot be reached" in caplog.text
    await cluster.close()
