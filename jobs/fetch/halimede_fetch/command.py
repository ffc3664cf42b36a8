"""`halimede-fetch fetch`: fetch a model's files, verify them, and publish them in one step."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from halimede_fetch import digest, folder, names
from halimede_fetch.archive import unpack
from halimede_fetch.credentials import NO_CREDENTIALS, Credentials
from halimede_fetch.download import download
from halimede_fetch.errors import FetchError, MissingSecretError, TransientFetchError
from halimede_fetch.exit_codes import NO_SECRET, TRY_AGAIN
from halimede_fetch.formats import NO_PICKLE, Formats
from halimede_fetch.hub import address as hub
from halimede_fetch.hub.fetch import Fetched, fetch_model
from halimede_fetch.layout import arrange
from halimede_fetch.limits import BLOCK, MAX_BYTES, TIMEOUT_SECONDS, Budget
from halimede_fetch.object_access import PUBLIC, Access, access_of
from halimede_fetch.object_address import is_object_address, parse_object_address
from halimede_fetch.object_store import fetch_objects
from halimede_fetch.patience import PATIENCE, Patience
from halimede_fetch.selection import EVERYTHING, Selection
from halimede_fetch.tree import Tree

TERMINATION_LOG = Path("/dev/termination-log")
"""The content of this file becomes the container's termination message in the pod's status."""
_OWN_FOLDERS = 5
"""Folders that are not in a source: three of the fetcher, the model's and its version's."""
LONGEST_MESSAGE = 1000
"""Characters of a message that are printed; the kubelet takes 4096 bytes of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to *parser*."""
    add = parser.add_argument
    add(
        "--source",
        required=True,
        help="https://, s3://, gs:// or hf:// address, or mounted file or directory",
    )
    add("--to", required=True, type=Path, help="directory of the model in the model repository")
    add("--config", type=Path, help="config.pbtxt to add to the files")
    add("--credentials", type=Path, help="directory of a mounted Secret with credentials")
    add("--endpoint", help="https:// address of the object store or the hub")
    add("--region", help="region of the object store")
    add("--sha256", help="required digest of the files")
    add("--volume", type=Path, help="directory that links in a mounted source may lead to")
    add("--allow-native-code", action="store_true", help="accept shared libraries")
    for name, value, text in (
        ("--include", "PATTERN", "files to select; may be repeated (default: all)"),
        ("--exclude", "PATTERN", "files to leave out; may be repeated"),
        (
            "--allow-format",
            "FORMAT",
            "format that files may have; may be repeated (default: all that pickle does not load)",
        ),
    ):
        add(name, action="append", default=[], metavar=value, help=text)
    add("--max-bytes", type=int, default=MAX_BYTES, help="maximum size (default: %(default)s)")
    add(
        "--timeout-seconds",
        type=float,
        default=TIMEOUT_SECONDS,
        help="maximum duration (default: %(default)s)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status. Errors also go to the pod's status.

    Only sentences of ours are printed: the text of another exception could contain a credential.
    """
    status, commits = 1, list[str]()
    try:
        actual = fetch(
            arguments.source,
            arguments.to,
            endpoint=arguments.endpoint or "",
            report_commit=commits.append,
            config=arguments.config,
            sha256=arguments.sha256,
            **_access(arguments),
            max_bytes=arguments.max_bytes,
            timeout_seconds=arguments.timeout_seconds,
            volume=arguments.volume,
            native_code=arguments.allow_native_code,
            selection=Selection(tuple(arguments.include), tuple(arguments.exclude)),
            formats=Formats(tuple(arguments.allow_format)),
        )
    except TransientFetchError as error:
        status, message = TRY_AGAIN, str(error)
    except MissingSecretError as error:
        status, message = NO_SECRET, str(error)
    except FetchError as error:
        message = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{error.filename or 'the model'} cannot be read or written: {reason}"
    except Exception as error:  # noqa: BLE001  (whatever a library raises must not be printed)
        message = f"the model cannot be fetched: unexpected {type(error).__name__}"
    else:
        sys.stdout.write(f"{arguments.to}: sha256 {actual}\n")
        words = [f"sha256:{actual}", *(f"commit:{commit}" for commit in commits)]
        _write_termination_message(" ".join(words))
        return 0
    _report(message)
    return status


