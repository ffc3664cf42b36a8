"""The requests to an object store: each is limited in time, and its errors are ours."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import GCSStore, S3Store

from halimede_fetch.credentials import WHERE
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.limits import Budget
from halimede_fetch.patience import Patience, Waiting
from halimede_fetch.stores.access import Access
from halimede_fetch.stores.address import ObjectAddress, Scheme
from halimede_fetch.stores.errors import Context
from halimede_fetch.stores.gs_credentials import not_a_key
from halimede_fetch.target import pause_after
from halimede_fetch.timed_socket import Pace

if TYPE_CHECKING:  # they are in no module at run time
    from obstore import GetOptions, GetResult, ObjectMeta
    from obstore.store import ClientConfig, GCSConfig, RetryConfig, S3Config

READ = 256 << 10
"""How many bytes are collected before they are written."""
PAGE = 1000
"""How many objects S3 lists in one response."""
_PREFIXES = ("AWS_", "GOOGLE_")
"""With which the names of the variables begin that obstore takes its configuration from."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Client:
    """The bucket that a model is fetched from."""

    store: S3Store | GCSStore
    context: Context
    budget: Budget
    patience: Patience

    @classmethod
    def open(
        cls, address: ObjectAddress, access: Access, budget: Budget, patience: Patience
    ) -> "Client":
        """Prepare the requests; none is sent.

        Raises:
            FetchError: The Secret contains no certificates, or no key that obstore can use.
        """
        store = _store(address, access, _options(access, budget, patience))
        return cls(store, Context(address, access), budget, patience)

    async def get(self, key: str, options: "GetOptions") -> "GetResult":
        """Return the head of the response for an object.

        Raises:
            FetchError: There is none, or the store returned an error.
        """
        return await self._timed(lambda: obstore.get_async(self.store, key, options=options))

    async def head(self, key: str) -> None:
        """Check that there is an object.

        Raises:
            FetchError: There is none, or the store returned an error.
        """
        await self._timed(lambda: obstore.head_async(self.store, key))

    async def chunks(self, result: "GetResult") -> AsyncIterator[bytes]:
        """Yield the body of a response.

        Raises:
            FetchError: It is too slow, or was cut.
        """
        pace = Pace(self.budget, self.patience)
        pace.start()
        stream = result.stream(min_chunk_size=READ)
        while (chunk := await self._timed(lambda: _next(stream))) is not None:
            pace.add(len(chunk))
            pace.progress()
            yield chunk

    async def pages(self, prefix: str | None) -> AsyncIterator[list["ObjectMeta"]]:
        """Yield the objects below *prefix*; None: all in the bucket.

        Raises:
            FetchError: The store returned an error.
        """
        with self.context.described():
            stream = obstore.list(self.store, prefix, chunk_size=PAGE)
        while (page := await self._timed(lambda: _next(stream))) is not None:
            yield list(page)

    async def retrying(
        self, attempt: Callable[[], Awaitable[T]], size: Callable[[], int] = lambda: 0
    ) -> T:
        """Return the result of an attempt, which is made again after failures that may pass.

        Args:
            attempt: Starts an attempt.
            size: Returns how many bytes of the object are kept.

        Raises:
            FetchError: Another attempt would fail as well, or there were too many.
        """
        waiting = Waiting(self.patience)
        while True:
            try:
                return await attempt()
            except TransientFetchError as error:
                await asyncio.sleep(pause_after(error, waiting, self.budget, size()))

    async def _timed(self, start: Callable[[], Awaitable[T]]) -> T:
        seconds = min(self.patience.silence_seconds, self.budget.seconds_left())
        try:
            with self.context.described():
                async with asyncio.timeout(seconds):
                    return await start()
        except TimeoutError:
            self.budget.seconds_left()
            raise TransientFetchError(
                f"{self.context.address} cannot be fetched: {self.context.server} sent less than"
                f" {READ >> 10} KiB in {seconds:g} s"
            ) from None


async def _next(stream: AsyncIterator[T]) -> T | None:
    """Return the next item; None: there is none."""
    return await anext(stream, None)


def _store(address: ObjectAddress, access: Access, options: "ClientConfig") -> S3Store | GCSStore:
    # obstore would continue a response without the condition that the object is the same.
    retries: RetryConfig = {"max_retries": 0}
    endpoint = access.endpoint
    try:
        with _without_variables():
            if address.scheme is Scheme.GS:
                base = {} if endpoint is None else {"base_url": endpoint}
                gs = cast("GCSConfig", {**base, **access.signing})
                return GCSStore(
                    address.bucket, config=gs, client_options=options, retry_config=retries
                )
            given = {} if endpoint is None else {"endpoint": endpoint}
            s3 = cast("S3Config", {"region": access.region, **given, **access.signing})
            return S3Store(address.bucket, config=s3, client_options=options, retry_config=retries)
    except (BaseError, ValueError):
        if address.scheme is Scheme.GS:
            raise not_a_key() from None
        raise _no_certificates() from None


def _options(access: Access, budget: Budget, patience: Patience) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=patience.silence_seconds),
        # Of a whole response, which by default may take 30 s.
        "timeout": timedelta(seconds=budget.timeout_seconds),
    }
    if access.ca is not None:
        try:
            ssl.create_default_context(cadata=access.ca)
        except (OSError, TypeError, ValueError):  # TypeError: not ASCII
            raise _no_certificates() from None
        options["root_certificate"] = access.ca
    return options


def _no_certificates() -> FetchError:
    return FetchError(
        f"the key ca.crt of {WHERE} contains no valid certificates: store them in PEM format"
    )


@contextmanager
def _without_variables() -> Iterator[None]:
    """Hide variables from obstore, which could replace credentials or allow plain HTTP."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
