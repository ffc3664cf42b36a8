"""The command line of the local cluster: ``python -m localcluster``."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence

from localcluster import build, cluster
from localcluster.cluster import Cluster, Part
from localcluster.progress import Progress
from localcluster.toolchain import ToolchainError

DEFAULT = "halimede"
"""The default name of a cluster."""

CONTROL_PLANE = "control-plane"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (build.BuildError, ToolchainError, cluster.ClusterError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _build(_: argparse.Namespace) -> int:
    print(build.build(build.EVERYTHING, Progress()))
    return 0


def _up(options: argparse.Namespace) -> int:
    started = cluster.up(
        options.name, bound=False, kwok_nodes=options.kwok_nodes, parts=options.only
    )
    _print_environment(started)
    return 0


def _down(options: argparse.Namespace) -> int:
    cluster.find(options.name).down()
    return 0


def _list(_: argparse.Namespace) -> int:
    for entry in cluster.running():
        print(entry.name, entry.pid, entry.kubeconfig, sep="\t")
    return 0


def _env(options: argparse.Namespace) -> int:
    _print_environment(cluster.find(options.name))
    return 0


def _kubectl(options: argparse.Namespace) -> int:
    target = cluster.find(options.name)
    kubectl = [str(target.kubectl_program), f"--kubeconfig={target.kubeconfig}"]
    return subprocess.run([*kubectl, *_command(options)], check=False).returncode


def _exec(options: argparse.Namespace) -> int:
    target = cluster.find(options.name)
    return subprocess.run(target.inside(*_command(options) or ["sh"]), check=False).returncode


def _command(options: argparse.Namespace) -> list[str]:
    """Return the command after ``--``, which separates its options from ours."""
    command: list[str] = options.command
    return command[1:] if command[:1] == ["--"] else command


def _parts(text: str) -> list[Part]:
    """Read the value of ``--only``; the control plane is always there."""
    names = [name for name in text.split(",") if name != CONTROL_PLANE]
    if unknown := set(names) - set(Part):
        raise argparse.ArgumentTypeError(f"unknown part: {', '.join(sorted(unknown))}")
    return [Part(name) for name in names]


def _print_environment(target: Cluster) -> None:
    """Print what a shell can evaluate: ``eval "$(python -m localcluster env)"``."""
    host, port = target.gateway
    print(f"export KUBECONFIG={shlex.quote(str(target.kubeconfig))}")
    print(f"export HALIMEDE_GATEWAY={host}:{port}")
    print(f"export HALIMEDE_PROMETHEUS={target.prometheus_url}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=DEFAULT, help="the cluster's name (%(default)s)")

    builds = commands.add_parser("build", help="build all programs and print their folder")
    builds.set_defaults(run=_build)
    ups = commands.add_parser("up", parents=[common], help="start a cluster that keeps running")
    ups.add_argument("--kwok-nodes", type=int, default=0, help="add simulated nodes")
    ups.add_argument(
        "--only",
        type=_parts,
        default=tuple(Part),
        help=f"comma-separated, of: {CONTROL_PLANE}, {', '.join(Part)}",
    )
    ups.set_defaults(run=_up)
    for name, run, text in (
        ("down", _down, "end it"),
        ("env", _env, "print its environment variables, for a shell to evaluate"),
    ):
        commands.add_parser(name, parents=[common], help=text).set_defaults(run=run)
    commands.add_parser("list", help="show what runs").set_defaults(run=_list)
    for name, run, text in (
        ("kubectl", _kubectl, "run kubectl as cluster administrator"),
        ("exec", _exec, "run a command in its namespaces, where pods can be reached"),
    ):
        runs = commands.add_parser(name, parents=[common], help=text)
        runs.add_argument("command", nargs=argparse.REMAINDER, help="after --")
        runs.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
