"""The console command `halimede-fetch`."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from halimede_fetch import __version__, command, verify_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    # The first process of a container ignores signals that it does not handle.
    signal.signal(signal.SIGTERM, _stop)
    arguments = _parser().parse_args(argv)
    status: int = arguments.command(arguments)
    return status


def run() -> NoReturn:
    """Run the program and end it at once, without the end of the interpreter.

    Threads of obstore may be about to release Python objects. If the interpreter ends meanwhile,
    the process aborts, and its exit status is not the one that says what has happened.
    """
    try:
        status: object = main()
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


def _stop(number: int, _: FrameType | None) -> NoReturn:
    """End with the status that a shell gives to a process ended by a signal."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("halimede-fetch", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    description = "fetch the files of a model and verify them"
    fetch = commands.add_parser("fetch", help=description, description=description)
    command.add_arguments(fetch)
    fetch.set_defaults(command=command.main)
    description = "verify a model in a cache"
    verify = commands.add_parser("verify", help=description, description=description)
    verify_command.add_arguments(verify)
    verify.set_defaults(command=verify_command.main)
    return parser
