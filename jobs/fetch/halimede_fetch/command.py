"""`halimede-fetch fetch`: fetch a model's files, verify them, and publish them in one step."""

import argparse
import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from halimede_fetch import cache, report
from halimede_fetch.credentials import NO_CREDENTIALS, Credentials
from halimede_fetch.formats import NO_PICKLE, Formats
from halimede_fetch.limits import MAX_BYTES, TIMEOUT_SECONDS, Budget
from halimede_fetch.obtain import Wanted, obtain
from halimede_fetch.patience import PATIENCE, Patience
from halimede_fetch.selection import EVERYTHING, Selection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to *parser*."""
    add = parser.add_argument
    add("--source", required=True, help="https:// address, or mounted file or directory")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--to", type=Path, help="directory of the model in the model repository")
    to.add_argument("--cache", type=Path, help="directory of a cache of models by content")
    add("--config", type=Path, help="config.pbtxt to add to the files")
    add("--credentials", type=Path, help="directory of a mounted Secret with credentials")
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
    """Run the command; return the exit status. Errors also go to the pod's status."""
    return report.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> str:
    """Fetch to where the arguments say; return the termination message."""
    wanted = Wanted(
        arguments.source,
        sha256=arguments.sha256,
        credentials=_credentials(arguments.credentials),
        volume=arguments.volume,
        native_code=arguments.allow_native_code,
        selection=Selection(tuple(arguments.include), tuple(arguments.exclude)),
        formats=Formats(tuple(arguments.allow_format)),
    )
    budget = Budget(arguments.max_bytes, arguments.timeout_seconds)
    if arguments.cache is not None:
        with _ending_in_order():
            actual, files = cache.fetch_into(wanted, arguments.cache, budget)
        sys.stdout.write(f"{arguments.cache}: sha256 {actual}, files {files}\n")
        return termination_message(actual, files)
    actual = _fetch(wanted, arguments.to, arguments.config, budget)
    sys.stdout.write(f"{arguments.to}: sha256 {actual}\n")
    return termination_message(actual, None)


def termination_message(actual: str, files: str | None) -> str:
    """Return what the operator reads in the status of a pod that has fetched a model.

    >>> termination_message("ab", None), termination_message("ab", "cd")
    ('sha256:ab', 'sha256:ab files:cd')
    """
    return f"sha256:{actual}" if files is None else f"sha256:{actual} files:{files}"


def fetch(
    source: str,
    to: Path,
    *,
    config: Path | None = None,
    sha256: str | None = None,
    credentials: Credentials = NO_CREDENTIALS,
    max_bytes: int = MAX_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    patience: Patience = PATIENCE,
    volume: Path | None = None,
    native_code: bool = False,
    selection: Selection = EVERYTHING,
    formats: Formats = NO_PICKLE,
) -> str:
    """Publish the model at *source* as the folder *to*; return the digest of what was fetched.

    Nothing is published before it is complete and verified: see `obtain.obtain`. The result of an
    earlier run is replaced.

    Args:
        source: An `https://` address, or the path of a mounted file or folder.
        to: Where to publish.
        config: A `config.pbtxt` that replaces the source's own.
        sha256: The expected digest; None: any.
        credentials: For an `https://` source.
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
    wanted = Wanted(
        source,
        sha256=sha256,
        credentials=credentials,
        patience=patience,
        volume=volume,
        native_code=native_code,
        selection=selection,
        formats=formats,
    )
    return _fetch(wanted, to, config, Budget(max_bytes, timeout_seconds))


def _fetch(wanted: Wanted, to: Path, config: Path | None, budget: Budget) -> str:
    stage = to.parent / f".{to.name}.part"
    shutil.rmtree(stage, ignore_errors=True)
    try:
        actual = obtain(wanted, stage, stage / "model", config, budget)
        shutil.rmtree(to, ignore_errors=True)
        (stage / "model").rename(to)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return actual


def _credentials(folder: Path | None) -> Credentials:
    return NO_CREDENTIALS if folder is None else Credentials.from_folder(folder)


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Delete what was written when the pod is deleted: the volume is not deleted with the pod."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
