"""Which credentials an S3 store gets."""

from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError, MissingSecretError
from halimede_fetch.object_access import ANONYMOUS, access_of
from tests.unit.fetch.conftest import TRUSTED, mount_secret

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
SIGNING = {"access_key_id": "key", "secret_access_key": "secret"}
IDENTITY = {"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}
ROLE = {"role_arn": "arn", "web_identity_token_file": "/token"}
CA = {"ca.crt": TRUSTED.ca or ""}


@pytest.mark.parametrize(
    ("keys", "environment", "signing"),
    [
        (None, {}, ANONYMOUS),
        (CA, {}, ANONYMOUS),
        (None, IDENTITY, ROLE),
        (CA, IDENTITY, ROLE),
        (KEYS, {}, SIGNING),
        (KEYS, IDENTITY, SIGNING),
        ({key.lower(): f"{value}\n" for key, value in KEYS.items()}, {}, SIGNING),
        (KEYS | {"AWS_SESSION_TOKEN": "t"}, {}, SIGNING | {"session_token": "t"}),
        (None, {"AWS_ROLE_ARN": "arn"}, ANONYMOUS),
        (None, KEYS, ANONYMOUS),
        (
            None,
            IDENTITY | {"AWS_ROLE_SESSION_NAME": "n", "AWS_ENDPOINT_URL_STS": "https://sts"},
            ROLE | {"role_session_name": "n", "endpoint_url_sts": "https://sts"},
        ),
    ],
)
def test_credentials(
    tmp_path: Path,
    keys: dict[str, str] | None,
    environment: dict[str, str],
    signing: dict[str, str],
) -> None:
    """Keys in the Secret come first, then the role of the ServiceAccount, then none at all."""
    secret = None if keys is None else mount_secret(tmp_path / "secret", keys)
    found = access_of(endpoint=None, region=None, secret=secret, environment=environment)
    assert found.signing == signing
    assert "secret" not in repr(found)
    assert found.ca == (keys or {}).get("ca.crt")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"token": "t"}, "contains no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_SESSION_TOKEN": "t"}, "contains no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "k"}, "AWS_ACCESS_KEY_ID but no AWS_SECRET_ACCESS_KEY: add it"),
        ({"AWS_SECRET_ACCESS_KEY": "k"}, "AWS_SECRET_ACCESS_KEY but no AWS_ACCESS_KEY_ID: add it"),
        (KEYS | {"AWS_SECRET_ACCESS_KEY": "a b"}, "AWS_SECRET_ACCESS_KEY .* one word of ASCII"),
        (KEYS | {"AWS_ACCESS_KEY_ID": "é"}, "AWS_ACCESS_KEY_ID .* one word of ASCII"),
        (KEYS | {"aws_access_key_id": "k"}, "contains both"),
    ],
)
def test_secrets_that_cannot_be_used(tmp_path: Path, keys: dict[str, str], says: str) -> None:
    """The message names the keys to add, correct or remove, and has no value."""
    secret = mount_secret(tmp_path / "secret", keys)
    with pytest.raises(FetchError, match=says) as failure:
        access_of(endpoint=None, region=None, secret=secret, environment=IDENTITY)
    assert "a b" not in str(failure.value)


def test_a_secret_that_is_missing(tmp_path: Path) -> None:
    """A Secret that does not exist is not replaced by other credentials."""
    with pytest.raises(MissingSecretError):
        access_of(endpoint=None, region=None, secret=tmp_path, environment=IDENTITY)


@pytest.mark.parametrize(
    ("region", "environment", "found"),
    [
        (None, {}, "us-east-1"),
        (None, {"AWS_REGION": "eu-west-1"}, "us-east-1"),
        (None, IDENTITY | {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        ("eu-south-1", IDENTITY | {"AWS_REGION": "eu-west-1"}, "eu-south-1"),
    ],
)
def test_regions(region: str | None, environment: dict[str, str], found: str) -> None:
    """The region is that of the spec, of the ServiceAccount's role, or the default."""
    access = access_of(endpoint=None, region=region, secret=None, environment=environment)
    assert access.region == found


@pytest.mark.parametrize(
    "endpoint", ["http://s3", "s3.example.com", "https://", "https://a/b", "https://a:65536"]
)
def test_endpoints_that_cannot_be_used(endpoint: str) -> None:
    """Only HTTPS is used, to a host and a port."""
    with pytest.raises(FetchError, match=r"spec\.model\.supply\.endpoint must have the form"):
        access_of(endpoint=endpoint, region=None, secret=None, environment={})
