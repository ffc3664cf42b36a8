"""ModelDeployments in files, as their authors write them."""

import yaml
from pydantic import ValidationError

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import KIND, ModelDeployment


def documents(text: str) -> list[Manifest]:
    """Read all YAML documents in *text*.

    Raises:
        ValueError: It is no YAML, or there is no ModelDeployment in it.
    """
    try:
        found = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise ValueError(f"this is no YAML: {error}") from error
    if any(not isinstance(document, dict) for document in found):
        raise ValueError("it has a document that is no Kubernetes object")
    if not any(document.get("kind") == KIND for document in found):
        raise ValueError(f"there is no {KIND} in it")
    return found


def deployments(found: list[Manifest]) -> list[ModelDeployment]:
    """Read the ModelDeployments among the documents; without a namespace they are in `default`.

    Raises:
        ValueError: One is not to be understood; the message names the field.
    """
    return [_deployment(document) for document in found if document.get("kind") == KIND]


def _deployment(document: Manifest) -> ModelDeployment:
    placed = {"namespace": "default", **(document.get("metadata") or {})}
    try:
        return ModelDeployment.from_manifest({**document, "metadata": placed})
    except ValidationError as error:
        raise ValueError(str(error)) from error
