"""Volumes whose files come from the API: configMap, secret, downwardAPI, projected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from localcluster.node.api import Api
from localcluster.node.downward_api import ConfigurationError, Facts, Json, field, resource
from localcluster.node.environment import SourceKind, content, not_found

_DEFAULT_MODE = 0o644
_COLLECTIONS: Mapping[SourceKind, str] = {"ConfigMap": "configmaps", "Secret": "secrets"}


@dataclass(frozen=True, slots=True)
class File:
    """A file of a volume."""

    content: bytes
    mode: int


@dataclass(frozen=True, slots=True)
class Projection:
    """The files of a volume, by their path in it."""

    files: Mapping[str, File]
    expires: float | None = None
    """When the first of its tokens expires, in UNIX seconds; None without a token."""


async def project(api: Api, pod: Json, volume: Json, facts: Facts) -> Projection:
    """Fetch the files of a volume.

    Raise `ConfigurationError` for a missing object or key that is not optional.
    """
    kind = next(key for key in volume if key in PROJECTED)
    body = volume[kind]
    default = body.get("defaultMode", _DEFAULT_MODE)
    # A volume of one kind is a projection of one source; only a secret's name has another field.
    origins = body.get("sources", []) if kind == "projected" else [{kind: body}]
    files: dict[str, File] = {}
    expiries: list[float] = []
    for origin in origins:
        for source, reference in origin.items():
            if source == "serviceAccountToken":
                token, expires = await _token(api, pod, reference)
                files[reference["path"]] = File(token, default)
                expiries.append(expires)
            elif source == "downwardAPI":
                files |= _downward(pod, reference, facts, default)
            else:
                files |= await _object(api, pod, source, reference, default)
    return Projection(files, min(expiries, default=None))


PROJECTED = ("configMap", "secret", "downwardAPI", "projected")
"""The fields of a volume that select these kinds."""


def write_files(folder: Path, projection: Projection) -> None:
    """Write the files below `folder`; replace each existing one atomically, and remove others."""
    for present in folder.rglob("*"):
        if present.is_file() and str(present.relative_to(folder)) not in projection.files:
            present.unlink()
    for path, file in projection.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f".{target.name}.new")
        new.write_bytes(file.content)
        new.chmod(file.mode)
        new.replace(target)


async def fetch(api: Api, namespace: str, kind: SourceKind, name: str) -> Json | None:
    """Return a ConfigMap or Secret, None if there is none of this name."""
    return await api.find(f"/api/v1/namespaces/{namespace}/{_COLLECTIONS[kind]}/{name}")


async def _object(api: Api, pod: Json, source: str, reference: Json, mode: int) -> dict[str, File]:
    kind: SourceKind = "Secret" if source == "secret" else "ConfigMap"
    name = reference.get("secretName") or reference["name"]
    data = await fetch(api, pod["metadata"]["namespace"], kind, name)
    optional = bool(reference.get("optional"))
    if data is None and not optional:
        raise ConfigurationError(not_found(kind, name))
    return chosen(content(kind, data or {}), reference, mode, optional=optional)


def chosen(
    content: Mapping[str, bytes], reference: Json, mode: int, *, optional: bool
) -> dict[str, File]:
    """Return the files that `items` select; without `items`, all keys as files."""
    items = reference.get("items")
    if items is None:
        return {key: File(value, mode) for key, value in content.items()}
    files = {}
    for item in items:
        if item["key"] in content:
            files[item["path"]] = File(content[item["key"]], item.get("mode", mode))
        elif not optional:
            raise ConfigurationError(f"references non-existent config key: {item['key']}")
    return files


def _downward(pod: Json, reference: Json, facts: Facts, mode: int) -> dict[str, File]:
    files = {}
    for item in reference.get("items", []):
        if "fieldRef" in item:
            value = field(pod, item["fieldRef"]["fieldPath"], facts)
        else:
            value = resource(pod, {}, item["resourceFieldRef"], facts)
        files[item["path"]] = File(value.encode(), item.get("mode", mode))
    return files


async def _token(api: Api, pod: Json, reference: Json) -> tuple[bytes, float]:
    """Request a token bound to the pod; return it and when it expires."""
    metadata = pod["metadata"]
    account = pod["spec"].get("serviceAccountName") or "default"
    audience = reference.get("audience")
    answer = await api.create(
        f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token",
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience] if audience else [],
                "expirationSeconds": reference.get("expirationSeconds", 3600),
                "boundObjectRef": {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                },
            },
        },
    )
    expires = datetime.fromisoformat(answer["status"]["expirationTimestamp"])
    return answer["status"]["token"].encode(), expires.timestamp()
