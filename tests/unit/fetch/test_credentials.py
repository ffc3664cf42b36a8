"""The credentials of a source."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError, MissingSecretError
from tests.unit.fetch.conftest import mount_secret

Read = Callable[..., Credentials]
NOBODY = 65534
"""A user who owns no files. Root may read every file."""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads the credentials of a Secret with these keys."""

    def read(**secret: str | bytes) -> Credentials:
        return Credentials.from_folder(mount_secret(tmp_path / "secret", secret))

    return read


def test_absent_and_empty_credentials_are_the_same(read: Read) -> None:
    """A Secret may have empty keys, which count as absent."""
    assert read(token="", username="\n") == Credentials()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_line_break_at_the_end_is_no_part_of_a_token(read: Read, end: str) -> None:
    """A Secret that is created from a file usually ends in one."""
    assert read(token=f"abc{end}") == Credentials(token="abc")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_line_break_at_the_end_is_no_part_of_a_password(read: Read, end: str) -> None:
    """Other characters at the end are."""
    pair = read(username=f"me{end}", password=f"pass wörd {end}")
    assert (pair.username, pair.password) == ("me", "pass wörd ")


@pytest.mark.parametrize(("token", "authority"), [("TOKEN", "CA.CRT"), ("Token", "ca.crt")])
def test_keys_are_read_in_upper_and_lower_case(read: Read, token: str, authority: str) -> None:
    """Given keys in another case, they are the same credentials."""
    assert read(**{token: "abc", authority: "x"}) == Credentials(token="abc", ca="x")


def test_keys_of_the_same_name_contradict_each_other(read: Read) -> None:
    """Given one key in two cases, the message names both."""
    with pytest.raises(FetchError, match="both TOKEN and token: remove one of them") as failure:
        read(token="s3cr3t", TOKEN="s3cr3t-2")
    assert "s3cr3t" not in str(failure.value)


@pytest.mark.parametrize(
    ("secret", "token", "of_hub"),
    [
        ({"HF_TOKEN": "hf_abc\n", "username": "me", "password": "x"}, None, "hf_abc"),
        ({"HF_TOKEN": "hf_abc", "token": "abc"}, "abc", "hf_abc"),
        ({"token": "abc"}, "abc", "abc"),
    ],
)
def test_a_hub_gets_its_own_token(
    read: Read, secret: dict[str, str], token: str | None, of_hub: str
) -> None:
    """Given a token for a hub beside other credentials, then only a hub gets it, and only it."""
    found = read(**secret)
    assert (found.token, found.for_hub().token) == (token, of_hub)


@pytest.mark.parametrize("token", ["hf_größe", "hf\nabc"])
def test_a_token_for_a_hub_must_fit_into_a_header(read: Read, token: str) -> None:
    """As another token; the message does not contain it."""
    with pytest.raises(FetchError, match="the key HF_TOKEN of the Secret") as failure:
        read(HF_TOKEN=token)
    assert token not in str(failure.value)


def test_other_keys_are_not_read(read: Read) -> None:
    """A Secret may have other keys, with any content."""
    secret: dict[str, str | bytes] = {"tls.key": b"\xff", "note": "a\nb", "token": "abc"}
    assert read(**secret) == Credentials(token="abc")


def test_a_secret_without_keys_is_missing(read: Read) -> None:
    """Given no keys, the message says what to create."""
    with pytest.raises(MissingSecretError, match=r"spec\.model\.secretName .* create it"):
        read()


def test_a_secret_without_a_folder_is_missing(tmp_path: Path) -> None:
    """Given no volume, the message is the same."""
    with pytest.raises(MissingSecretError, match=r"spec\.model\.secretName .* create it"):
        Credentials.from_folder(tmp_path / "secret")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Given a key that is no file, the message has the key and the reason."""
    (tmp_path / "token").mkdir()
    with pytest.raises(
        FetchError, match=r"the key token of the Secret .* cannot be read: Is a directory; delete"
    ):
        Credentials.from_folder(tmp_path)


def test_a_volume_of_another_user_is_named(tmp_path: Path) -> None:
    """Given a volume that the user may not read, the message says what to set."""
    folder = mount_secret(tmp_path / "secret", {"token": "s3cr3t"})
    folder.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(FetchError, match="Permission denied; set fsGroup in spec"):
            Credentials.from_folder(folder)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ({"token": "s3cr3t\nX-Header: 1"}, "the key token of the Secret .* one line of text"),
        ({"token": "s3cr3t\0"}, "the key token of the Secret .* one line of text"),
        ({"token": "s3cr3t\x7f"}, "the key token of the Secret .* one line of text"),
        ({"token": b"s3cr3t\xff"}, "the key token of the Secret .* must be text in UTF-8"),
        ({"ca.crt": b"s3cr3t\xff"}, "the key ca.crt of the Secret .* must be text in UTF-8"),
        ({"token": "s3cr3té"}, "the key token of the Secret .* must be ASCII"),
        ({"token": "s3cr3t€"}, "the key token of the Secret .* must be ASCII"),
        ({"username": "me\r\ns3cr3t", "password": "p"}, "the key username of the Secret"),
        ({"username": "me:s3cr3t", "password": "p"}, "the key username of the Secret .* colon"),
        ({"username": "me", "password": "s3cr3t\ts3cr3t"}, "the key password of the Secret"),
        ({"username": "s3cr3t"}, "contains username but no password"),
        ({"password": "s3cr3t"}, "contains password but no username"),
        (
            {"token": "s3cr3t", "username": "s3cr3t", "password": "s3cr3t"},
            "both a token and a username",
        ),
    ],
)
def test_what_cannot_be_sent_is_rejected_by_its_key(
    read: Read, secret: dict[str, str | bytes], says: str
) -> None:
    """The message names the key and the field, but not what the Secret contains."""
    with pytest.raises(FetchError, match=re.compile(says)) as failure:
        read(**secret)
    assert "spec.model.secretName" in str(failure.value)
    assert "s3cr3t" not in str(failure.value)


def test_credentials_do_not_show_themselves(read: Read) -> None:
    """They are not part of their own representation, which might be logged."""
    credentials = read(token="s3cr3t", **{"ca.crt": "s3cr3t"})
    assert "s3cr3t" not in repr(credentials)
