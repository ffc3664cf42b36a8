"""Reading of ModelDeployments from files."""

import json
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.api.free_form import is_deeper
from halimede.api.v1alpha1 import API_VERSION, KIND, ModelDeployment
from halimede.cli.yaml_dialect import Loader

_LIST = "List"
MAX_DEPTH = 100
"""Maximum number of levels in a document; serializers fail with some hundred."""


class InvalidManifestError(ValueError):
    """A file does not contain what is required; the message has the place and what to do."""


def load_documents(text: str) -> list[Manifest]:
    """Parse all objects in the YAML documents of *text*; items of lists become single objects.

    Raises:
        InvalidManifestError: It is not YAML, a document is not a Kubernetes object, an object
            occurs twice, or there is no ModelDeployment. The message has the document's number.
    """
    try:
        documents = list(yaml.load_all(text, Loader=Loader))
    except yaml.YAMLError as error:
        raise InvalidManifestError(f"not valid YAML: {error}") from error
    except RecursionError as error:
        raise InvalidManifestError("the YAML cannot be read: it is nested too deeply") from error
    objects = list[tuple[str, Manifest]]()
    for number, document in enumerate(documents, 1):
        if document is not None:
            place = f"document {number}"
            _check_depth(document, place)
            objects.extend(_objects(document, place))
    _check_unique(objects)
    if not any(_is_model_deployment(manifest) for _, manifest in objects):
        raise InvalidManifestError(f"no {KIND} ({API_VERSION}) found")
    return [manifest for _, manifest in objects]


def parse_model_deployments(documents: list[Manifest]) -> list[ModelDeployment]:
    """Parse the ModelDeployments among the documents; their namespace defaults to `default`.

    Raises:
        InvalidManifestError: One of them is invalid; the message names it and the field.
    """
    return [
        _parse_model_deployment(document)
        for document in documents
        if _is_model_deployment(document)
    ]


def _check_depth(document: Any, place: str) -> None:
    try:
        json.dumps(document)
    except (ValueError, RecursionError) as error:
        raise InvalidManifestError(f"{place} refers to itself by an alias") from error
    if is_deeper(document, MAX_DEPTH):
        raise InvalidManifestError(f"{place} has more than {MAX_DEPTH} levels")


def _objects(document: Any, place: str) -> Iterator[tuple[str, Manifest]]:
    """Yield the objects in a document with their places; raise an error for an invalid one."""
    if not isinstance(document, dict):
        raise InvalidManifestError(f"{place} is {_describe(document)}, not a Kubernetes object")
    kind = _require_text(document, "kind", place)
    if kind == _LIST or (kind.endswith(_LIST) and "items" in document):
        yield from _items(document, kind, place)
        return
    if not isinstance(document.get("metadata"), dict):
        raise InvalidManifestError(f"{place} ({kind}) has no metadata: add metadata with a name")
    _require_text(document["metadata"], "name", f"{place} ({kind}): metadata")
    if document["metadata"].get("namespace") is not None:
        _require_text(document["metadata"], "namespace", f"{place} ({kind}): metadata")
    yield place, document


def _items(document: Manifest, kind: str, place: str) -> Iterator[tuple[str, Manifest]]:
    items = document.get("items") or []
    if not isinstance(items, list):
        raise InvalidManifestError(
            f"{place} ({kind}): items must be a list, not {_describe(items)}"
        )
    # The API server omits the kind of the items in typed lists: the list's kind implies it.
    type_fields = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix(_LIST)}
    for number, item in enumerate(items):
        typed = type_fields | item if isinstance(item, dict) and kind != _LIST else item
        yield from _objects(typed, f"{place}, items[{number}]")


def _require_text(holder: Manifest, field: str, place: str) -> str:
    value = holder.get(field)
    if value is None or value == "":
        raise InvalidManifestError(f"{place} has no {field}: every Kubernetes object needs one")
    if not isinstance(value, str):
        raise InvalidManifestError(
            f"{place}: {field} must be a string, not {_describe(value)}: write it in quotes"
        )
    return value


def _check_unique(objects: list[tuple[str, Manifest]]) -> None:
    places: dict[tuple[object, ...], str] = {}
    for place, item in objects:
        metadata = item["metadata"]
        identity = (item.get("apiVersion"), item["kind"], metadata.get("namespace"))
        first = places.setdefault((*identity, metadata["name"]), place)
        if first != place:
            raise InvalidManifestError(
                f"{place} is the same {item['kind']} {metadata['name']!r} as {first}: remove one"
            )


def _is_model_deployment(document: Manifest) -> bool:
    return document["kind"] == KIND and document.get("apiVersion") in (None, API_VERSION)


def _parse_model_deployment(document: Manifest) -> ModelDeployment:
    metadata = {**document["metadata"]}
    metadata["namespace"] = metadata.get("namespace") or "default"
    try:
        return ModelDeployment.from_manifest({**document, "metadata": metadata})
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise InvalidManifestError(
            f"{KIND} {metadata['name']!r}: {'; '.join(problems)}"
        ) from error


def _describe(value: Any) -> str:
    match value:
        case dict():
            return "a map"
        case list():
            return "a list"
        case _:
            return json.dumps(value)
