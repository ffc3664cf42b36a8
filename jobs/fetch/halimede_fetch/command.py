"""`halimede-fetch fetch`: fetch a model's files, verify them, and publish them in one step."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from halimede_fetch import cache, report
from halimede_fetch.credentials import Credentials
from halimede_fetch.formats import Formats
from halimede_fetch.limits import MAX_BYTES, TIMEOUT_SECONDS, Budget
from halimede_fetch.obtain import Found, Wanted, obtain
from halimede_fetch.selection import Selection
from halimede_fetch.stores.access import access_of
from halimede_fetch.stores.address import is_object_address, parse_object_address


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to *parser*."""
    add = parser.add_argument
    add(
        "--source",
        required=True,
        help="https://, s3://, gs:// or hf:// address, or mounted file or directory",
    )
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--to", type=Path, help="directory of the model in the model repository")
    to.add_argument("--cache", type=Path, help="directory of a cache of models by content")
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
    """Run the command; return the exit status. Errors also go to the pod's status."""
    return report.run(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> str:
    """Fetch to where the arguments say; return the termination message."""
    wanted = Wanted(
        arguments.source,
        endpoint=arguments.endpoint or "",
        sha256=arguments.sha256,
        **_access(arguments),
        volume=arguments.volume,
        native_code=arguments.allow_native_code,
        selection=Selection(tuple(arguments.include), tuple(arguments.exclude)),
        formats=Formats(tuple(arguments.allow_format)),
    )
    budget = Budget(arguments.max_bytes, arguments.timeout_seconds)
    if arguments.cache is not None:
        found, files = cache.fetch_into(wanted, arguments.cache, budget)
        sys.stdout.write(f"{arguments.cache}: sha256 {found.digest}, files {files}\n")
        return termination_message(found, files)
    found = publish(wanted, arguments.to, arguments.config, budget)
    sys.stdout.write(f"{arguments.to}: sha256 {found.digest}\n")
    return termination_message(found, None)


def termination_message(found: Found, files: str | None) -> str:
    """Return what the operator reads in the status of a pod that has fetched a model.

    >>> termination_message(Found("ab"), None), termination_message(Found("ab", "12"), "cd")
    ('sha256:ab', 'sha256:ab commit:12 files:cd')
    """
    words = {"sha256": found.digest, "commit": found.commit, "files": files}
    return " ".join(f"{name}:{value}" for name, value in words.items() if value is not None)


def publish(wanted: Wanted, to: Path, config: Path | None, budget: Budget) -> Found:
    """Publish a model as the folder *to*; the result of an earlier run is replaced.

    Nothing is published before it is complete and verified: see `obtain.obtain`.

    Args:
        wanted: Which model.
        to: Where to publish it.
        config: A `config.pbtxt` that replaces the source's own.
        budget: Limits the size of a download and what is unpacked from it, together, and the time.

    Raises:
        FetchError: The model could not be fetched, or its digest is not the expected one.
    """
    stage = to.parent / f".{to.name}.part"
    shutil.rmtree(stage, ignore_errors=True)
    try:
        found = obtain(wanted, stage, stage / "model", config, budget)
        shutil.rmtree(to, ignore_errors=True)
        (stage / "model").rename(to)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return found


def _access(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `Wanted` that say how the source is reached."""
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
