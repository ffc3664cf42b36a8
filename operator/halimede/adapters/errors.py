"""The errors that adapters raise; errors of their libraries are converted to these.

```
OperatorError
├── SettingsError                  a setting cannot be used
├── NotLeaderError                 another replica of the operator leads; nothing was sent
├── TransientError                 a retry may succeed: 429, 5xx, a time-out, no connection
└── ApiError                       a retry would fail too
    ├── NotFoundError              404
    ├── ConflictError              409: another client was faster, or the uid differs
    ├── ForbiddenError             401, 403: our service account lacks a permission
    ├── NamespaceTerminatingError  403: the namespace is being deleted; no object can be created
    └── RejectedError              400, 413, 415, 422: the request is invalid
```
"""


class OperatorError(Exception):
    """The base of all errors of the operator."""


class SettingsError(OperatorError):
    """A setting is invalid; the message names the variable and what to do."""


class NotLeaderError(OperatorError):
    """Only the leader writes, and this replica is not the leader."""


class TransientError(OperatorError):
    """The same call may succeed later.

    Attributes:
        retry_after: The seconds that the server asked to wait; None if it did not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Store the reason and the server's delay."""
        super().__init__(message)
        self.retry_after = retry_after


class ApiError(OperatorError):
    """The API server rejected a request; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        """Store the server's own message and the HTTP status."""
        super().__init__(message)
        self.status = status


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ConflictError(ApiError):
    """The object has another uid or version than the request was made for."""


class ForbiddenError(ApiError):
    """The service account lacks a permission."""


class NamespaceTerminatingError(ApiError):
    """The namespace is being deleted: objects that are missing in it need not be created."""


class RejectedError(ApiError):
    """The request itself is invalid."""
