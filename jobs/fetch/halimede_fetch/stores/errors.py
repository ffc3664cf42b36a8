"""Errors of object stores: what is wrong, and what to do.

The texts of obstore's errors contain the response of the server, which may repeat credentials. So
no part of them becomes part of a message, except for the HTTP status.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from obstore.exceptions import BaseError, PreconditionError

from halimede_fetch.credentials import WHERE
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.request import BUSY
from halimede_fetch.stores.access import Access
from halimede_fetch.stores.address import ObjectAddress, Scheme
from halimede_fetch.stores.gs_credentials import KEY_FILE
from halimede_fetch.stores.s3_credentials import ACCESS_KEY, SECRET_KEY, SESSION_TOKEN

_STATUS = re.compile(r"status code: (\d{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z0-9.]{1,64})</Code>")
_SERVER = "check spec.model.supply.endpoint"
_REGION = (
    "the bucket is in another region: set spec.model.supply.region to it, or check"
    " spec.model.supply.endpoint"
)
_RIGHTS: Mapping[Scheme, tuple[str, str]] = {
    Scheme.S3: ("s3:GetObject", "s3:ListBucket"),
    Scheme.GS: ("storage.objects.get", "storage.objects.list"),
}
"""What is needed to read objects, and to list them."""
_READERS: Mapping[Scheme, str] = {
    Scheme.S3: f"the access key in {WHERE}",
    Scheme.GS: f"the service account of {KEY_FILE} in {WHERE}",
}
_NO_BUCKET = (
    "the bucket does not exist: check spec.model.storageUri, and spec.model.supply.endpoint"
    " and region"
)
_EXPIRED = (
    f"the credentials have expired: write new ones to {WHERE}, or use the ServiceAccount of the"
    " pod, whose credentials are renewed"
)
_CLOCK = (
    "the time of the request is too far from the store's: correct the clock of the node, or that"
    " of the store"
)
_CODES: Mapping[str, str] = {
    "NoSuchBucket": _NO_BUCKET,
    "InvalidBucketName": _NO_BUCKET,
    "InvalidAccessKeyId": f"the store does not know the access key: correct {ACCESS_KEY} in"
    f" {WHERE}, and check spec.model.supply.endpoint",
    "SignatureDoesNotMatch": f"the signature is wrong: correct {SECRET_KEY} in {WHERE}",
    "InvalidToken": f"the session token is invalid: correct {SESSION_TOKEN} in {WHERE}, or remove"
    " it if the access key has none",
    "ExpiredToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "RequestNotYetValid": _CLOCK,
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "InvalidObjectState": "the object is archived: restore it, or copy it to another storage"
    " class",
}
"""What the error codes of S3 mean: "Error responses" in the API reference of Amazon S3."""
_BUSY_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes after which the same request may succeed, whatever the status."""
_CERTIFICATES: Mapping[str, str] = {
    "UnknownIssuer": "it is signed by an unknown CA",
    "Expired": "it has expired",
    "NotValidYet": "it is not valid yet",
    "NotValidForName": "it is for another host",
}
_CONNECTIONS: tuple[tuple[str, str], ...] = (
    ("dns error", "the host has no address"),
    ("ConnectionRefused", "the connection was refused"),
    ("TimedOut", "the server did not respond in time"),
    ("kind: Connect", "there is no connection to the server"),
    ("kind: Request", "the connection closed without a response"),
    ("kind: Interrupted", "the connection closed before the end"),
    ("kind: Decode", "the connection closed before the end"),
    ("kind: Body", "the connection closed before the end"),
)
"""Parts of the texts of obstore's errors without a response, and what they mean."""
_INVALID_PATH = ("Could not parse path", "rror parsing Path", "empty path segment")
"""Parts of the texts about keys that cannot be paths."""
_UNREADABLE = "Generic S3 error: Failed to read token file"
"""The beginning of the text about a token of the ServiceAccount that cannot be read."""


class MissingObjectError(FetchError):
    """There is no object with this key; the bucket exists."""


class ChangedObjectError(FetchError):
    """The object is not the one that was listed, or of which the beginning was read."""


