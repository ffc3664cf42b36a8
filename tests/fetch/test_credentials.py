"""Who may read a real S3 store, and what is said to others. No message contains a credential."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.exit_codes import TRY_AGAIN
from halimede_fetch.patience import Patience
from halimede_fetch.stores.access import Access
from harness.object_store import ObjectStore
from harness.signed_request import ADMINISTRATOR
from tests.fetch.command import run
from tests.fetch.conftest import STRANGER, Fetch
from tests.fetch.proxy import proxy_to
from tests.fetch.sts import ROLE, TOKEN, TokenService, token_service
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import IMPATIENT, TLS, published

KEY, SECRET = ADMINISTRATOR.values()
AccessWith = Callable[..., Access]


@pytest.fixture
def sts() -> Iterator[TokenService]:
    """Run a token service."""
    with token_service(TLS / "server.pem") as running:
        yield running


@pytest.fixture
def identity(sts: TokenService, tmp_path: Path) -> dict[str, str]:
    """Return the variables that EKS sets in pods of a ServiceAccount with a role."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    return {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_STS": sts.url,
    }


@pytest.mark.parametrize("key", ["m/model.onnx", "m/"])
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({**ADMINISTRATOR, "AWS_ACCESS_KEY_ID": "unknown"}, "correct AWS_ACCESS_KEY_ID"),
        ({**ADMINISTRATOR, "AWS_SECRET_ACCESS_KEY": "x"}, "correct AWS_SECRET_ACCESS_KEY"),
        ({**ADMINISTRATOR, "AWS_SESSION_TOKEN": "x"}, "correct AWS_SESSION_TOKEN"),
        (STRANGER, "the access key in the Secret .* is not allowed to read; allow s3:GetObject"),
        ({}, "had no credentials: add them by spec.model.secretName or the ServiceAccount"),
    ],
    ids=["unknown key", "wrong secret", "wrong token", "denied", "anonymous"],
)
def test_other_credentials_are_rejected(
    store: ObjectStore,
    bucket: str,
    fetch_from: Fetch,
    access_with: AccessWith,
    key: str,
    keys: Mapping[str, str],
    says: str,
) -> None:
    """Given credentials that may not read, then the message says which key to correct."""
    store.put(bucket, "m/model.onnx", b"x")
    with pytest.raises(FetchError, match=says) as failure:
        fetch_from(key, access_with(keys))
    assert not isinstance(failure.value, TransientFetchError)
    assert not [
        value for value in {**ADMINISTRATOR, **keys}.values() if f"{value}" in words(failure)
    ]


def words(failure: pytest.ExceptionInfo[FetchError]) -> list[str]:
    """Return the words of a message."""
    return str(failure.value).split()


@pytest.mark.parametrize("key", ["m/model.onnx", "m/"])
def test_another_region_is_named(
    store: ObjectStore, bucket: str, fetch_from: Fetch, access_with: AccessWith, key: str
) -> None:
    """Given another region than the store's, then the message names the field."""
    store.put(bucket, "m/model.onnx", b"x")
    with pytest.raises(FetchError, match=r"another region: set spec\.model\.supply\.region"):
        fetch_from(key, access_with(region="eu-central-1"))


@pytest.mark.parametrize("end", ["m.onnx", "m/", ""])
def test_an_unknown_bucket_is_named(access_with: AccessWith, to: Path, end: str) -> None:
    """Given no such bucket, then the message says that it is the bucket that is missing."""
    with pytest.raises(FetchError, match=r"s3://not-there/.* the bucket does not exist"):
        fetch(f"s3://not-there/{end}", to, access=access_with())


@pytest.mark.parametrize("key", ["m/model.onnx", "m/", "m"])
def test_nothing_at_the_address_is_named(
    store: ObjectStore, bucket: str, fetch_from: Fetch, key: str
) -> None:
    """Given neither an object nor objects below it, then the message has bucket and key."""
    store.put(bucket, "other/model.onnx", b"x")
    says = (
        f"s3://{bucket}/{key}: the bucket '{bucket}' has no object with the key '{key.strip('/')}'"
    )
    with pytest.raises(FetchError, match=says):
        fetch_from(key)


def test_a_store_that_is_not_trusted(fetch_from: Fetch, access_with: AccessWith) -> None:
    """Given no CA, then the message says where it belongs; waiting would not help."""
    with pytest.raises(FetchError, match=r"unknown CA; .* as the key ca\.crt") as failure:
        fetch_from("m", access_with(ca=""))
    assert not isinstance(failure.value, TransientFetchError)


def test_a_store_of_another_name(
    store: ObjectStore, fetch_from: Fetch, access_with: AccessWith
) -> None:
    """Given a certificate for another host, then the message says that."""
    says = "not trusted, because it is for another host"
    with (
        proxy_to(store.address, store.port, at="127.0.0.2") as proxy,
        pytest.raises(FetchError, match=says),
    ):
        fetch_from("m", access_with(endpoint=proxy.url))


