"""Convert the API server's responses to errors."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from halimede.adapters.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NamespaceTerminatingError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from halimede.adapters.nesting import limit_depth

NOT_APPLICABLE = "the server rejected our request due to an error in our request"
"""The API server's message for a JSON patch whose test fails or whose path does not exist, without
distinction (`NewGenericServerResponse` of apimachinery). An invalid result has a full message."""
DELAY = re.compile(r"[1-9]\d{0,3}")
"""A Retry-After in seconds; the API server sends no dates."""
_TERMINATING = b'"NamespaceTerminating"'
"""The cause in the API server's response (`NamespaceTerminatingCause` of its core API)."""
_UID = "metadata.uid"
_ERRORS = {
    400: RejectedError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
}


def retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the API server asks to wait before the request is sent again.

    client-go repeats the same responses: 429 and 5xx with this header. The API server rejects so
    what exceeds its limits, and has not executed it.
    """
    delay = headers.get("Retry-After", "").strip()
    if not (_is_transient(status) and DELAY.fullmatch(delay)):
        return None
    return float(delay)


def to_error(status: int, text: bytes, delay: float | None = None) -> ApiError | TransientError:
    """Return the error for a response with a status of 300 or more.

    Args:
        status: The HTTP status.
        text: The body, usually a `Status` of `meta/v1`.
        delay: The result of `retry_after`.
    """
    answer = _parse(text)
    message = _message(answer, text) or f"HTTP {status}"
    if _is_transient(status):
        return TransientError(message, delay)
    if status == HTTPStatus.FORBIDDEN and _TERMINATING in text:
        return NamespaceTerminatingError(message, status)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and _UID in _invalid_fields(answer):
        # An apply with the uid of an object that was deleted, and another one has its name.
        return ConflictError(message, status)
    return _ERRORS.get(status, ApiError)(message, status)


def _is_transient(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _parse(text: bytes) -> Any:
    try:
        return json.loads(limit_depth(text))
    except ValueError:
        return None


def _message(answer: Any, text: bytes) -> str:
    if answer is None:
        return text.decode(errors="replace")[:200]
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""


def _invalid_fields(answer: Any) -> set[str]:
    """Return the fields that the API server names as invalid."""
    details = answer.get("details") if isinstance(answer, dict) else None
    causes = (details or {}).get("causes") or ()
    return {cause.get("field", "") for cause in causes}
