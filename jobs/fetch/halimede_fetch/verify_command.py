"""`halimede-fetch verify`: verify a model in the cache before Triton reads it."""

import argparse
import sys
from pathlib import Path

from halimede_fetch import cache, report
from halimede_fetch.limits import TIMEOUT_SECONDS, Budget


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to *parser*."""
    add = parser.add_argument
    add("--cache", required=True, type=Path, help="directory of the cache; it is only read")
    add("--files", required=True, help="digest of the model's manifest")
    add(
        "--timeout-seconds",
        type=float,
        default=TIMEOUT_SECONDS,
        help="maximum duration (default: %(default)s)",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status. Errors also go to the pod's status."""

    def verify() -> str:
        budget = Budget(timeout_seconds=arguments.timeout_seconds)
        size = cache.verify(arguments.cache, arguments.files, budget)
        sys.stdout.write(f"{arguments.files}: {size} bytes verified\n")
        return f"files:{arguments.files}"

    return report.run(verify)
