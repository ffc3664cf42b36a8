"""The CustomResourceDefinition: what `kubectl explain` shows and the API server enforces."""

from typing import Any

import yaml
from typing_extensions import override

from halimede.api.base import Manifest
from halimede.api.rules import rule
from halimede.api.schema import structural
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.status import Status
from halimede.api.v1alpha1 import GROUP, KIND, PLURAL, VERSION, ModelDeployment

LONGEST_NAME = 48
"""Metrics are matched by the prefix `<name>-<hash8>-` of pod names, of which Kubernetes keeps 58
characters (`maxGeneratedNameLength` of its name generator) before it adds its own."""

LINE = 100
"""Characters after which a long text is continued in the next line."""

_HEADER = "# Made by `halimede crd`; edit the models in operator/halimede/api instead.\n"
_ROOT_RULES = [
    rule(
        f"self.metadata.name.size() <= {LONGEST_NAME}",
        f"metadata.name must have at most {LONGEST_NAME} characters, because the names of pods"
        " contain it: choose a shorter name",
    ),
    rule(
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name must start with a letter and contain only a-z, 0-9 and '-', because"
        " Services are named after it: choose another name",
    ),
]


def build_crd() -> Manifest:
    """Return the CustomResourceDefinition of ModelDeployment."""
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


def crd_yaml() -> str:
    """Return the CustomResourceDefinition as the YAML in `crds/`.

    It is block YAML without anchors, so that a diff shows each changed field of the API.
    """
    written = yaml.dump(build_crd(), Dumper=_BlockDumper, sort_keys=False, width=LINE)
    return f"{_HEADER}{written}"


class _BlockDumper(yaml.SafeDumper):
    """Writes a value that is used in several places in full at each of them."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        """Return True: *data* never becomes an anchor."""
        return True


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
            # Until the first reconcile, kstatus must not take an empty status for a good one.
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
