"""The errors of the fetcher; errors of libraries are converted to these.

```
FetchError                 the model's files could not be fetched
├── DamagedError           a model in the cache is not what its name says
├── MissingSecretError     the Secret with the credentials does not exist or is empty
└── TransientFetchError    another attempt may succeed: the server is busy, slow or away
```
"""


class FetchError(Exception):
    """The model could not be fetched; the message has the reason and what to do."""


class DamagedError(FetchError):
    """A model in the cache is not what its name says; the message has the first difference."""


class MissingSecretError(FetchError):
    """The Secret with the credentials does not exist or is empty; it may be created later."""


class TransientFetchError(FetchError):
    """Another attempt may succeed.

    Attributes:
        retry_after: The seconds that the server asked to wait; None if it did not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Store the reason and the server's delay."""
        super().__init__(message)
        self.retry_after = retry_after
