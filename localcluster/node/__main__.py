"""`python -m localcluster.node`: run the node agent, inside the cluster's namespaces."""

import argparse
import asyncio
import ipaddress
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from localcluster import triton
from localcluster.addresses import API_PORT, CLUSTER_IP, POD_NETWORK
from localcluster.folders import cache
from localcluster.node.agent import Agent
from localcluster.node.api import Api, connect
from localcluster.node.backoff import FIRST, CrashBackOff
from localcluster.node.filesystem import common_steps
from localcluster.node.images import ImageTable
from localcluster.node.network import AddressPool
from localcluster.node.pod_context import Node
from localcluster.node.registration import machine_capacity
from localcluster.node.software import Software

logger = logging.getLogger("localcluster.node")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and run the agent until it is killed."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    async with connect(options.kubeconfig) as api:
        certificate = (options.tls_cert_file, options.tls_private_key_file)
        await Agent(_node(options, api), certificate if all(certificate) else None).run()


def _node(options: argparse.Namespace, api: Api) -> Node:
    directory = options.directory.absolute()
    software = Software.current()
    capacity = machine_capacity(options.pods)
    capacity |= {key: value for key, value in _overrides(options) if value}
    return Node(
        name=options.name,
        address=CLUSTER_IP,
        prefix=ipaddress.ip_network(options.pod_cidr).prefixlen,
        api_server=(CLUSTER_IP, str(API_PORT)),
        directory=directory,
        memory=directory / "memory",
        api=api,
        addresses=AddressPool(options.pod_cidr),
        images=ImageTable(software=software, server=_triton(options.cache.absolute())),
        common_steps=tuple(common_steps(software.lay_out(directory / "software"))),
        back_off=CrashBackOff(first=options.back_off),
        allocatable=capacity,
        clock=time.time,
    )


def _overrides(options: argparse.Namespace) -> list[tuple[str, str | None]]:
    return [("cpu", options.cpu), ("memory", options.memory)]


def _triton(cache: Path) -> triton.Triton | triton.TritonError:
    try:
        return triton.prepare(cache)
    except triton.TritonError as error:
        logger.warning("Triton is not available on this node: %s", error)
        return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcluster.node", description=__doc__)
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, metavar="FILE")
    add("--name", required=True, help="the node's name")
    add("--directory", type=Path, required=True, help="directory for volumes and logs of pods")
    add("--cache", type=Path, default=cache(), help="directory for Triton's files")
    add("--pod-cidr", default=POD_NETWORK, help="the pods' network (default: %(default)s)")
    add(
        "--cpu",
        default="16",
        help="capacity to report; nothing is enforced (default: %(default)s)",
    )
    add("--memory", help="capacity to report instead of the machine's; nothing is enforced")
    add("--pods", type=int, default=110, help="capacity to report (default: %(default)s)")
    add("--tls-cert-file", type=Path, help="certificate to serve logs with")
    add("--tls-private-key-file", type=Path, help="its key")
    add(
        "--back-off",
        type=float,
        default=FIRST,
        metavar="SECONDS",
        help="seconds before the second restart of a container (default: %(default)s)",
    )
    add("--log-level", default="INFO")
    return parser


if __name__ == "__main__":
    main()