@dataclass(frozen=True, slots=True)
class Context:
    """What errors are about."""

    address: ObjectAddress
    access: Access

    @contextmanager
    def described(self) -> Iterator[None]:
        """Replace the errors of obstore during a with block."""
        try:
            yield
        except FileNotFoundError as error:
            if _code(str(error)) in _CODES:
                raise self._describe(str(error)) from None
            raise self.missing() from None
        except PreconditionError:
            raise self.changed() from None
        except (BaseError, ValueError) as error:
            raise self._describe(str(error)) from None

    def missing(self) -> MissingObjectError:
        """Return the error of an address without objects."""
        return MissingObjectError(
            f"{self.address}: the bucket {self.address.bucket!r} has no object with the key"
            f" {self.address.key!r}, and none below it: check spec.model.storageUri"
        )

    def changed(self) -> ChangedObjectError:
        """Return the error of an object that was replaced."""
        return ChangedObjectError(f"{self.address}: an object changed while it was read")

    def invalid_list(self) -> FetchError:
        """Return the error of a list with objects of other folders."""
        return FetchError(
            f"{self.address} cannot be fetched: {self.server} lists objects that are not below"
            f" this key; {_SERVER}"
        )

    def _describe(self, text: str) -> FetchError:
        found = _STATUS.search(text)
        if found is None:
            return self._describe_connection(text)
        status, code = int(found[1]), _code(text)
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # A store that ignores the condition says so of the rest of a smaller object.
            return self.changed()
        answer = f"{self.address}: {self._who(text)} responded with {status}{_phrase(status)}"
        if status in BUSY or code in _BUSY_CODES:
            return TransientFetchError(answer)
        if code is not None and code in _CODES and not _is_of_identity(text):
            return FetchError(f"{answer}: {_CODES[code]}")
        return FetchError(f"{answer}: {self._remedy(status, text)}")

    def _remedy(self, status: int, text: str) -> str:
        if _is_of_identity(text):
            return (
                "check that the role of the ServiceAccount in spec.serviceAccountName exists and"
                " trusts this ServiceAccount"
            )
        is_gs = self.address.scheme is Scheme.GS
        if status == HTTPStatus.UNAUTHORIZED and is_gs and not self.access.is_anonymous:
            return f"correct {KEY_FILE} in {WHERE}, or the clock of the node"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return f"{self._credentials()}; {self._rights()}"
        if status in range(300, 400):
            return _REGION
        return f"check spec.model.storageUri and {_SERVER.removeprefix('check ')}"

    def _credentials(self) -> str:
        if self.access.is_anonymous:
            account = " or the ServiceAccount of the pod" * (self.address.scheme is Scheme.S3)
            return (
                "the request had no credentials: add them by spec.model.secretName"
                f"{account}, or make the bucket public"
            )
        if self.access.is_identity:
            return "the role of the pod's ServiceAccount is not allowed to read"
        return f"{_READERS[self.address.scheme]} is not allowed to read"

    def _rights(self) -> str:
        read, listed = _RIGHTS[self.address.scheme]
        return (
            f"allow {read} for the objects and {listed} for the bucket, or check"
            f" spec.model.storageUri: without {listed}, an object that does not exist is denied as"
            " well, and so is a folder without a slash at the end of the address"
        )

    def _describe_connection(self, text: str) -> FetchError:
        where = f"{self.address} cannot be fetched"
        if found := re.search(r"InvalidCertificate\(\s*(\w+?)(Context)?\b", text):
            why = _CERTIFICATES.get(found[1], "it is invalid")
            return FetchError(
                f"{where}: the certificate of {self._who(text)} is not trusted, because {why};"
                f" correct spec.model.supply.endpoint, or add the server's CA as the key ca.crt to"
                f" {WHERE}"
            )
        if text.startswith(_UNREADABLE):
            return FetchError(
                f"{where}: the token of the pod's ServiceAccount cannot be read: set fsGroup in"
                " spec.podTemplate.spec.securityContext, or spec.serviceAccountName"
            )
        if "redirect without LOCATION" in text:
            return FetchError(f"{where}: {_REGION}")
        if any(part in text for part in _INVALID_PATH):
            return FetchError(
                f"{where}: the key of an object has an empty part, a part . or .., or a control"
                " character: rename it"
            )
        for part, why in _CONNECTIONS:
            if part in text:
                return TransientFetchError(f"{where}: {self._who(text)}: {why}; {_SERVER}")
        return FetchError(f"{where}: the response of {self._who(text)} is not valid; {_SERVER}")

    @property
    def server(self) -> str:
        """The name of the store in messages."""
        if self.access.endpoint is not None:
            return self.access.endpoint
        if self.address.scheme is Scheme.GS:
            return "Google Cloud Storage"
        return f"AWS in {self.access.region}"

    def _who(self, text: str) -> str:
        if _is_of_identity(text):
            return "the token service (STS) for the pod's ServiceAccount"
        return self.server


def _is_of_identity(text: str) -> bool:
    """Whether the error is of the request for the credentials of the ServiceAccount."""
    return text.startswith(("Generic S3 error: Error performing POST", _UNREADABLE))


def _code(text: str) -> str | None:
    found = _CODE.search(text)
    return found[1] if found else None


def _phrase(status: int) -> str:
    return f" {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else ""
