"""Which credentials an object store gets."""

import json
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError, MissingSecretError
from halimede_fetch.stores.access import ANONYMOUS, access_of
from halimede_fetch.stores.address import Scheme
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import TLS, TRUSTED, mount_secret

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
def test_credentials_of_s3(
    tmp_path: Path,
    keys: dict[str, str] | None,
    environment: dict[str, str],
    signing: dict[str, str],
) -> None:
    """Keys in the Secret come first, then the role of the ServiceAccount, then none at all."""
    secret = None if keys is None else mount_secret(tmp_path / "secret", keys)
    found = access_of(
        Scheme.S3, endpoint=None, region=None, secret=secret, environment=environment
    )
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
def test_secrets_that_s3_cannot_use(tmp_path: Path, keys: dict[str, str], says: str) -> None:
    """The message names the keys to add, correct or remove, and has no value."""
    secret = mount_secret(tmp_path / "secret", keys)
    with pytest.raises(FetchError, match=says) as failure:
        access_of(Scheme.S3, endpoint=None, region=None, secret=secret, environment=IDENTITY)
    assert "a b" not in str(failure.value)


def test_a_secret_that_is_missing(tmp_path: Path) -> None:
    """A Secret that does not exist is not replaced by other credentials."""
    with pytest.raises(MissingSecretError):
        access_of(Scheme.S3, endpoint=None, region=None, secret=tmp_path, environment=IDENTITY)


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
    access = access_of(
        Scheme.S3, endpoint=None, region=region, secret=None, environment=environment
    )
    assert access.region == found


@pytest.mark.parametrize(
    "endpoint", ["http://s3", "s3.example.com", "https://", "https://a/b", "https://a:65536"]
)
def test_endpoints_that_cannot_be_used(endpoint: str) -> None:
    """Only HTTPS is used, to a host and a port."""
    with pytest.raises(FetchError, match=r"spec\.model\.supply\.endpoint must have the form"):
        access_of(Scheme.S3, endpoint=endpoint, region=None, secret=None, environment={})


def google_key(**changes: object) -> str:
    """Return the key of a service account of Google."""
    key = {
        "type": "service_account",
        "private_key": (TLS / "service_account.pem").read_text(),
        "private_key_id": "1",
        "client_email": "reader@example.iam.gserviceaccount.com",
        "gcs_base_url": "https://elsewhere.example.com",
        "disable_oauth": True,
    }
    return json.dumps(key | changes)


@pytest.mark.parametrize("keys", [None, CA])
def test_without_a_key_google_gets_no_credentials(
    tmp_path: Path, keys: dict[str, str] | None
) -> None:
    """Credentials for others are not used."""
    secret = None if keys is None else mount_secret(tmp_path / "secret", keys)
    environment = IDENTITY | {"GOOGLE_SERVICE_ACCOUNT_KEY": google_key()}
    found = access_of(
        Scheme.GS, endpoint=None, region=None, secret=secret, environment=environment
    )
    assert found.is_anonymous


def test_of_a_key_for_google_only_the_credentials_are_used(tmp_path: Path) -> None:
    """A key can name another server, or switch credentials off; that is left out."""
    secret = mount_secret(tmp_path / "secret", {"key.json": google_key()})
    found = access_of(Scheme.GS, endpoint=None, region=None, secret=secret, environment={})
    used = json.loads(str(found.signing["service_account_key"]))
    assert used.keys() == {"private_key", "private_key_id", "client_email"}
    assert "PRIVATE KEY" not in repr(found)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"token": "t"}, "contains no key.json"),
        ({"key.json": "s3cr3t"}, "is not the key of a service account of Google"),
        ({"key.json": '["s3cr3t"]'}, "is not the key of a service account of Google"),
        ({"key.json": google_key(type="s3cr3t")}, "is not the key of a service account"),
        ({"key.json": google_key(private_key=1)}, "is not the key of a service account"),
    ],
)
def test_secrets_that_google_cannot_use(tmp_path: Path, keys: dict[str, str], says: str) -> None:
    """The message names the key, and has no value."""
    secret = mount_secret(tmp_path / "secret", keys)
    with pytest.raises(FetchError, match=says) as failure:
        access_of(Scheme.GS, endpoint=None, region=None, secret=secret, environment={})
    assert "s3cr3t" not in str(failure.value)


def test_a_private_key_that_is_none(tmp_path: Path) -> None:
    """Only obstore finds out that a private key cannot be used."""
    secret = mount_secret(tmp_path / "secret", {"key.json": google_key(private_key="s3cr3t")})
    access = access_of(Scheme.GS, endpoint=None, region=None, secret=secret, environment={})
    with pytest.raises(FetchError, match="is not the key of a service account") as failure:
        fetch("gs://models/m", tmp_path / "m", access=access)
    assert "s3cr3t" not in str(failure.value)
