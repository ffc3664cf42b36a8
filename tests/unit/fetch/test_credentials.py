"""The credentials of a source."""

import re

import pytest

from halimede.adapters.errors import FetchError
from halimede.fetch.credentials import Credentials


def read(**secret: str) -> Credentials:
    """Read the credentials that a pod gets from a Secret with these keys."""
    return Credentials.from_env({f"HALIMEDE_FETCH_{key}": text for key, text in secret.items()})


def test_absent_and_empty_credentials_are_the_same() -> None:
    """A Secret may have empty keys, which count as absent."""
    assert read(token="", username="\n") == Credentials()


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_a_line_break_at_the_end_is_no_part_of_a_credential(end: str) -> None:
    """A Secret that is created from a file usually ends in one."""
    assert read(token=f"abc{end}") == Credentials(token="abc")
    pair = read(username=f"me{end}", password=f"pass wörd {end}")
    assert (pair.username, pair.password) == ("me", "pass wörd ")


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ({"token": "s3cr3t\nX-Header: 1"}, "the key token of the Secret .* one line of text"),
        ({"token": "s3cr3t\0"}, "the key token of the Secret .* one line of text"),
        ({"token": "s3cr3t\x7f"}, "the key token of the Secret .* one line of text"),
        ({"token": "s3cr3t\udcff"}, "the key token of the Secret .* one line of text"),
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
def test_what_cannot_be_sent_is_rejected_by_its_key(secret: dict[str, str], says: str) -> None:
    """The message names the key and the field, but not what the Secret contains."""
    with pytest.raises(FetchError, match=re.compile(says)) as failure:
        read(**secret)
    assert "spec.model.secretName" in str(failure.value)
    assert "s3cr3t" not in str(failure.value)


def test_credentials_do_not_show_themselves() -> None:
    """They are not part of their own representation, which might be logged."""
    credentials = read(token="s3cr3t", **{"ca.crt": "s3cr3t"})
    assert "s3cr3t" not in repr(credentials)
