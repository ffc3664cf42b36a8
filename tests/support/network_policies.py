"""What a NetworkPolicy allows, by the specification of `networking.k8s.io/v1`.

A network plugin enforces it; the tests' clusters have none.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from halimede.api.base import Manifest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection: a pod, or an address outside the cluster."""

    address: str
    namespace: str | None = None
    """The namespace of a pod; None: it is no pod."""
    namespace_labels: dict[str, str] = field(default_factory=dict, hash=False)
    labels: dict[str, str] = field(default_factory=dict, hash=False)


def accepts(policy: Manifest, caller: Endpoint, port: int) -> bool:
    """Whether the selected pods accept TCP connections of *caller*."""
    return _allows(policy, "ingress", "from", caller, port, "TCP")


def reaches(policy: Manifest, server: Endpoint, port: int, protocol: str = "TCP") -> bool:
    """Whether the selected pods may connect to *server*."""
    return _allows(policy, "egress", "to", server, port, protocol)


def _allows(
    policy: Manifest, direction: str, side: str, other: Endpoint, port: int, protocol: str
) -> bool:
    assert direction.capitalize() in policy["spec"]["policyTypes"], "the pods are not isolated"
    here = policy["metadata"]["namespace"]
    return any(
        _has_port(rule, port, protocol)
        and (not rule.get(side) or any(_is_peer(one, other, here) for one in rule[side]))
        for rule in policy["spec"].get(direction, ())
    )


def _has_port(rule: Manifest, port: int, protocol: str) -> bool:
    return not rule.get("ports") or any(
        one["protocol"] == protocol and one["port"] <= port <= one.get("endPort", one["port"])
        for one in rule["ports"]
    )


def _is_peer(peer: Manifest, other: Endpoint, here: str) -> bool:
    if "ipBlock" in peer:
        address, block = ip_address(other.address), peer["ipBlock"]
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(part) for part in block.get("except", ())
        )
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not _selects(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != here:
        return False
    return _selects(peer.get("podSelector", {}), other.labels)


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, "write the test with matchLabels"
    return selector.get("matchLabels", {}).items() <= labels.items()
