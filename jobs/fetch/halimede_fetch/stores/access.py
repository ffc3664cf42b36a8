"""How an object store is reached: its endpoint, and who reads it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from halimede_fetch.credentials import read_keys
from halimede_fetch.errors import FetchError
from halimede_fetch.stores import gs_credentials, s3_credentials
from halimede_fetch.stores.address import Scheme

CA = "ca.crt"
DEFAULT_REGION = "us-east-1"
"""The region that most S3 stores expect which have none."""
_ENDPOINT = re.compile(
    r"https://[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?"
    r"(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}))?"
)
"""What obstore cannot parse ends the program instead of raising an error."""

Signing = Mapping[str, str | bool]
"""The part of obstore's configuration of a store that says how requests are signed."""
ANONYMOUS: Signing = {"skip_signature": True}


@dataclass(frozen=True, slots=True)
class Access:
    """How an object store is reached. Credentials are never part of a message."""

    endpoint: str | None = None
    """None: that of AWS in the region, or of Google."""
    region: str = DEFAULT_REGION
    """Of S3 only."""
    ca: str | None = field(default=None, repr=False)
    """Certificates to trust besides the system's, as PEM text."""
    signing: Signing = field(default_factory=lambda: ANONYMOUS, repr=False)

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are sent without credentials."""
        return self.signing == ANONYMOUS

    @property
    def is_identity(self) -> bool:
        """Whether the credentials are those of the pod's ServiceAccount."""
        return "role_arn" in self.signing


PUBLIC = Access()
"""A public bucket."""


def access_of(
    scheme: Scheme,
    *,
    endpoint: str | None,
    region: str | None,
    secret: Path | None,
    environment: Mapping[str, str],
) -> Access:
    """Choose the credentials: those in the Secret, those of the pod's ServiceAccount, or none.

    The credentials of the node are never used.

    Args:
        scheme: The protocol of the store.
        endpoint: The address of the store; None: that of the cloud.
        region: The store's region; None: that of the ServiceAccount's role, or the default.
        secret: The folder of a mounted Secret.
        environment: The variables of the container. Of these, only those of the ServiceAccount's
            role are used.

    Raises:
        MissingSecretError: The Secret does not exist or is empty.
        FetchError: The endpoint or the Secret is invalid.
    """
    if endpoint is not None and not _ENDPOINT.fullmatch(endpoint):
        raise FetchError("spec.model.supply.endpoint must have the form https://HOST[:PORT]")
    names = {Scheme.S3: s3_credentials.KEYS, Scheme.GS: gs_credentials.KEYS}[scheme]
    keys = dict.fromkeys((*names, CA), "") if secret is None else read_keys(secret, (*names, CA))
    ca = keys.pop(CA) or None
    is_needed = secret is not None and ca is None
    if scheme is Scheme.GS:
        signing = gs_credentials.signing(keys, is_needed=is_needed)
        return Access(endpoint, DEFAULT_REGION, ca, signing or ANONYMOUS)
    signing = s3_credentials.signing(keys, is_needed=is_needed)
    if not signing and (identity := s3_credentials.identity(environment)):
        region, signing = region or s3_credentials.region(environment), identity
    return Access(endpoint, region or DEFAULT_REGION, ca, signing or ANONYMOUS)
