"""The credentials with which a source is fetched, from the files of a mounted Secret."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from halimede_fetch.errors import FetchError, MissingSecretError

KEYS = ("token", "username", "password", "HF_TOKEN", "ca.crt")
"""The keys of the Secret that are read, in upper or lower case."""
_KUBELETS = ".."
"""Prefix of what the kubelet adds to a volume. No key of a Secret has it."""
WHERE = "the Secret named by spec.model.secretName"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for `https://` and `hf://` sources. Their content is never part of a message."""

    token: str | None = field(default=None, repr=False)
    """`token`: sent as a bearer token."""
    username: str | None = field(default=None, repr=False)
    """`username`: with the password, sent as basic authentication."""
    password: str | None = field(default=None, repr=False)
    """`password`."""
    hf_token: str | None = field(default=None, repr=False)
    """`HF_TOKEN`: a token for a hub only, where it is preferred to the others."""
    ca: str | None = field(default=None, repr=False)
    """`ca.crt`: certificates to trust besides the system's, as PEM text."""

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read the credentials from a mounted Secret, with a file for each key.

        An absent and an empty key are the same. The line break at the end of a file from which a
        Secret was created is no part of a credential.

        Raises:
            MissingSecretError: There are no keys at all.
            FetchError: The credentials cannot be read or sent, or contradict each other.
        """
        texts = read_keys(folder, KEYS)
        token, username, password, hf_token = (
            _line(key, texts[key]) for key in ("token", "username", "password", "HF_TOKEN")
        )
        if token and (username or password):
            raise FetchError(
                f"{WHERE} contains both a token and a username or password: remove one of them"
            )
        if bool(username) != bool(password):
            given, missing = ("username", "password") if username else ("password", "username")
            raise FetchError(
                f"{WHERE} contains {given} but no {missing}: add it, or remove {given}"
            )
        return cls(token, username, password, hf_token, texts["ca.crt"] or None)

    @property
    def can_authenticate(self) -> bool:
        """Whether there are any besides certificates."""
        return self.token is not None or self.username is not None

    def for_hub(self) -> Self:
        """Return the credentials for a hub."""
        return self if self.hf_token is None else replace(self, token=self.hf_token)


NO_CREDENTIALS = Credentials()
"""No credentials at all."""


def read_keys(folder: Path, keys: Collection[str]) -> dict[str, str]:
    """Return the text of each of the *keys* of a mounted Secret; empty: it is not in the Secret.

    Args:
        folder: Where the Secret is mounted.
        keys: The keys to read. In the Secret they may be in upper or lower case.

    Raises:
        MissingSecretError: There are no keys at all.
        FetchError: A key cannot be read, is no text, or is there twice.
    """
    files = _find_files(folder, {key.lower() for key in keys})
    return {key: _read(key, files.get(key.lower())) for key in keys}


def _find_files(folder: Path, keys: Collection[str]) -> dict[str, Path]:
    """Return the files of a mounted Secret, by the key in lower case; none of *keys* is twice."""
    names = tuple(_names(folder))
    if not names:
        raise MissingSecretError(f"{WHERE} does not exist or is empty: create it, or add its keys")
    files: dict[str, Path] = {}
    for name in sorted(names):
        key = name.lower()
        if key in keys and key in files:
            raise FetchError(
                f"{WHERE} contains both {files[key].name} and {name}: remove one of them"
            )
        files[key] = folder / name
    return files


def _names(folder: Path) -> Iterator[str]:
    try:
        for file in folder.iterdir():
            if not file.name.startswith(_KUBELETS):
                yield file.name
    except FileNotFoundError:
        return
    except OSError as error:
        raise FetchError(_unreadable(WHERE, error)) from None


def _read(key: str, file: Path | None) -> str:
    if file is None:
        return ""
    what = f"the key {key} of {WHERE}"
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise FetchError(_unreadable(what, error)) from None
    except UnicodeDecodeError:
        # The error would contain the bytes.
        raise FetchError(f"{what} must be text in UTF-8: correct it") from None


def _unreadable(what: str, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    remedy = (
        "set fsGroup in spec.podTemplate.spec.securityContext"
        if isinstance(error, PermissionError)
        else "delete the pod, so that the volume is mounted again"
    )
    return f"{what} cannot be read: {reason}; {remedy}"


def _line(name: str, value: str) -> str | None:
    text = value.rstrip("\r\n")
    if not text.isprintable():
        raise FetchError(f"the key {name} of {WHERE} must be one line of text: correct it")
    if name in {"token", "HF_TOKEN"} and not text.isascii():
        raise FetchError(
            f"the key {name} of {WHERE} must be ASCII, because it is sent in an HTTP header:"
            " correct it"
        )
    if name == "username" and ":" in text:
        raise FetchError(
            f"the key {name} of {WHERE} contains a colon, which ends the name in an HTTP header:"
            " correct it"
        )
    return text or None