def test_a_store_that_is_not_there(fetch_from: Fetch, access_with: AccessWith) -> None:
    """Given no server, then the error may pass, and names the field."""
    access = access_with(endpoint="https://127.0.0.1:1")
    with pytest.raises(TransientFetchError, match=r"refused; check spec\.model\.supply\.endpoint"):
        fetch_from("m", access, patience=IMPATIENT)


def test_the_service_account_of_the_pod_is_used_without_keys(
    store: ObjectStore,
    bucket: str,
    fetch_from: Fetch,
    access_with: AccessWith,
    to: Path,
    sts: TokenService,
    identity: dict[str, str],
) -> None:
    """Given no keys but a role, then credentials are requested with the ServiceAccount's token."""
    store.put(bucket, "m/model.onnx", b"onnx")
    fetch_from("m/", access_with({}, **identity))
    assert published(to) == {"1/model.onnx": b"onnx"}
    (asked,) = sts.asked
    assert asked["Action"] == "AssumeRoleWithWebIdentity"
    assert (asked["RoleArn"], asked["WebIdentityToken"]) == (ROLE, TOKEN)


def test_keys_are_used_rather_than_the_service_account(
    store: ObjectStore,
    bucket: str,
    fetch_from: Fetch,
    access_with: AccessWith,
    sts: TokenService,
    identity: dict[str, str],
) -> None:
    """Given both, then the keys of the Secret are used."""
    store.put(bucket, "model.onnx", b"onnx")
    fetch_from("model.onnx", access_with(**identity))
    assert sts.asked == []


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        (403, "AccessDenied", False),
        (400, "InvalidIdentityToken", False),
        (400, "ExpiredTokenException", False),
        (503, "ServiceUnavailable", True),
        (400, "Throttling", True),
    ],
)
def test_a_role_that_cannot_be_assumed(
    *,
    fetch_from: Fetch,
    access_with: AccessWith,
    sts: TokenService,
    identity: dict[str, str],
    status: int,
    code: str,
    passes: bool,
) -> None:
    """Given a token service that refuses, then the message says so and does not have the token."""
    sts.refusals = [(status, code)] * 9
    with pytest.raises(FetchError, match=r"token service \(STS\)") as failure:
        fetch_from("m", access_with({}, **identity), patience=IMPATIENT)
    assert isinstance(failure.value, TransientFetchError) == passes
    assert ("spec.serviceAccountName" in str(failure.value)) != passes
    assert TOKEN not in str(failure.value)


def test_a_token_service_that_is_busy_is_asked_again(
    store: ObjectStore,
    bucket: str,
    fetch_from: Fetch,
    access_with: AccessWith,
    sts: TokenService,
    identity: dict[str, str],
) -> None:
    """Given a token service that is busy once, then the model is fetched."""
    store.put(bucket, "model.onnx", b"onnx")
    sts.refusals = [(503, "ServiceUnavailable")]
    quick = Patience(first_delay_seconds=0.01)
    fetch_from("model.onnx", access_with({}, **identity), patience=quick)
    assert len(sts.asked) >= 2


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        {"AWS_SKIP_SIGNATURE": "false", "AWS_EC2_METADATA_DISABLED": "false"},
    ],
    ids=["keys", "metadata"],
)
def test_the_command_uses_neither_keys_in_its_environment_nor_the_node(
    store: ObjectStore, bucket: str, tmp_path: Path, variables: dict[str, str]
) -> None:
    """Given credentials that are not meant for the fetcher, then the request has none."""
    store.put(bucket, "model.onnx", b"onnx")
    source = f"s3://{bucket}/model.onnx"
    ended = run(store, source, tmp_path, keys={}, variables=variables)
    assert "the request had no credentials" in ended.message
    assert ended.status == 1


def test_the_command_reads_the_secret(store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    """Given the pod's arguments and files, then the model is published; line breaks are cut."""
    store.put(bucket, "model.onnx", b"onnx")
    keys = {key: f"{value}\n" for key, value in ADMINISTRATOR.items()}
    ended = run(store, f"s3://{bucket}/model.onnx", tmp_path, keys=keys)
    assert (ended.status, ended.message) == (0, "")
    assert published(tmp_path / "models") == {"m/1/model.onnx": b"onnx"}


def test_the_command_says_that_an_attempt_may_succeed(
    store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    """Given a fetch that takes too long, then the exit status is that of errors that may pass."""
    arguments = ("--endpoint", "https://127.0.0.1:1", "--timeout-seconds", "0.5")
    ended = run(store, f"s3://{bucket}/m", tmp_path, *arguments)
    assert "the connection was refused" in ended.message
    assert ended.status == TRY_AGAIN
    assert SECRET not in ended.message
