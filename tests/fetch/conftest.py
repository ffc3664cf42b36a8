"""A real S3 store for the fetcher."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from halimede_fetch.stores.access import Access, access_of
from halimede_fetch.stores.address import Scheme
from harness.object_store import ObjectStore, store_on_loopback
from harness.signed_request import ADMINISTRATOR
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import TLS, mount_secret

CA = (TLS / "ca.pem").read_text()
STRANGER = {"AWS_ACCESS_KEY_ID": "stranger", "AWS_SECRET_ACCESS_KEY": "another-secret-key"}
"""The keys of a user who may read nothing."""
Fetch = Callable[..., str]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Run one store for all tests."""
    folder = tmp_path_factory.mktemp("store")
    certificate = TLS / "server.pem"
    users = dict([STRANGER.values()])
    with store_on_loopback(folder, TLS / "ca.pem", certificate, certificate, users) as running:
        yield running


@pytest.fixture
def bucket(store: ObjectStore, request: pytest.FixtureRequest) -> str:
    """Return the name of a new bucket."""
    name = f"b{abs(hash(request.node.nodeid)):x}"
    store.add_bucket(name)
    return name


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Return the model's folder in the repository."""
    return tmp_path / "models" / "digits"


@pytest.fixture
def access_with(store: ObjectStore, tmp_path: Path) -> Callable[..., Access]:
    """Return a function that makes the access with the keys of a Secret, and the store's CA."""

    def access_with(
        keys: Mapping[str, str] = ADMINISTRATOR,
        *,
        endpoint: str = store.url,
        region: str | None = None,
        ca: str = CA,
        **environment: str,
    ) -> Access:
        secret = mount_secret(
            tmp_path / f"secret{len(list(tmp_path.iterdir()))}", {**keys, "ca.crt": ca}
        )
        return access_of(
            Scheme.S3, endpoint=endpoint, region=region, secret=secret, environment=environment
        )

    return access_with


@pytest.fixture
def fetch_from(bucket: str, to: Path, access_with: Callable[..., Access]) -> Fetch:
    """Return a function that fetches a key of the bucket as the administrator."""

    def fetch_from(key: str, access: Access | None = None, **settings: object) -> str:
        return fetch(f"s3://{bucket}/{key}", to, access=access or access_with(), **settings)

    return fetch_from
