"""With any fault the stable revision keeps serving and the status has field and remedy."""

from collections.abc import Iterator

import pytest

from halimede.api.conditions import ConditionType
from halimede.api.reasons import Reason
from harness import manifests
from tests.e2e.user import User, condition, ready


@pytest.fixture
def served(user: User) -> Iterator[User]:
    """Serve v1 under load; in the end no request may have failed."""
    user.serves("v1")
    user.starts_load()
    yield user
    user.waits_for_requests(20)
    user.load.stop()
    assert user.errors() == []


def test_a_missing_secret_is_named_with_its_field(served: User) -> None:
    """Given v1, when a spec names a missing Secret, then Ready names the field."""
    served.asks_for(
        "v1",
        model__storageUri="https://models.invalid/digits.tar.gz",
        model__secretName="not-there",
    )
    seen = served.sees(
        "the Secret in Ready's message", lambda seen: "not-there" in ready(seen).message
    )
    assert "spec.model.secretName" in ready(seen).message
    available = condition(seen, ConditionType.AVAILABLE)
    assert available is not None
    assert available.status == "True"


def test_a_wrong_digest_is_named_with_its_field(served: User) -> None:
    """Given v1, when a spec has the digest of other files, then Ready has both digests."""
    served.asks_for("v1", model__sha256="0" * 64)
    seen = served.sees(
        "the digest in Ready's message",
        lambda seen: "that of the revision is 0000" in ready(seen).message,
    )
    available = condition(seen, ConditionType.AVAILABLE)
    assert available is not None
    assert available.status == "True"


def test_a_pickle_is_named_until_it_is_left_out(user: User) -> None:
    """Given a pickle among the files, then Ready names it until it is excluded."""
    config_map = manifests.config_map(user.versions["v1"])
    config_map["metadata"]["namespace"] = user.namespace
    user.apply(config_map | {"data": {"old.pkl": "x"}})
    user.asks_for("v1")
    user.sees(
        "the pickle in Ready's message",
        lambda seen: "'old.pkl' is loaded by pickle" in ready(seen).message,
    )
    user.asks_for("v1", model__supply={"include": ["*", "$(HOME)"], "exclude": ["*.pkl"]})
    user.sees("v1 Ready", lambda seen: seen.ready)


def test_a_malformed_config_is_rejected_with_its_line(served: User) -> None:
    """Given v1, when configPbtxt does not parse, then Ready=False names the field and line."""
    served.asks_for("v1", model__config=None, model__configPbtxt='backend: "python"\nmax_bach: 1')
    seen = served.sees("InvalidSpec", lambda seen: ready(seen).reason == Reason.INVALID_SPEC)
    assert ready(seen).status == "False"
    assert "spec.model.configPbtxt" in ready(seen).message
    assert "max_bach" in ready(seen).message


def test_a_gateway_that_is_not_there_is_named(user: User) -> None:
    """Given a missing Gateway, when a first revision is applied, then Ready names the field."""
    user.asks_for("v1", expose__gateway__parentRefs=[{"name": "nowhere"}])
    seen = user.sees(
        "RouteNotAccepted", lambda seen: ready(seen).reason == Reason.ROUTE_NOT_ACCEPTED
    )
    assert "spec.expose.gateway.parentRefs" in ready(seen).message
