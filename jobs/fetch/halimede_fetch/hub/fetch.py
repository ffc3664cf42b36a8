"""Fetch the files of one commit of a model on a hub, and verify them."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from halimede_fetch import digest, names, request
from halimede_fetch.credentials import Credentials
from halimede_fetch.download import Client
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import is_pickled
from halimede_fetch.hub import answers
from halimede_fetch.hub.address import Model
from halimede_fetch.hub.answers import HubFile
from halimede_fetch.hub.errors import explainer, no_path
from halimede_fetch.limits import CHUNK, MAX_MEMBERS, too_many_members
from halimede_fetch.patience import Patience
from halimede_fetch.request import Kind
from halimede_fetch.selection import Selection
from halimede_fetch.timed_socket import Pace
from halimede_fetch.tree import Tree

MAX_ANSWER = 16 << 20
"""The largest answer of the API in bytes. The hub lists 1,000 files in less than 1 MiB."""
_SAFETENSORS = ".safetensors"
_OF_PYTORCH = Selection(
    include=(
        "*pytorch_model*.bin",
        "*adapter_model*.bin",
        *(f"*{name}.bin" for name in ("training_args", "optimizer", "scheduler")),
        "*.pt",
    )
)
"""Files that PyTorch's pickle loads, and that `formats.is_pickled` does not know by their names:
`.bin` is also the format of other frameworks, and `.pt` also that of TorchScript."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of a commit."""

    commit: str
    digest: str
    """Of the file, or of all files."""
    file: Path | None = None
    """The only file, if the address leads to one, which is not in the tree yet."""


def fetch_model(
    model: Model, tree: Tree, stage: Path, credentials: Credentials, patience: Patience
) -> Fetched:
    """Fetch the selected files of *model*, all of the commit that its revision is now.

    Args:
        model: The model.
        tree: The files of a model or of one of its folders are written here.
        stage: An existing folder, in which the file is written that the path of *model* leads to.
        credentials: Sent to the hub only.
        patience: See `download.Client`.

    Raises:
        FetchError: They cannot be fetched, or are not those that the hub has listed.
    """
    credentials = credentials.for_hub()
    explain = explainer(model, authenticated=credentials.can_authenticate)
    kind = Kind(explain, keeps_credentials=True)
    hub = _Hub(model, Client(credentials, tree.budget, patience, kind))
    commit = hub.resolve()
    sys.stdout.write(f"{model.page}: revision {model.revision!r} is commit {commit}\n")
    chosen = _choose(model, hub.list_files(commit), tree)
    tree.budget.require(sum(file.size for file in chosen.values()))
    if [file.path for file in chosen.values()] == [model.path]:
        (name,) = chosen
        names.check_file(name)
        return Fetched(commit, hub.download(commit, chosen[name], stage / name), stage / name)
    places = {tree.place(name): file for name, file in chosen.items()}
    digests = {path: hub.download(commit, file, path) for path, file in places.items()}
    found = {path.relative_to(tree.root): one for path, one in digests.items()}
    return Fetched(commit, digest.of_digests(found))


def _choose(model: Model, listed: Iterator[HubFile], tree: Tree) -> dict[str, HubFile]:
    """Return the files that become the model, by their paths in it."""
    chosen: dict[str, HubFile] = {}
    for file in listed:
        name = model.relative(file.path)
        if name is None:
            tree.budget.skip_member()
        elif tree.selects(name):
            if name in chosen:
                raise answers.invalid(model.host)
            chosen[name] = file
        if len(chosen) > MAX_MEMBERS:
            raise too_many_members()
    if not tree.selection.include and any(map(_is_safetensors, chosen)):
        chosen = {name: file for name, file in chosen.items() if not _is_of_pytorch(name)}
    if not chosen:
        tree.check_selected()
        raise FetchError(no_path(model))
    return chosen


def _is_safetensors(name: str) -> bool:
    return name.lower().endswith(_SAFETENSORS)


def _is_of_pytorch(name: str) -> bool:
    return is_pickled(PurePosixPath(name).name) or _OF_PYTORCH.selects(name)


@dataclass(frozen=True, slots=True)
class _Hub:
    """The requests to a hub."""

    model: Model
    client: Client

    def resolve(self) -> str:
        """Return the commit that the revision is now."""
        if answers.COMMIT.fullmatch(self.model.revision):
            return self.model.revision
        content, _ = self._ask(self.model.revision_url())
        return answers.commit(answers.parse(content, self.model.host), self.model.host)

    def list_files(self, commit: str) -> Iterator[HubFile]:
        """Yield the files in the folder of the model's path, and below, page by page.

        Not taken from the answer to `resolve`: the hub leaves files out there if there are many.
        """
        url, query = self.model.tree_url(commit), "recursive=true"
        asked = {query}
        while True:
            content, link = self._ask(f"{url}?{query}")
            yield from answers.files(answers.parse(content, self.model.host), self.model.host)
            following = answers.next_query(link)
            if following is None:
                return
            if following in asked:
                raise answers.invalid(self.model.host)
            asked.add(following)
            query = following

    def download(self, commit: str, file: HubFile, path: Path) -> str:
        """Write a file to *path*; return its SHA-256.

        Raises:
            FetchError: It is not the file that the hub has listed.
        """
        received = self.client.download(
            self.model.file_url(commit, file.path), path, verified=True
        )
        differs = None
        if received.size != file.size:
            differs = f"{received.size} bytes arrived, but the hub states {file.size}"
        elif file.sha256 is not None and received.sha256 != file.sha256:
            differs = f"its SHA-256 is {received.sha256}, but the hub states {file.sha256}"
        elif file.blob is not None and (blob := _blob(path, file.size)) != file.blob:
            differs = f"its name in Git is {blob}, but the hub states {file.blob}"
        if differs:
            raise FetchError(
                f"the file {names.shown(file.path)} of {self.model.page} was changed or damaged on"
                f" its way: {differs}; correct the mirror if spec.model.supply.endpoint names one"
            )
        return received.sha256

    def _ask(self, url: str) -> tuple[bytes, str]:
        """Return the answer of the API, and its links to others."""
        return self.client.retry(lambda pace: self._read(url, pace), lambda: 0)

    def _read(self, url: str, pace: Pace) -> tuple[bytes, str]:
        client, content = self.client, bytearray()
        # JSON shows its own end.
        with request.send(
            url, client.credentials, pace, None, verified=True, kind=client.kind
        ) as body:
            for chunk in body.chunks():
                content += chunk
                if len(content) > MAX_ANSWER:
                    raise answers.invalid(self.model.host)
            return bytes(content), ",".join(body.answer.headers.get_all("Link", []))


def _blob(path: Path, size: int) -> str:
    """Return Git's name of a file's content."""
    sha1 = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha1.update(chunk)
    return sha1.hexdigest()
