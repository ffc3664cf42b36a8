"""The console command `halimede`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from halimede import __version__
from halimede.adapters.errors import SettingsError
from halimede.fetch import command as fetch
from halimede.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
    except SettingsError as error:
        sys.stderr.write(f"halimede: {error}\n")
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("halimede", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, what: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=what, description=what)

    run = add("run", "run the operator, in a pod or with your kubeconfig")
    run.set_defaults(command=_run)
    fetcher = add("fetch", "bring a model's files in and verify them")
    fetch.add_arguments(fetcher)
    fetcher.set_defaults(command=fetch.main)
    crd = add("crd", "print the CustomResourceDefinition")
    crd.set_defaults(command=_crd)
    render = add("render", "print what a ModelDeployment becomes, without a cluster")
    render.add_argument("file", type=Path, help="a ModelDeployment, and the ConfigMaps it reads")
    render.set_defaults(command=_render)
    return parser


# The commands import what they need when they are called: the fetcher starts in every pod of
# every model, and should not pay for the operator.


def _run(_: argparse.Namespace) -> int:
    settings = Settings.from_env()
    drained: bool = asyncio.run(import_module("halimede.app").run(settings))
    return 0 if drained else 1


def _crd(_: argparse.Namespace) -> int:
    sys.stdout.write(import_module("halimede.api.crd").text())
    return 0


def _render(arguments: argparse.Namespace) -> int:
    preview = import_module("halimede.preview").preview
    try:
        sys.stdout.write(preview(arguments.file.read_text(), Settings.from_env().platform()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"halimede: {arguments.file}: {error}\n")
        return 1
    return 0
