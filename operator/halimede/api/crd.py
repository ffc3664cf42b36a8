"""The CustomResourceDefinition: what `kubectl explain` tells and the API server enforces."""

from io import StringIO
from typing import Any

import yaml

from halimede.api.base import Manifest
from halimede.api.rules import rule
from halimede.api.schema import structural
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.status import Status
from halimede.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION, ModelDeployment

LONGEST_NAME = 48
"""Pods are found in metrics by `<name>-<hash8>-`, and Kubernetes keeps 58 characters of that
(`maxGeneratedNameLength` of its name generator) before it adds its own."""

LINE = 500
SHORT = 400
"""Characters; a longer object has a line for each of its fields."""

_HEADER = "# Made by `halimede crd`; edit the models in operator/halimede/api instead.\n"
_ROOT_RULES = [
    rule(
        f"self.metadata.name.size() <= {LONGEST_NAME}",
        f"metadata.name must have at most {LONGEST_NAME} characters, because Kubernetes cuts the"
        " names of pods, which must keep it: choose a shorter name",
    ),
    rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must begin with a letter and hold only a-z, 0-9 and '-', as the names of"
        " Services: choose another name",
    ),
]


def crd() -> Manifest:
    """Write the CustomResourceDefinition of ModelDeployment."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{GROUP}",
            "labels": {
                "app.kubernetes.io/name": "halimede",
                "app.kubernetes.io/part-of": "halimede",
            },
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["mdeploy"],
                "categories": ["triton"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def text() -> str:
    """Write the CustomResourceDefinition as the YAML that stands in `crds/`.

    What is short stands in one line: a third of the file would be indentation otherwise.
    """
    nodes = yaml.SafeDumper(StringIO(), sort_keys=False).represent_data(crd())
    _shorten(nodes)
    written = yaml.serialize(nodes, Dumper=yaml.SafeDumper, width=LINE)
    return f"{_HEADER}{written}"


def _shorten(node: yaml.Node) -> int:
    """Have everything short written in one line, and tell how long this would be."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 2
    if not isinstance(node, yaml.CollectionNode):
        raise TypeError(f"YAML has no {type(node).__name__}")
    parts = [one for part in node.value for one in (part if isinstance(part, tuple) else (part,))]
    size = sum(2 + _shorten(part) for part in parts)
    node.flow_style = size <= SHORT
    return size


def _root() -> dict[str, Any]:
    return {
        "description": ModelDeployment.__doc__,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(ModelDeploymentSpec),
            # Until Halimede has looked, kstatus must not take an empty status for a good one.
            "status": structural(Status) | {"default": {"observedGeneration": -1}},
        },
        "x-kubernetes-validations": _ROOT_RULES,
    }


def _columns() -> list[dict[str, Any]]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        _column("Ready", f"{ready}.status"),
        _column("Reason", f"{ready}.reason"),
        _column("Strategy", ".spec.rollout.strategy"),
        _column("Step", ".status.rollout.progress"),
        _column("Weight", ".status.rollout.weight", "integer"),
        _column("Stable", ".status.stable.revision"),
        _column("Canary", ".status.rollout.revision"),
        _column("Age", ".metadata.creationTimestamp", "date"),
        _column("URL", ".status.url") | {"priority": 1},
        _column("Message", f"{ready}.message") | {"priority": 1},
    ]


def _column(name: str, path: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "jsonPath": path, "type": kind}
