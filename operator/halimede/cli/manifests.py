"""ModelDeployments in files, as their authors write them."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import API_VERSION, KIND, ModelDeployment
from halimede.cli.yaml_dialect import Loader

_LIST = "List"


class InvalidManifestError(ValueError):
    """A file does not hold what its reader needs; the message says where and what to do."""


def load_documents(text: str) -> list[Manifest]:
    """Read all objects in the YAML documents of *text*, those in lists one by one.

    Raises:
        InvalidManifestError: It is no YAML, a document is no Kubernetes object, an object is
            there twice, or there is no ModelDeployment in it. The message gives the document's
            number.
    """
    try:
        found = list(yaml.load_all(text, Loader=Loader))
    except yaml.YAMLError as error:
        raise InvalidManifestError(f"this is no YAML: {error}") from error
    except RecursionError as error:
        raise InvalidManifestError(
            "this is no YAML to be read: it is nested too deeply"
        ) from error
    objects = list[tuple[str, Manifest]]()
    for number, document in enumerate(found, 1):
        if document is not None:
            place = f"document {number}"
            _check_depth(document, place)
            objects.extend(_objects(document, place))
    _no_twins(objects)
    if not any(_ours(one) for _, one in objects):
        raise InvalidManifestError(f"there is no {KIND} ({API_VERSION}) in it")
    return [one for _, one in objects]


def parse_model_deployments(found: list[Manifest]) -> list[ModelDeployment]:
    """Read the ModelDeployments among the documents; without a namespace they are in `default`.

    Raises:
        InvalidManifestError: One is not to be understood; the message names it and the field.
    """
    return [_deployment(document) for document in found if _ours(document)]


def _check_depth(document: Any, place: str) -> None:
    try:
        json.dumps(document)
    except (ValueError, RecursionError) as error:
        raise InvalidManifestError(f"{place} refers to itself by an alias") from error


def _objects(document: Any, place: str) -> Iterator[tuple[str, Manifest]]:
    """List the objects in a document with their places, and say what is wrong with them."""
    if not isinstance(document, dict):
        raise InvalidManifestError(f"{place} is {_shown(document)}, and no Kubernetes object")
    kind = _text(document, "kind", place)
    if kind == _LIST or (kind.endswith(_LIST) and "items" in document):
        yield from _items(document, kind, place)
        return
    if not isinstance(document.get("metadata"), dict):
        raise InvalidManifestError(
            f"{place} ({kind}) has no metadata: write its name under metadata"
        )
    _text(document["metadata"], "name", f"{place} ({kind}): metadata")
    if document["metadata"].get("namespace") is not None:
        _text(document["metadata"], "namespace", f"{place} ({kind}): metadata")
    yield place, document


def _items(document: Manifest, kind: str, place: str) -> Iterator[tuple[str, Manifest]]:
    items = document.get("items") or []
    if not isinstance(items, list):
        raise InvalidManifestError(f"{place} ({kind}): items is {_shown(items)}, not a list")
    # The API server leaves out of typed lists what their kind says.
    said = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix(_LIST)}
    for number, item in enumerate(items):
        typed = said | item if isinstance(item, dict) and kind != _LIST else item
        yield from _objects(typed, f"{place}, items[{number}]")


def _text(holder: Manifest, field: str, place: str) -> str:
    value = holder.get(field)
    if value is None or value == "":
        raise InvalidManifestError(f"{place} has no {field}: every Kubernetes object needs one")
    if not isinstance(value, str):
        raise InvalidManifestError(
            f"{place}: {field} is {_shown(value)}, not a string: write it in quotes"
        )
    return value


def _no_twins(objects: list[tuple[str, Manifest]]) -> None:
    places: dict[tuple[object, ...], str] = {}
    for place, one in objects:
        metadata = one["metadata"]
        identity = (one.get("apiVersion"), one["kind"], metadata.get("namespace"))
        first = places.setdefault((*identity, metadata["name"]), place)
        if first != place:
            raise InvalidManifestError(
                f"{place} is the {one['kind']} {metadata['name']!r}, as {first} is: remove one"
            )


def _ours(document: Manifest) -> bool:
    return document["kind"] == KIND and document.get("apiVersion") in (None, API_VERSION)


def _deployment(document: Manifest) -> ModelDeployment:
    placed = {**document["metadata"]}
    placed["namespace"] = placed.get("namespace") or "default"
    try:
        return ModelDeployment.from_manifest({**document, "metadata": placed})
    except ValidationError as error:
        found = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidManifestError(f"{KIND} {placed['name']!r}: {'; '.join(found)}") from error


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a map"
        case list():
            return "a list"
        case _:
            return json.dumps(value)
