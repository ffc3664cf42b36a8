"""Compare `halimede-fetch` with a plain client: `python -m bench.fetch`.

A server on loopback sends one file over HTTPS, in the same minute to the fetcher, to a client
that only writes what it reads, and to one that also computes the digest, as the fetcher does. The
fetcher reads it once more as an S3 object. The target is a multiple of the client with the digest,
because on loopback SHA-256 takes more than half as long as all the rest. All are processes of
their own, and their start counts. Server and client share this machine's processors.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.file_server import CA
from bench.process import Running, Usage

TIMES = 3
SLOWEST = 0.8
"""The smallest throughput of the fetcher, as a multiple of that of a client with SHA-256."""
MOST_MEBIBYTES = 150.0
"""The largest peak memory of the fetcher."""
POLL_SECONDS = 0.02
PLAIN, DIGEST = "a plain client", "a client with SHA-256"
OURS, OBJECT = "halimede-fetch", "halimede-fetch, as an S3 object"


@dataclass(frozen=True, slots=True)
class Download:
    """One run of a client."""

    seconds: float
    usage: Usage


def main() -> int:
    """Measure in turn and print; return 1 if a target is missed."""
    parser = argparse.ArgumentParser("python -m bench.fetch", description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    arguments = parser.parse_args()
    downloads: dict[str, list[Download]] = {PLAIN: [], DIGEST: [], OURS: [], OBJECT: []}
    with serving(arguments.mebibytes) as url:
        for _ in range(TIMES):
            for client, runs in downloads.items():
                runs.append(download(client, url, arguments.mebibytes))
    return show(arguments.mebibytes, downloads)


@contextmanager
def serving(mebibytes: int) -> Iterator[str]:
    """Run the server during a with block, and yield its address."""
    command = (sys.executable, "-m", "bench.file_server", str(mebibytes))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise ValueError("the server has no pipe")
        try:
            yield f"https://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def download(client: str, server: str, mebibytes: int) -> Download:
    """Run a client until it has the file, and delete the file."""
    url = f"{server}/models/model.onnx"
    with tempfile.TemporaryDirectory() as folder:
        secret, output = Path(folder) / "secret", Path(folder) / "output"
        secret.mkdir()
        shutil.copy(CA, secret / "ca.crt")
        output.mkdir()
        plain = (sys.executable, "-m", "bench.plain_download", url, str(output / "file"))
        to = ("--to", str(output / "model"), "--credentials", str(secret))
        ours = (sys.executable, "-m", "halimede_fetch", "fetch", *to, "--source")
        command = {
            PLAIN: plain,
            DIGEST: (*plain, "--digest"),
            OURS: (*ours, url),
            OBJECT: (*ours, "s3://models/model.onnx", "--endpoint", server),
        }[client]
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        usage = _watch(process)
        seconds = time.monotonic() - started
        sizes = [path.stat().st_size for path in output.rglob("*") if path.is_file()]
        if process.returncode or sizes != [mebibytes << 20]:
            raise RuntimeError(f"{client} ended with {process.returncode}; it wrote {sizes}")
        return Download(seconds, usage)


def _watch(process: subprocess.Popen[bytes]) -> Usage:
    """Wait for the end of a process; return what it used until shortly before."""
    usage = Usage(0, 0, 0)
    while process.poll() is None:
        with suppress(OSError, KeyError):  # it has just ended
            usage = Running(process.pid).usage()
        time.sleep(POLL_SECONDS)
    return usage


def show(mebibytes: int, downloads: dict[str, list[Download]]) -> int:
    """Print the results with their targets; return 1 if a target is missed."""
    seconds = {client: median(run.seconds for run in runs) for client, runs in downloads.items()}
    ratios = {client: seconds[client] / seconds[OURS] for client in (PLAIN, DIGEST)}
    peak = max(run.usage.peak_mebibytes for client in (OURS, OBJECT) for run in downloads[client])
    title = f"{mebibytes} MiB over HTTPS, median of {TIMES}"
    table = Table("", "s", "MiB/s", "CPU s", "peak MiB", title=title)
    for client, runs in downloads.items():
        table.add_row(
            client,
            f"{seconds[client]:.2f}",
            f"{mebibytes / seconds[client]:.0f}",
            f"{median(run.usage.cpu_seconds for run in runs):.2f}",
            f"{max(run.usage.peak_mebibytes for run in runs):.0f}",
        )
    targets = Table("", "measured", "target")
    targets.add_row(f"throughput as a multiple of {PLAIN}'s", f"{ratios[PLAIN]:.2f}", "")
    aim = f"at least {SLOWEST:g}"
    targets.add_row(f"throughput as a multiple of {DIGEST}'s", f"{ratios[DIGEST]:.2f}", aim)
    targets.add_row("peak memory", f"{peak:.0f} MiB", f"at most {MOST_MEBIBYTES:g} MiB")
    Console().print(table, targets)
    return int(ratios[DIGEST] < SLOWEST or peak > MOST_MEBIBYTES)


if __name__ == "__main__":
    sys.exit(main())
