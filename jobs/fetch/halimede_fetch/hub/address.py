"""Addresses of models on a hub: `hf://ORG/REPO[@REVISION][/PATH]`, as huggingface_hub has them."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from halimede_fetch import names
from halimede_fetch.errors import FetchError

SCHEME = "hf://"
MAIN = "main"
"""The branch that is used if the address has no revision."""
_NAME = r"[A-Za-z0-9][\w.-]*"
_FORM = re.compile(
    rf"{SCHEME}(?P<name>{_NAME}/{_NAME})"
    # The references of a hub with a slash; that of another revision is written as %2F.
    r"(@(?P<revision>refs/(?:pr/\d+|convert/[\w.-]+)|[^/\s]+))?(/(?P<path>.*))?",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Model:
    """A model, or a part of it, on a hub."""

    endpoint: str
    """The hub's `https://` address, without a slash at its end."""
    name: str
    """`ORG/REPO`."""
    revision: str
    """A branch, tag, commit or other reference."""
    path: str
    """The file or folder that is fetched; empty: all of the model."""

    @property
    def host(self) -> str:
        """The name of the hub in messages."""
        return urlsplit(self.endpoint).netloc

    @property
    def page(self) -> str:
        """The page where users see the model and accept its licence."""
        return f"{self.endpoint}/{self.name}"

    def revision_url(self) -> str:
        """Return the address of the API that names the commit of the revision."""
        revision = quote(self.revision, safe="")
        # Without `expand` the answer also has the names of all files, and more.
        return f"{self.endpoint}/api/models/{self.name}/revision/{revision}?expand=sha"

    def tree_url(self, commit: str) -> str:
        """Return the address of the API that lists the files around the path, without a query."""
        folder = quote(self.path.rpartition("/")[0])
        tree = f"{self.endpoint}/api/models/{self.name}/tree/{commit}"
        return f"{tree}/{folder}" if folder else tree

    def file_url(self, commit: str, path: str) -> str:
        """Return the address of a file's content."""
        return f"{self.endpoint}/{self.name}/resolve/{commit}/{quote(path)}"

    def relative(self, path: str) -> str | None:
        """Return the path of a file below the path that is fetched; None: it is not there.

        >>> model = Model("https://huggingface.co", "org/repo", "main", "onnx")
        >>> [model.relative(path) for path in ("onnx/a/b", "onnx", "onnx.md")]
        ['a/b', 'onnx', None]
        """
        if not self.path:
            return path
        if path == self.path:
            return PurePosixPath(path).name
        below = path.removeprefix(f"{self.path}/")
        return below if below != path else None


def parse(uri: str, endpoint: str) -> Model:
    """Parse the address of a model on the hub at *endpoint*.

    >>> parse("hf://org/repo@refs/pr/1/onnx/", "https://huggingface.co")
    Model(endpoint='https://huggingface.co', name='org/repo', revision='refs/pr/1', path='onnx')

    Raises:
        FetchError: One of them is not valid.
    """
    if not _is_valid(endpoint):
        raise FetchError(
            "the address in spec.model.supply.endpoint is not https:// with a valid host and port,"
            " or contains credentials: correct it"
        )
    found = _FORM.fullmatch(uri)
    if found is None:
        raise FetchError(
            f"{names.shown(uri)} does not have the form hf://ORG/REPO[@REVISION][/PATH]: correct"
            " spec.model.storageUri"
        )
    path = PurePosixPath(found["path"] or "")
    if ".." in path.parts:
        raise FetchError(
            f"{names.shown(uri)} leads out of the model: remove '..' from spec.model.storageUri"
        )
    return Model(
        endpoint.rstrip("/"),
        found["name"],
        unquote(found["revision"] or MAIN),
        "/".join(part for part in path.parts if part != "/"),
    )


def _is_valid(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        return bool(
            parts.scheme == "https"
            and parts.hostname
            and parts.port != 0
            and "@" not in parts.netloc
        )
    except ValueError:
        return False
