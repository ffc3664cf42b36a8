"""The pods' network: one bridge, and for each pod a network namespace joined to it by a veth.

Everything happens inside the cluster's own network namespace and is invisible outside. A pod's
namespace exists as long as a descriptor of it is open or a process is in it, so it cannot be left
behind. There is no Service proxy and no DNS: addresses of Services are unreachable.
"""

import asyncio
import contextlib
import errno
import ipaddress
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError

from localcluster import syscalls
from localcluster.addresses import CLUSTER_IP, POD_NETWORK

BRIDGE = "pods"
BRIDGE_ADDRESS = f"{CLUSTER_IP}/{POD_NETWORK.partition('/')[2]}"


class NetworkError(Exception):
    """A network interface or namespace could not be made; the message says which and why."""


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """A pod's place in the network."""

    address: str
    interface: str
    """The end of the veth that is on the bridge."""
    namespace: int
    """An open descriptor of the network namespace; `disconnect_pod` closes it."""


def create_bridge(address: str = BRIDGE_ADDRESS) -> None:
    """Make the bridge in the current network namespace, and set up the loopback interface."""
    gateway, _, prefix = address.partition("/")
    with IPRoute() as route:
        route.link("set", index=route.link_lookup(ifname="lo")[0], state="up")
        route.link("add", ifname=BRIDGE, kind="bridge")
        bridge = route.link_lookup(ifname=BRIDGE)[0]
        route.addr("add", index=bridge, address=gateway, prefixlen=int(prefix))
        route.link("set", index=bridge, state="up")


class AddressPool:
    """Allocates a network's addresses in turn, so that a released one is not reused at once.

    An address that changes owner quickly would let a stale endpoint reach the wrong pod.
    """

    def __init__(self, network: str) -> None:
        """Start with the network's second /24: the first is for the machine's own processes."""
        self._network = ipaddress.ip_network(network)
        self._first = 256 if self._network.num_addresses > 512 else 2
        self._next = self._first
        self._used: set[str] = set()

    def take(self) -> str:
        """Allocate an address; raise `NetworkError` if there is none left."""
        last = self._network.num_addresses - 2
        for _ in range(self._first, last + 1):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next < last else self._first
            if address not in self._used and not address.endswith((".0", ".255")):
                self._used.add(address)
                return address
        raise NetworkError(f"no pod address is left in {self._network}")

    def give_back(self, address: str) -> None:
        """Release an address; one that was not allocated is ignored."""
        self._used.discard(address)


async def connect_pod(address: str, gateway: str, prefix: int) -> PodNetwork:
    """Make a network namespace with its own loopback and the pod's address on the bridge."""
    return await asyncio.to_thread(_connect_in_thread, address, gateway, prefix)


async def disconnect_pod(network: PodNetwork) -> None:
    """Remove a pod from the bridge; its processes should have ended."""
    os.close(network.namespace)
    await asyncio.to_thread(_remove_interface, network.interface)


def _connect_in_thread(address: str, gateway: str, prefix: int) -> PodNetwork:
    """Run `_connect` in a thread that ends after it: a thread cannot undo `unshare`."""
    with ThreadPoolExecutor(max_workers=1) as one_thread:
        try:
            return one_thread.submit(_connect, address, gateway, prefix).result()
        except (OSError, NetlinkError, LookupError) as error:
            raise NetworkError(f"no network for the pod address {address}: {error}") from error


def _connect(address: str, gateway: str, prefix: int) -> PodNetwork:
    # An interface's name has at most 15 characters; the address makes it unique.
    interface = "veth" + ipaddress.ip_address(address).packed.hex()
    with IPRoute() as outside:
        syscalls.unshare(syscalls.NEW_NETWORK)
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            outside.link(
                "add",
                ifname=interface,
                kind="veth",
                peer={"ifname": "eth0", "net_ns_fd": namespace},
            )
            end = outside.link_lookup(ifname=interface)[0]
            bridge = outside.link_lookup(ifname=BRIDGE)[0]
            outside.link("set", index=end, master=bridge, state="up")
            _configure_inside(address, gateway, prefix)
        except BaseException:
            os.close(namespace)
            raise
    return PodNetwork(address, interface, namespace)


def _configure_inside(address: str, gateway: str, prefix: int) -> None:
    with IPRoute() as inside:
        inside.link("set", index=inside.link_lookup(ifname="lo")[0], state="up")
        eth0 = inside.link_lookup(ifname="eth0")[0]
        inside.addr("add", index=eth0, address=address, prefixlen=prefix)
        inside.link("set", index=eth0, state="up")
        inside.route("add", dst="default", gateway=gateway)
    # As container runtimes do, for containers that dropped CAP_NET_BIND_SERVICE. Where /proc/sys
    # is read-only, ports below 1024 then need the capability; nothing else depends on it.
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0", encoding="ascii")


def _remove_interface(interface: str) -> None:
    with IPRoute() as route:
        for index in route.link_lookup(ifname=interface):
            try:
                route.link("del", index=index)
            except NetlinkError as error:
                # The kernel removes the interface with its namespace, perhaps before this.
                if error.code != errno.ENODEV:
                    raise
