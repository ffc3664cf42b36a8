"""`halimede fetch`: fetch a model's files, verify them, and publish them in one step."""

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

from halimede.adapters.errors import FetchError
from halimede.fetch import digest, folder
from halimede.fetch.archive import is_archive, unpack
from halimede.fetch.credentials import NO_CREDENTIALS, Credentials
from halimede.fetch.download import download
from halimede.fetch.layout import arrange
from halimede.fetch.limits import Budget

MAX_BYTES = 64 << 30
TERMINATION_LOG = Path("/dev/termination-log")
"""The content of this file becomes the container's termination message in the pod's status."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to *parser*."""
    add = parser.add_argument
    add("--source", required=True, help="https:// address, or mounted file or directory")
    add("--to", required=True, type=Path, help="directory of the model in the model repository")
    add("--config", type=Path, help="config.pbtxt to add to the files")
    add("--sha256", help="required digest of the files")
    add("--max-bytes", type=int, default=MAX_BYTES, help="maximum size (default: %(default)s)")


def main(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status. Errors also go to the pod's status."""
    try:
        actual = fetch(
            arguments.source,
            arguments.to,
            config=arguments.config,
            sha256=arguments.sha256,
            credentials=Credentials.from_env(),
            max_bytes=arguments.max_bytes,
        )
    except (FetchError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        with contextlib.suppress(OSError):
            if TERMINATION_LOG.exists():
                TERMINATION_LOG.write_text(str(error))
        return 1
    sys.stdout.write(f"{arguments.to}: sha256 {actual}\n")
    return 0


def fetch(
    source: str,
    to: Path,
    *,
    config: Path | None = None,
    sha256: str | None = None,
    credentials: Credentials = NO_CREDENTIALS,
    max_bytes: int = MAX_BYTES,
) -> str:
    """Publish the model at *source* as the folder *to*; return the digest of what was actual.

    Nothing is published before it is complete and verified. The result of an earlier run is
    replaced. The digest of a download is that of the file itself, also for an archive; for a
    folder see `digest.of_files`.

    Raises:
        FetchError: The model could not be actual, or its digest is not *sha256*.
    """
    stage = to.parent / f".{to.name}.part"
    shutil.rmtree(stage, ignore_errors=True)
    files = stage / "files"
    files.mkdir(parents=True)
    try:
        actual = _fetch_files(source, stage, credentials, Budget(max_bytes))
        if not any(files.iterdir()):
            raise FetchError(f"{source} is empty")
        if sha256 and actual != sha256:
            raise FetchError(
                f"the digest of the files is {actual}, but spec.model.sha256 is {sha256}:"
                " check that these are the right files, or correct the field"
            )
        arrange(files, stage / "model", config)
        shutil.rmtree(to, ignore_errors=True)
        (stage / "model").rename(to)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return actual


def _fetch_files(source: str, stage: Path, credentials: Credentials, budget: Budget) -> str:
    """Write the source's files to `files` in *stage*; return their digest."""
    files = stage / "files"
    if "://" not in source:
        folder.copy(Path(source), files, budget)
        return digest.of_files(files, folder.files(files))
    archives = stage / "download"
    archives.mkdir()
    downloaded = download(source, archives, credentials, budget)
    actual = digest.of_file(downloaded)
    if is_archive(downloaded.name):
        unpack(downloaded, files, budget)
    else:
        downloaded.rename(files / downloaded.name)
    return actual
