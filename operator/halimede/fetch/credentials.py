"""The credentials with which a source is fetched, from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for `https://` model sources."""

    token: str | None = None
    """HALIMEDE_FETCH_TOKEN: sent as a bearer token."""
    username: str | None = None
    """HALIMEDE_FETCH_USERNAME: with the password, sent as basic authentication."""
    password: str | None = None
    """HALIMEDE_FETCH_PASSWORD."""
    ca: str | None = None
    """HALIMEDE_FETCH_CA.CRT: certificates to trust besides the system's, as PEM text."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the credentials from *env*; absent and empty are the same.

        The pod gets a Secret's keys with a prefix, in upper or lower case as in the Secret.
        """
        variables = {name.upper(): value for name, value in env.items()}
        return cls(
            token=variables.get("HALIMEDE_FETCH_TOKEN") or None,
            username=variables.get("HALIMEDE_FETCH_USERNAME") or None,
            password=variables.get("HALIMEDE_FETCH_PASSWORD") or None,
            ca=variables.get("HALIMEDE_FETCH_CA.CRT") or None,
        )


NO_CREDENTIALS = Credentials()
"""No credentials at all."""