def fetch(
    source: str,
    to: Path,
    *,
    endpoint: str = "",
    report_commit: Callable[[str], object] = lambda _: None,
    config: Path | None = None,
    sha256: str | None = None,
    credentials: Credentials = NO_CREDENTIALS,
    access: Access = PUBLIC,
    max_bytes: int = MAX_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    patience: Patience = PATIENCE,
    volume: Path | None = None,
    native_code: bool = False,
    selection: Selection = EVERYTHING,
    formats: Formats = NO_PICKLE,
) -> str:
    """Publish the model at *source* as the folder *to*; return the digest of what was fetched.

    Nothing is unpacked or published before it is complete and verified. The result of an earlier
    run is replaced. The digest of a file is that of the file itself, also for an archive; for a
    folder it is that of the selected files, see `digest.of_folder`.

    Args:
        source: An `https://`, `s3://`, `gs://` or `hf://` address, or the path of a mounted file
            or folder.
        to: Where to publish.
        endpoint: The address of the hub of an `hf://` source.
        report_commit: Called with the commit of an `hf://` source when its files are verified.
        config: A `config.pbtxt` that replaces the source's own.
        sha256: The expected digest; None: any.
        credentials: For an `https://` or `hf://` source.
        access: For an `s3://` or `gs://` source.
        max_bytes: Limits the size of a download and what is unpacked from it, together.
        timeout_seconds: Limits the whole fetch.
        patience: Limits how much of that time a server may waste.
        volume: Links in a mounted source may lead to files in this folder; None: in the source.
        native_code: Whether the model may contain shared libraries.
        selection: Which files of the source become the model.
        formats: Which formats these files may have.

    Raises:
        FetchError: The model could not be fetched, or its digest is not *sha256*.
    """
    stage = to.parent / f".{to.name}.part"
    budget = Budget(max_bytes, timeout_seconds)
    tree = Tree(stage / "files", budget, native_code, selection, formats)
    shutil.rmtree(stage, ignore_errors=True)
    try:
        _prepare(stage, config, budget)
        if is_object_address(source):
            actual = _fetch_objects(source, stage / "archive", access, tree, patience, sha256)
        elif source.startswith(hub.SCHEME):
            model = hub.parse(source, endpoint)
            found = fetch_model(model, tree, stage / "archive", credentials, patience)
            actual = _add_fetched(found, tree, sha256)
            report_commit(found.commit)
        elif "://" in source:
            verified = sha256 is not None
            file, actual = download(
                source, stage / "archive", credentials, budget, patience, verified=verified
            )
            _add_file(file, actual, tree, sha256)
        else:
            actual = _copy(Path(source), volume, stage / "archive", tree, sha256)
        arrange(tree.root, stage / "model", config)
        shutil.rmtree(to, ignore_errors=True)
        (stage / "model").rename(to)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return actual


def _access(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `fetch` that say how the source is reached."""
    folder: Path | None = arguments.credentials
    if not is_object_address(arguments.source):
        return {} if folder is None else {"credentials": Credentials.from_folder(folder)}
    return {
        "access": access_of(
            parse_object_address(arguments.source).scheme,
            endpoint=arguments.endpoint,
            region=arguments.region,
            secret=folder,
            environment=os.environ,
        )
    }


def _prepare(stage: Path, config: Path | None, budget: Budget) -> None:
    """Create the folders of the fetcher, and account for what is no part of the source."""
    for name in ("files", "archive"):
        (stage / name).mkdir(parents=True)
    budget.spend(_OWN_FOLDERS * BLOCK)
    if config is not None:
        budget.spend(BLOCK + config.stat().st_size)


def _add_fetched(found: Fetched, tree: Tree, sha256: str | None) -> str:
    """Verify the files from a hub; move the only file to *tree*. Return the digest."""
    if found.file is None:
        _verify(found.digest, sha256)
    else:
        _add_file(found.file, found.digest, tree, sha256)
    return found.digest


def _fetch_objects(
    source: str, stage: Path, access: Access, tree: Tree, patience: Patience, sha256: str | None
) -> str:
    """Fetch one object or a folder of objects to *tree*; return the digest."""
    fetched = fetch_objects(source, stage, access, tree, patience)
    if fetched is None:
        actual = digest.of_folder(tree.root)
        _verify(actual, sha256)
        return actual
    file, actual = fetched
    _add_file(file, actual, tree, sha256)
    return actual


def _copy(source: Path, volume: Path | None, stage: Path, tree: Tree, sha256: str | None) -> str:
    """Copy a mounted file or folder to *tree*; return the digest of the copy."""
    if source.is_dir():
        folder.copy_folder(source, volume or source, tree)
        actual = digest.of_folder(tree.root)
        _verify(actual, sha256)
        return actual
    if not source.exists():
        raise FetchError(f"{source} does not exist: check the path in spec.model.storageUri")
    names.check_file(source.name)
    copied = folder.copy_file(source, volume or source.parent, stage, tree.budget)
    actual = digest.of_file(copied)
    _add_file(copied, actual, tree, sha256)
    return actual


def _add_file(file: Path, actual: str, tree: Tree, sha256: str | None) -> None:
    """Move *file*, whose digest is *actual*, to *tree*, or unpack it there."""
    _verify(actual, sha256)
    if names.is_archive(file.name):
        unpack(file, tree)
    elif tree.selects(file.name):
        file.rename(tree.place(file.name))
    tree.check_selected()


def _verify(actual: str, expected: str | None) -> None:
    if expected is not None and actual != expected:
        raise FetchError(
            f"the digest of the files is {actual}, but that of the revision is {expected}:"
            " restore its files at the address, or change spec.model.sha256 or storageUri"
        )


def _report(message: str) -> None:
    """Write *message*, of which others chose parts, to the log and to the pod's status."""
    text = "".join(char if char.isprintable() else "?" for char in message)
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[:LONGEST_MESSAGE]}…"
    sys.stderr.write(f"{text}\n")
    _write_termination_message(text)


def _write_termination_message(text: str) -> None:
    """Write what the operator reads in the pod's status: the digest, or why there is none."""
    with contextlib.suppress(OSError):
        if TERMINATION_LOG.exists():
            TERMINATION_LOG.write_text(text, encoding="utf-8")
