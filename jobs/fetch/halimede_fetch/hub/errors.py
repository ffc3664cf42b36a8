"""What the statuses of a hub mean to users.

The codes and the text in the headers are those that huggingface_hub knows (`hf_raise_for_status`).
They are only compared: no text that the server chose becomes part of a message.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from halimede_fetch.hub.address import Model

_DISABLED = "Access to this resource is disabled."
_INVALID = "Invalid credentials in Authorization header"
_AS_KEY = "as the key HF_TOKEN into the Secret named by spec.model.secretName"


def explainer(
    model: Model, *, authenticated: bool
) -> Callable[[int, Mapping[str, str]], str | None]:
    """Return a function that says what a status and its headers mean for *model*, if it knows.

    Args:
        model: What is fetched.
        authenticated: Whether credentials are sent.
    """
    say = _explain_with_token if authenticated else _explain_without_token

    def explain(status: int, headers: Mapping[str, str]) -> str | None:
        match headers.get("x-error-code"):
            case "RevisionNotFound":
                return no_revision(model)
            case "EntryNotFound":
                return no_path(model)
            case code:
                text = headers.get("x-error-message")
                if text == _DISABLED:
                    return (
                        f"{model.host} has disabled {model.name}: let spec.model.storageUri lead"
                        " to another model"
                    )
                return say(model, status, code, text)

    return explain


def no_revision(model: Model) -> str:
    """Say that the revision does not exist."""
    return (
        f"{model.page} has no revision {model.revision!r}: correct what follows @ in"
        " spec.model.storageUri, which is main if there is no @"
    )


def no_path(model: Model) -> str:
    """Say that there is nothing at the path."""
    if not model.path:
        return (
            f"{model.page} has no files in revision {model.revision!r}: correct"
            " spec.model.storageUri"
        )
    return (
        f"{model.page} has no file or folder {model.path!r} in revision {model.revision!r}:"
        " correct spec.model.storageUri"
    )


def _explain_with_token(
    model: Model, status: int, code: str | None, text: str | None
) -> str | None:
    if status == HTTPStatus.UNAUTHORIZED and text == _INVALID:
        return f"{model.host} does not accept the token: put a new one {_AS_KEY}"
    if _is_gated(status, code):
        return (
            f"{model.host} does not let the token read {model.name}: accept the licence on the"
            f" model's page, {model.page}, as the user of the token, and let the token read gated"
            " models"
        )
    if _is_hidden(status, code):
        return (
            f"the model {model.name} does not exist on {model.host}, or the token may not read it:"
            f" correct spec.model.storageUri, or put another token {_AS_KEY}"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return f"{model.host} limits the rate of the token's requests (429): wait"
    return None


def _explain_without_token(
    model: Model, status: int, code: str | None, _: str | None
) -> str | None:
    if _is_gated(status, code):
        return (
            f"{model.host} lets only some users read {model.name}: accept the licence on the"
            f" model's page, {model.page}, and put a token of the same user {_AS_KEY}"
        )
    if _is_hidden(status, code):
        return (
            f"the model {model.name} does not exist on {model.host}, or is not public: correct"
            f" spec.model.storageUri, or put a token that may read it {_AS_KEY}"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return (
            f"{model.host} limits the rate of requests without a token (429): wait, or put a token"
            f" {_AS_KEY}"
        )
    return None


def _is_gated(status: int, code: str | None) -> bool:
    return code == "GatedRepo" or status == HTTPStatus.FORBIDDEN


def _is_hidden(status: int, code: str | None) -> bool:
    # The hub answers 401 if the model does not exist, so that it does not tell which models do.
    return code == "RepoNotFound" or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}
