"""Parsing of the peers of NetworkPolicies that the administrator configures."""

import json
from typing import Any

from halimede.render.platform import Peers

_FORM = (
    "write a JSON list of NetworkPolicyPeers, such as"
    ' [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}]'
)
_KINDS = (
    {"ipBlock"},
    {"namespaceSelector"},
    {"podSelector"},
    {"namespaceSelector", "podSelector"},
)


def parse_peers(text: str) -> Peers:
    """Parse a JSON list of `NetworkPolicyPeer` of `networking.k8s.io/v1`.

    The content of selectors and IP blocks is left to the API server.

    Raises:
        ValueError: It is not one; the message says which item is wrong, and what to do.

    >>> parse_peers('[{"podSelector": {}}]')
    ({'podSelector': {}},)
    """
    try:
        peers = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON ({error}); {_FORM}") from error
    if not isinstance(peers, list):
        raise ValueError(f"not a list; {_FORM}")  # noqa: TRY004  (one error for all faults)
    for number, peer in enumerate(peers):
        if not _is_peer(peer):
            raise ValueError(
                f"item {number} is not a peer; set ipBlock to a map, or namespaceSelector,"
                " podSelector or both"
            )
    return tuple(peers)


def _is_peer(peer: Any) -> bool:
    return (
        isinstance(peer, dict)
        and set(peer) in _KINDS
        and all(isinstance(part, dict) for part in peer.values())
    )
