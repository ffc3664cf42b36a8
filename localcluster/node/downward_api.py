"""The downward API, which shows a pod its own fields: fieldRef and resourceFieldRef."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcluster.node import quantity

Json = dict[str, Any]

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigurationError(Exception):
    """A container cannot be configured; the message is worded like the kubelet's."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Values of a pod that are not in its object."""

    pod_address: str
    node_address: str
    allocatable: Mapping[str, str]
    """What a container without a limit may use: cpu, memory."""


def field(pod: Json, path: str, facts: Facts) -> str:
    """Return the value of a `fieldPath`; raise `ConfigurationError` for an unsupported one."""
    metadata, spec = pod["metadata"], pod["spec"]
    if subscript := _SUBSCRIPT.fullmatch(path):
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    match path:
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata[path.removeprefix("metadata.")])
        case "metadata.labels" | "metadata.annotations":
            return _lines(metadata.get(path.removeprefix("metadata.")) or {})
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.removeprefix("spec."), ""))
        case "status.podIP" | "status.podIPs":
            return facts.pod_address
        case "status.hostIP" | "status.hostIPs":
            return facts.node_address
        case _:
            raise ConfigurationError(f"unsupported fieldPath: {path}")


def resource(pod: Json, container: Json, reference: Json, facts: Facts) -> str:
    """Return the value of a resourceFieldRef, in units of its divisor."""
    name = reference.get("containerName")
    if name:
        containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
        container = next((candidate for candidate in containers if candidate["name"] == name), {})
    kind, _, what = reference["resource"].partition(".")
    quantities = container.get("resources", {}).get(kind, {})
    # The documented fallback for a container without a limit: the node's allocatable resources.
    fallback = facts.allocatable.get(what, "0") if kind == "limits" else "0"
    return str(quantity.in_units(quantities.get(what, fallback), reference.get("divisor") or "1"))


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(pairs.items()))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
