"""The fetcher's command, as the pod runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.object_store import ObjectStore
from harness.signed_request import ADMINISTRATOR, REGION
from tests.fetch.conftest import CA
from tests.unit.fetch.conftest import mount_secret

NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    status: int
    message: str
    """What it wrote to its log."""
    peak_bytes: int
    """The most memory that it used."""


def run(
    store: ObjectStore,
    source: str,
    folder: Path,
    *arguments: str,
    keys: Mapping[str, str] = ADMINISTRATOR,
    variables: Mapping[str, str] = NONE,
) -> Ended:
    """Fetch *source* to `models/m` in an empty *folder*.

    Args:
        store: The store and its CA.
        source: The address.
        folder: Where the Secret and the model are written.
        arguments: Further ones; the last of two counts.
        keys: The keys of the Secret, besides the CA.
        variables: The environment.
    """
    secret = mount_secret(folder / "secret", {**keys, "ca.crt": CA})
    command = [sys.executable, "-m", "halimede_fetch", "fetch", "--source", source]
    command += ["--to", str(folder / "models" / "m"), "--credentials", str(secret)]
    command += ["--endpoint", store.url, "--region", REGION, *arguments]
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path), **variables}
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        log.seek(0)
        return Ended(process.returncode, log.read(), usage.ru_maxrss << 10)
