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
    given = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=given.log_level, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(_run(given))


async def _run(given: argparse.Namespace) -> None:
    async with connect(given.kubeconfig) as api:
        certificate = (given.tls_cert_file, given.tls_private_key_file)
        await Agent(_node(given, api), certificate if all(certificate) else None).run()


def _node(given: argparse.Namespace, api: Api) -> Node:
    directory = given.directory.absolute()
    software = Software.current()
    capacity = machine_capacity(given.pods)
    capacity |= {key: given_value for key, given_value in _overrides(given) if given_value}
    return Node(
        name=given.name,
        address=CLUSTER_IP,
        prefix=ipaddress.ip_network(given.pod_cidr).prefixlen,
        api_server=(CLUSTER_IP, str(API_PORT)),
        directory=directory,
        memory=directory / "memory",
        api=api,
        addresses=AddressPool(given.pod_cidr),
        images=ImageTable(software=software, server=_triton(given.cache.absolute())),
        common_steps=tuple(common_steps(software.lay_out(directory / "software"))),
        back_off=CrashBackOff(first=given.back_off),
        allocatable=capacity,
        clock=time.time,
    )


def _overrides(given: argparse.Namespace) -> list[tuple[str, str | None]]:
    return [("cpu", given.cpu), ("memory", given.memory)]


def _triton(cache: Path) -> triton.Triton | triton.TritonError:
    try:
        return triton.prepare(cache)
    except triton.TritonError as error:
        logger.warning("There is no Triton on this node: %s", error)
        return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcluster.node", description=__doc__)
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, metavar="FILE")
    add("--name", required=True, help="the node's name")
    add("--directory", type=Path, required=True, help="where volumes and logs of pods go")
    add("--cache", type=Path, default=cache(), help="where Triton is laid out once")
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
        help="before the second restart of a container (default: %(default)s)",
    )
    add("--log-level", default="INFO")
    return parser


if __name__ == "__main__":
    main()
