"""How an S3 store is reached: its endpoint, and the credentials of a Secret or of the pod."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from halimede_fetch.credentials import WHERE, read_keys
from halimede_fetch.errors import FetchError

if TYPE_CHECKING:  # it is in no module at run time
    from obstore.store import S3Config

ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
SESSION_TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105  (the name of a key)
CA = "ca.crt"
KEYS = (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, CA)
"""The keys of the Secret that are read, in upper or lower case."""
TOKEN_FILE, ROLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"
"""Variables that are set in pods whose ServiceAccount has a role: "IAM roles for service accounts"
in the documentation of EKS."""
SESSION_NAME, STS_ENDPOINT = "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS"
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
DEFAULT_REGION = "us-east-1"
"""The region that most stores expect which have none."""
_ENDPOINT = re.compile(
    r"https://[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?"
    r"(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}))?"
)
"""What obstore cannot parse ends the program instead of raising an error."""

ANONYMOUS: "S3Config" = {"skip_signature": True}


@dataclass(frozen=True, slots=True)
class Access:
    """How an S3 store is reached. Credentials are never part of a message."""

    endpoint: str | None = None
    """None: that of AWS in the region."""
    region: str = DEFAULT_REGION
    ca: str | None = field(default=None, repr=False)
    """Certificates to trust besides the system's, as PEM text."""
    signing: "S3Config" = field(default_factory=lambda: ANONYMOUS, repr=False)
    """How requests are signed."""

    @property
    def is_anonymous(self) -> bool:
        """Whether requests are sent without credentials."""
        return self.signing == ANONYMOUS

    @property
    def is_identity(self) -> bool:
        """Whether the credentials are those of the pod's ServiceAccount."""
        return "role_arn" in self.signing


PUBLIC = Access()
"""A public bucket of AWS."""


def access_of(
    *,
    endpoint: str | None,
    region: str | None,
    secret: Path | None,
    environment: Mapping[str, str],
) -> Access:
    """Choose the credentials: those in the Secret, those of the pod's ServiceAccount, or none.

    The credentials of the node are never used.

    Args:
        endpoint: The address of the store; None: AWS.
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
    keys = dict.fromkeys(KEYS, "") if secret is None else read_keys(secret, KEYS)
    ca = keys.pop(CA) or None
    signing = _keys(keys, is_needed=secret is not None and ca is None)
    if not signing and ROLE in environment and TOKEN_FILE in environment:
        region = region or next(filter(None, map(environment.get, REGIONS)), None)
        signing = _identity(environment)
    return Access(endpoint, region or DEFAULT_REGION, ca, signing or ANONYMOUS)


def _keys(keys: Mapping[str, str], *, is_needed: bool) -> "S3Config":
    """Return the keys of a Secret for obstore; nothing if the Secret has none of them."""
    texts = {key: _line(key, value) for key, value in keys.items()}
    given = [key for key in (ACCESS_KEY, SECRET_KEY) if texts[key]]
    if len(given) == 1:
        missing = SECRET_KEY if given == [ACCESS_KEY] else ACCESS_KEY
        raise FetchError(f"{WHERE} contains {given[0]} but no {missing}: add it")
    if not given and (is_needed or texts[SESSION_TOKEN]):
        raise FetchError(
            f"{WHERE} contains no {ACCESS_KEY} and {SECRET_KEY}: add them, or remove"
            " spec.model.secretName to use the ServiceAccount of the pod or a public bucket"
        )
    if not given:
        return {}
    signing: S3Config = {
        "access_key_id": texts[ACCESS_KEY],
        "secret_access_key": texts[SECRET_KEY],
    }
    if texts[SESSION_TOKEN]:
        signing["session_token"] = texts[SESSION_TOKEN]
    return signing


def _line(key: str, value: str) -> str:
    text = value.strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise FetchError(f"the key {key} of {WHERE} must be one word of ASCII: correct it")
    return text


def _identity(environment: Mapping[str, str]) -> "S3Config":
    """Return the role of the pod's ServiceAccount for obstore."""
    signing: S3Config = {
        "role_arn": environment[ROLE],
        "web_identity_token_file": environment[TOKEN_FILE],
    }
    if name := environment.get(SESSION_NAME):
        signing["role_session_name"] = name
    if endpoint := environment.get(STS_ENDPOINT):
        signing["endpoint_url_sts"] = endpoint  # type: ignore[typeddict-unknown-key]  # its name
    return signing
