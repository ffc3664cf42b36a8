"""Render the chart with the real helm."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcluster.build import HELM, build

CHART = Path(__file__).parents[2] / "charts" / "halimede"

Manifest = dict[str, Any]

HOOK = "helm.sh/hook"

REQUIRED: Manifest = {"image": {"repository": "registry.example.com/halimede"}}
"""The values that have no default."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The manifests rendered from one set of values."""

    manifests: tuple[Manifest, ...]
    """What a release consists of."""
    hooks: tuple[Manifest, ...] = ()
    """What is created only while helm uninstalls the release."""

    def of_kind(self, *kinds: str) -> list[Manifest]:
        """Return the manifests of these kinds."""
        return [manifest for manifest in self.manifests if manifest["kind"] in kinds]

    def only(self, kind: str) -> Manifest:
        """Return the one manifest of this kind."""
        (manifest,) = self.of_kind(kind)
        return manifest

    @property
    def rules(self) -> list[Manifest]:
        """Return every rule of all the operator's roles: those that are bound."""
        bindings = self.of_kind("RoleBinding", "ClusterRoleBinding")
        bound = {binding["roleRef"]["name"] for binding in bindings}
        roles = self.of_kind("Role", "ClusterRole")
        return [
            rule for role in roles if role["metadata"]["name"] in bound for rule in role["rules"]
        ]

    @property
    def rights(self) -> set[tuple[str, str, str]]:
        """Return what the operator's roles grant: API group, resource and verb."""
        return {
            (group, resource, verb)
            for rule in self.rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }


@dataclass(frozen=True, slots=True)
class Helm:
    """The helm of the local cluster, with its own home folder."""

    program: Path
    home: Path

    @classmethod
    def built(cls, home: Path) -> "Helm":
        """Build helm, or use the cached build."""
        return cls(build((HELM,)) / "helm", home)

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run helm and return the result, also on failure."""
        return subprocess.run(
            [self.program, *arguments],
            env={"HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )

    def with_values(
        self, *command: str | Path, values: Mapping[str, Any]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of helm with these values."""
        file = self.home / "values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        return self.run(*command, "--values", file)

    def template(
        self, values: Mapping[str, Any], namespace: str = "halimede-system"
    ) -> subprocess.CompletedProcess[str]:
        """Run ``helm template`` with exactly these values, for a release in this namespace."""
        return self.with_values("template", "h", CHART, "--namespace", namespace, values=values)

    def rendered(self, values: Mapping[str, Any], namespace: str = "halimede-system") -> Rendered:
        """Return the output of ``helm template``, which must succeed.

        The required values are set, unless `values` sets them.
        """
        finished = self.template({**REQUIRED, **values}, namespace)
        assert finished.returncode == 0, finished.stderr
        documents = [one for one in yaml.safe_load_all(finished.stdout) if one]
        hooks = tuple(one for one in documents if HOOK in one["metadata"].get("annotations", {}))
        return Rendered(tuple(one for one in documents if one not in hooks), hooks)
