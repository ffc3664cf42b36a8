"""The environment variables and the command line of a container."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from localcluster.node.downward_api import ConfigurationError, Facts, Json, field, resource

SourceKind = Literal["ConfigMap", "Secret"]
"""The kinds of objects that variables and files come from."""

_REFERENCES_TO_ALL: tuple[tuple[str, SourceKind], ...] = (
    ("configMapRef", "ConfigMap"),
    ("secretRef", "Secret"),
)
_REFERENCES_TO_ONE: tuple[tuple[str, SourceKind], ...] = (
    ("configMapKeyRef", "ConfigMap"),
    ("secretKeyRef", "Secret"),
)
_REFERENCES: tuple[tuple[str, SourceKind], ...] = _REFERENCES_TO_ALL + _REFERENCES_TO_ONE
_VARIABLE = re.compile(r"\$(?:\$|\((?P<name>[^()]+)\))")


@dataclass(frozen=True, slots=True)
class Source:
    """An object in the pod's namespace that a container reads variables from."""

    kind: SourceKind
    name: str


def sources(container: Json) -> set[Source]:
    """Return the objects that `variables` reads."""
    result: set[Source] = set()
    origins = [*container.get("envFrom", [])]
    origins += [entry.get("valueFrom", {}) for entry in container.get("env", [])]
    for origin in origins:
        for key, kind in _REFERENCES:
            if key in origin:
                result.add(Source(kind, origin[key]["name"]))
    return result


def variables(
    pod: Json, container: Json, objects: Mapping[Source, Json | None], facts: Facts
) -> dict[str, str]:
    """Return the variables that a container's `envFrom` and `env` set, in that order.

    `objects` holds None for a source that does not exist. A value may refer to variables set
    before it. Raise `ConfigurationError` for a missing object or key that is not optional.
    """
    values: dict[str, str] = {}
    for entry in container.get("envFrom", []):
        values.update(_from_object(entry, objects))
    for entry in container.get("env", []):
        if "valueFrom" not in entry:
            values[entry["name"]] = expand(entry.get("value", ""), values)
            continue
        value = _from_reference(pod, container, entry["valueFrom"], objects, facts)
        if value is not None:
            values[entry["name"]] = value
    return values


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace each `$(NAME)` by its variable and `$$` by `$`; unknown names stay as they are.

    >>> expand("$(A)-$(B)-$$(A)", {"A": "1"})
    '1-$(B)-$(A)'
    """

    def replacement(match: re.Match[str]) -> str:
        return "$" if match["name"] is None else values.get(match["name"], match[0])

    return _VARIABLE.sub(replacement, text)


def command_line(
    container: Json, entrypoint: tuple[str, ...], values: Mapping[str, str]
) -> list[str]:
    """Return the command line: `command` or else the image's entry point, then `args`."""
    command = container.get("command") or []
    arguments = container.get("args") or []
    expanded = [expand(word, values) for word in (*command, *arguments)]
    return expanded if command else [*entrypoint, *expanded]


def content(source: SourceKind, data: Json) -> dict[str, bytes]:
    """Return the files, or values, that a ConfigMap or Secret holds."""
    if source == "Secret":
        return {key: base64.b64decode(value) for key, value in (data.get("data") or {}).items()}
    texts = {key: value.encode() for key, value in (data.get("data") or {}).items()}
    binaries = data.get("binaryData") or {}
    return texts | {key: base64.b64decode(value) for key, value in binaries.items()}


def _from_object(entry: Json, objects: Mapping[Source, Json | None]) -> Iterator[tuple[str, str]]:
    for key, kind in _REFERENCES_TO_ALL:
        reference = entry.get(key)
        if reference is None:
            continue
        data = objects.get(Source(kind, reference["name"]))
        if data is None and not reference.get("optional"):
            raise ConfigurationError(not_found(kind, reference["name"]))
        for name, value in content(kind, data or {}).items():
            yield entry.get("prefix", "") + name, value.decode(errors="replace")


def _from_reference(
    pod: Json,
    container: Json,
    origin: Json,
    objects: Mapping[Source, Json | None],
    facts: Facts,
) -> str | None:
    """Return the value of a `valueFrom`, None where something optional is missing."""
    if "fieldRef" in origin:
        return field(pod, origin["fieldRef"]["fieldPath"], facts)
    if "resourceFieldRef" in origin:
        return resource(pod, container, origin["resourceFieldRef"], facts)
    for key, kind in _REFERENCES_TO_ONE:
        if key in origin:
            reference = origin[key]
            data = objects.get(Source(kind, reference["name"]))
            return _key_value(kind, reference, data, pod["metadata"]["namespace"])
    raise ConfigurationError(f"the process node cannot take a variable from {', '.join(origin)}")


def _key_value(kind: SourceKind, reference: Json, data: Json | None, namespace: str) -> str | None:
    name, key = reference["name"], reference["key"]
    value = content(kind, data).get(key) if data is not None else None
    if value is not None:
        return value.decode(errors="replace")
    if reference.get("optional"):
        return None
    if data is None:
        raise ConfigurationError(not_found(kind, name))
    raise ConfigurationError(f"couldn't find key {key} in {kind} {namespace}/{name}")


def not_found(kind: SourceKind, name: str) -> str:
    """Return the API server's message for an object that does not exist.

    >>> not_found("Secret", "x")
    'secret "x" not found'
    """
    return f'{kind.lower()} "{name}" not found'
