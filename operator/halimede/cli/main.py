"""The console command `halimede`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from math import nan
from pathlib import Path

from halimede import __version__
from halimede.adapters.errors import OperatorError, SettingsError
from halimede.settings import Settings

HIGHEST_RATE = 1_000_000.0
"""The highest rate that a forecast accepts, in requests per second."""
ALL = 100
"""Percent."""


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

    def add(name: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=description, description=description)

    run = add("run", "run the operator (in a pod, or with your kubeconfig)")
    run.set_defaults(command=_run)
    crd = add("crd", "print the CustomResourceDefinition")
    crd.set_defaults(command=_crd)
    render = add("render", "print the objects of a ModelDeployment (needs no cluster)")
    render.add_argument(
        "file", type=Path, help="file with a ModelDeployment and the ConfigMaps that it refers to"
    )
    render.set_defaults(command=_render)
    _add_advice(add)
    remove = add(
        "remove-finalizers",
        "let ModelDeployments be deleted without the operator; their HTTPRoutes are not restored"
        " (in a pod, or with your kubeconfig)",
    )
    remove.set_defaults(command=_remove_finalizers)
    return parser


def _add_advice(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    forecast = add("forecast", "estimate how long a rollout takes (needs no cluster)")
    forecast.add_argument("file", type=Path, help="file with a ModelDeployment")
    forecast.add_argument(
        "--rate",
        type=_rate,
        required=True,
        help="requests per second to all revisions of the model",
    )
    forecast.add_argument(
        "--stable-error",
        type=_error_percent,
        default=0.5,
        metavar="PERCENT",
        help="error rate of the stable revision in percent (default: 0.5)",
    )
    forecast.set_defaults(command=_forecast)
    explain = add("explain", "explain the state of a rollout (uses your kubeconfig)")
    explain.add_argument("name", help="name of the ModelDeployment")
    explain.add_argument(
        "-n", "--namespace", default="default", help="its namespace (default: default)"
    )
    explain.set_defaults(command=_explain)


def _rate(text: str) -> float:
    rate = _number(text)
    if not 0 < rate <= HIGHEST_RATE:
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of requests per second: it must be more than 0 and at"
            f" most {HIGHEST_RATE:g}"
        )
    return rate


def _error_percent(text: str) -> float:
    percent = _number(text)
    if not 0 <= percent < ALL:
        raise argparse.ArgumentTypeError(
            f"{text} is not a percentage of errors: it must be at least 0 and less than 100"
        )
    return percent


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


# The commands import what they need when they are called, so that a short one does not load the
# whole operator.


def _run(_: argparse.Namespace) -> int:
    settings = Settings.from_env()
    drained: bool = asyncio.run(import_module("halimede.app").run(settings))
    return 0 if drained else 1


def _crd(_: argparse.Namespace) -> int:
    sys.stdout.write(import_module("halimede.api.crd").crd_yaml())
    return 0


def _render(arguments: argparse.Namespace) -> int:
    render_manifests = import_module("halimede.cli.render").render_manifests
    settings = Settings.from_env()
    try:
        text = arguments.file.read_text("utf-8")
        sys.stdout.write(render_manifests(text, settings.platform(), settings.query_policy()))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"halimede: {arguments.file}: {error}\n")
        return 1
    return 0


def _forecast(arguments: argparse.Namespace) -> int:
    forecast_manifests = import_module("halimede.cli.forecast").forecast_manifests
    try:
        text = arguments.file.read_text("utf-8")
        sys.stdout.write(forecast_manifests(text, arguments.rate, arguments.stable_error / ALL))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"halimede: {arguments.file}: {error}\n")
        return 1
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    explain_by_name = import_module("halimede.cli.explain").explain_by_name
    try:
        sys.stdout.write(asyncio.run(explain_by_name(arguments.namespace, arguments.name)))
    except SettingsError:
        raise
    except OperatorError as error:
        sys.stderr.write(f"halimede: {error}\n")
        return 1
    return 0


def _remove_finalizers(_: argparse.Namespace) -> int:
    remove_all = import_module("halimede.cli.finalizers").remove_all
    try:
        results = asyncio.run(remove_all(Settings.from_env().namespaces))
    except SettingsError:
        raise
    except OperatorError as error:
        sys.stderr.write(f"halimede: {error}\n")
        return 1
    for key, failure in results.items():
        if failure is None:
            sys.stdout.write(f"{key}: removed the finalizer\n")
        else:
            sys.stderr.write(f"halimede: {key}: the finalizer is not removed: {failure}\n")
    return int(any(results.values()))
