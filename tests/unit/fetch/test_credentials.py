"""The credentials of a source."""

from halimede.fetch.credentials import Credentials


def test_absent_and_empty_credentials_are_the_same() -> None:
    """A Secret may have empty keys, which count as absent."""
    assert Credentials.from_env({"HALIMEDE_FETCH_token": ""}) == Credentials()
