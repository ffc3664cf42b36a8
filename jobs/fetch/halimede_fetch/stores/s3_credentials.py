"""Credentials for S3 stores: the keys of a Secret, or the role of the pod's ServiceAccount."""

from collections.abc import Mapping

from halimede_fetch.credentials import WHERE
from halimede_fetch.errors import FetchError

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The keys of the Secret that are read, in upper or lower case."""
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = KEYS
TOKEN_FILE, ROLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"
"""Variables that are set in pods whose ServiceAccount has a role: "IAM roles for service accounts"
in the documentation of EKS."""
SESSION_NAME, STS_ENDPOINT = "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS"
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def signing(keys: Mapping[str, str], *, is_needed: bool) -> dict[str, str | bool]:
    """Return the keys of a Secret for obstore; nothing if the Secret has none of them.

    Raises:
        FetchError: The keys are incomplete or cannot be sent, or there are none, although the
            Secret has nothing else.
    """
    texts = {key: _line(key, value) for key, value in keys.items()}
    given = [key for key in (ACCESS_KEY, SECRET_KEY) if texts[key]]
    if len(given) == 1:
        missing = SECRET_KEY if given == [ACCESS_KEY] else ACCESS_KEY
        raise FetchError(f"{WHERE} contains {given[0]} but no {missing}: add it")
    if not given and (is_needed or texts[SESSION_TOKEN]):
        raise FetchError(
            f"{WHERE} contains no {ACCESS_KEY} and {SECRET_KEY}: add them, or remove"
            " spec.model.secretName to use the ServiceAccount of the pod or a public bucket"
        )
    if not given:
        return {}
    token = {"session_token": texts[SESSION_TOKEN]} if texts[SESSION_TOKEN] else {}
    return {"access_key_id": texts[ACCESS_KEY], "secret_access_key": texts[SECRET_KEY], **token}


def identity(environment: Mapping[str, str]) -> dict[str, str | bool]:
    """Return the role of the pod's ServiceAccount for obstore; nothing if it has none."""
    if ROLE not in environment or TOKEN_FILE not in environment:
        return {}
    variables = {
        "role_arn": ROLE,
        "web_identity_token_file": TOKEN_FILE,
        "role_session_name": SESSION_NAME,
        "endpoint_url_sts": STS_ENDPOINT,
    }
    return {key: environment[name] for key, name in variables.items() if environment.get(name)}


def region(environment: Mapping[str, str]) -> str | None:
    """Return the region of the role of the pod's ServiceAccount."""
    return next(filter(None, map(environment.get, REGIONS)), None)


def _line(key: str, value: str) -> str:
    text = value.strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise FetchError(f"the key {key} of {WHERE} must be one word of ASCII: correct it")
    return text
