"""The errors that adapters raise. Nothing else of their libraries gets above them.

```
OperatorError
├── SettingsError           the operator was started with settings that it cannot use
├── TransientError          worth the same call again later: 429, 5xx, a time-out, no connection
├── ApiError                the API server said no, and will say it again
│   ├── NotFoundError       404
│   ├── ConflictError       409: somebody was faster, or the uid is another one
│   ├── ForbiddenError      401, 403: our service account may not do that
│   ├── EndingError         403: the namespace is being deleted, nothing can be made in it
│   └── RejectedError       400, 413, 415, 422: what was sent is not acceptable
└── FetchError              the model's files could not be brought in
```
"""


class OperatorError(Exception):
    """The root of the tree."""


class SettingsError(OperatorError):
    """A setting is unusable; the message names the variable and what to do."""


class TransientError(OperatorError):
    """The same call may succeed later."""


class ApiError(OperatorError):
    """The API server refused a request; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the server's own message and the HTTP status."""
        super().__init__(message)
        self.status = status


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ConflictError(ApiError):
    """The object is not the one, or not the version, that the request was made for."""


class ForbiddenError(ApiError):
    """The service account lacks a right."""


class NamespaceTerminatingError(ApiError):
    """The namespace is being deleted: what is missing in it need not be made."""


class RejectedError(ApiError):
    """The request itself is not acceptable to the API server."""


class FetchError(OperatorError):
    """The model could not be fetched; the message says why and what to do."""
