"""Who may read the operator's metrics: the API server decides, by the token of the request.

A TokenReview says whose token it is, and a SubjectAccessReview whether this user may `get` the
non-resource URL `/metrics`, as in kube-rbac-proxy and in controller-runtime's
`WithAuthenticationAndAuthorization`.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from halimede.adapters.errors import OperatorError, TransientError
from halimede.adapters.kinds import Kind
from halimede.api.base import Manifest

TOKEN_REVIEW = Kind("TokenReview", "authentication.k8s.io/v1", "tokenreviews", selector=None)
SUBJECT_ACCESS_REVIEW = Kind(
    "SubjectAccessReview", "authorization.k8s.io/v1", "subjectaccessreviews", selector=None
)
ALLOWED_SECONDS = 60.0
"""How long a request is allowed without asking again: a revoked token works as long."""
DENIED_SECONDS = 10.0
"""How long a request is denied without asking again: a new binding takes as long."""
MAX_ANSWERS = 256
"""The number of answers of each kind that are kept: tokens are chosen by others."""
CONCURRENT_REVIEWS = 4
"""Further requests wait, so that a flood of tokens is none for the API server."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is not answered with the metrics."""

    status: HTTPStatus
    reason: str


class Reviewer(Protocol):
    """The API server."""

    async def review(self, kind: Kind, spec: Manifest) -> Manifest:
        """Create a review, which is not stored; return its status."""


class AccessReviews:
    """Asks the API server who may read the metrics, and keeps its answers for a short time."""

    def __init__(self, reviewer: Reviewer, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without answers.

        Args:
            reviewer: The API server. It must not depend on leadership: every replica is scraped.
            clock: Returns the seconds by which answers become old.
        """
        self._reviewer = reviewer
        # Apart: unknown tokens must not displace the answers for known ones.
        self._allowed = _Answers(ALLOWED_SECONDS, clock)
        self._denied = _Answers(DENIED_SECONDS, clock)
        self._slots = asyncio.Semaphore(CONCURRENT_REVIEWS)

    async def find_denial(self, authorization: str | None) -> Denial | None:
        """Return why a request is denied; None: it is allowed.

        Args:
            authorization: The header `Authorization` of the request.
        """
        scheme, _, token = (authorization or "").strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or not token.isascii():
            return Denial(
                HTTPStatus.UNAUTHORIZED,
                "a bearer token is required: set one in the scrape configuration",
            )
        # The tokens themselves are not kept.
        key = hashlib.sha256(token.encode()).digest()
        for answers in (self._allowed, self._denied):
            if key in answers:
                return answers.get(key)
        async with self._slots:
            try:
                denial = await self._review(token)
            except OperatorError as error:
                return _report(error)
        (self._allowed if denial is None else self._denied).put(key, denial)
        return denial

    async def _review(self, token: str) -> Denial | None:
        status = await self._reviewer.review(TOKEN_REVIEW, {"token": token})
        if status.get("authenticated") is not True:
            return Denial(HTTPStatus.UNAUTHORIZED, "the API server does not know the bearer token")
        user = status.get("user") or {}
        subject = {
            "user": user.get("username", ""),
            "groups": user.get("groups") or [],
            "uid": user.get("uid", ""),
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        }
        status = await self._reviewer.review(SUBJECT_ACCESS_REVIEW, subject)
        if status.get("allowed") is not True:
            return Denial(
                HTTPStatus.FORBIDDEN,
                f"{subject['user']} may not get /metrics: bind the ClusterRole"
                " <release>-metrics-reader to it",
            )
        return None


class _Answers:
    """A limited number of answers, by the digests of the tokens."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds, self._clock = seconds, clock
        self._answers: dict[bytes, tuple[float, Denial | None]] = {}
        """The oldest first, with the times at which they end."""

    def __contains__(self, key: bytes) -> bool:
        return key in self._answers and self._clock() < self._answers[key][0]

    def get(self, key: bytes) -> Denial | None:
        return self._answers[key][1]

    def put(self, key: bytes, answer: Denial | None) -> None:
        self._answers.pop(key, None)
        while len(self._answers) >= MAX_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = self._clock() + self._seconds, answer


def _report(error: OperatorError) -> Denial:
    """Log why a token could not be reviewed; the response does not repeat it."""
    _log.error("The token of a request for /metrics cannot be verified: %s", error)
    transient = isinstance(error, TransientError)
    return Denial(
        HTTPStatus.SERVICE_UNAVAILABLE if transient else HTTPStatus.INTERNAL_SERVER_ERROR,
        "the API server could not verify the token: see the log of the operator",
    )
