"""The credentials with which a source is fetched, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from halimede.adapters.errors import FetchError

PREFIX = "HALIMEDE_FETCH_"
_WHERE = "the Secret named by spec.model.secretName"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for `https://` model sources. Their content is never part of a message."""

    token: str | None = field(default=None, repr=False)
    """HALIMEDE_FETCH_TOKEN: sent as a bearer token."""
    username: str | None = field(default=None, repr=False)
    """HALIMEDE_FETCH_USERNAME: with the password, sent as basic authentication."""
    password: str | None = field(default=None, repr=False)
    """HALIMEDE_FETCH_PASSWORD."""
    ca: str | None = field(default=None, repr=False)
    """HALIMEDE_FETCH_CA.CRT: certificates to trust besides the system's, as PEM text."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the credentials from *env*; absent and empty are the same.

        The pod gets a Secret's keys with a prefix, in upper or lower case as in the Secret. The
        line break at the end of a file from which a Secret was created is no part of a credential.

        Raises:
            FetchError: They cannot be sent, or contradict each other.
        """
        variables = {name.upper(): value for name, value in env.items()}
        token, username, password = (
            _line(name, variables.get(f"{PREFIX}{name.upper()}", ""))
            for name in ("token", "username", "password")
        )
        if token and (username or password):
            raise FetchError(
                f"{_WHERE} contains both a token and a username or password: remove one of them"
            )
        if bool(username) != bool(password):
            given, missing = ("username", "password") if username else ("password", "username")
            raise FetchError(
                f"{_WHERE} contains {given} but no {missing}: add it, or remove {given}"
            )
        ca = variables.get(f"{PREFIX}CA.CRT") or None
        return cls(token=token, username=username, password=password, ca=ca)


NO_CREDENTIALS = Credentials()
"""No credentials at all."""


def _line(name: str, value: str) -> str | None:
    text = value.rstrip("\r\n")
    if not text.isprintable():
        raise FetchError(f"the key {name} of {_WHERE} must be one line of text: correct it")
    if name == "token" and not text.isascii():
        raise FetchError(
            f"the key {name} of {_WHERE} must be ASCII, because it is sent in an HTTP header:"
            " correct it"
        )
    if name == "username" and ":" in text:
        raise FetchError(
            f"the key {name} of {_WHERE} contains a colon, which ends the name in an HTTP header:"
            " correct it"
        )
    return text or None
