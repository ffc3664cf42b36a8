"""Convert the API server's responses to errors."""

import json
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


def to_error(status: int, text: bytes) -> ApiError | TransientError:
    """Return the error for a response with a status of 300 or more.

    Args:
        status: The HTTP status.
        text: The body, usually a `Status` of `meta/v1`.
    """
    answer = _parse(text)
    message = _message(answer, text) or f"HTTP {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(message)
    if status == HTTPStatus.FORBIDDEN and _TERMINATING in text:
        return NamespaceTerminatingError(message, status)
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and _UID in _invalid_fields(answer):
        # An apply with the uid of an object that was deleted, and another one has its name.
        return ConflictError(message, status)
    return _ERRORS.get(status, ApiError)(message, status)


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
