"""Credentials for Google Cloud Storage: the key of a service account of Google."""

import json
from collections.abc import Mapping
from typing import Any

from halimede_fetch.credentials import WHERE
from halimede_fetch.errors import FetchError

KEY_FILE = "key.json"
KEYS = (KEY_FILE,)
"""The keys of the Secret that are read, in upper or lower case."""
_FIELDS = ("private_key", "private_key_id", "client_email")
"""What is used of a key. Others could lead to another server, or switch credentials off."""


def signing(keys: Mapping[str, str], *, is_needed: bool) -> dict[str, str | bool]:
    """Return the key of a Secret for obstore; nothing if the Secret has none.

    Raises:
        FetchError: It is not the key of a service account, or there is none, although the Secret
            has nothing else.
    """
    text = keys[KEY_FILE].strip()
    if not text and is_needed:
        raise FetchError(
            f"{WHERE} contains no {KEY_FILE}: add it, or remove spec.model.secretName to use a"
            " public bucket"
        )
    if not text:
        return {}
    key = _parse(text)
    if key.get("type") != "service_account" or not all(
        isinstance(key.get(name), str) for name in _FIELDS
    ):
        raise not_a_key()
    return {"service_account_key": json.dumps({name: key[name] for name in _FIELDS})}


def not_a_key() -> FetchError:
    """Return the error of a key that cannot be used."""
    return FetchError(
        f"the key {KEY_FILE} of {WHERE} is not the key of a service account of Google: create a"
        " key in JSON format, and store it unchanged"
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        key = json.loads(text)
    except (ValueError, RecursionError):  # the text of the error could have a part of the key
        raise not_a_key() from None
    return key if isinstance(key, dict) else {}
