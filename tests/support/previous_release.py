"""The release before this one. None is published, so it is made from the chart of the checkout."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from localcluster import chart

VERSION = "0.0.1"
"""Its `version` and `appVersion`, and with that the tag of its image.

The local cluster runs the checkout under every tag, so the program is the same in both releases.
What it does differs by its defaults and by what the CRD stores.
"""
UNKNOWN_FIELDS = (
    "spec.model.maxSize",
    "spec.model.fetchTimeoutSeconds",
    "spec.serviceAccountName",
    "status.newerRevision",
    "status.records",
)
"""Fields that its CRD lacks. The first two have defaults."""


def make_chart(folder: Path) -> Path:
    """Write the chart of the previous release to *folder*.

    Its operator does not isolate models, so it renders other pods than this release.
    """
    made = folder / "halimede"
    shutil.copytree(chart.CHART, made)
    for path, change in (
        ("Chart.yaml", lambda content: content.update(version=VERSION, appVersion=VERSION)),
        ("values.yaml", lambda content: content["networkPolicies"].update(models=False)),
        ("files/crd.yaml", _remove_fields),
    ):
        content = yaml.safe_load((made / path).read_text())
        change(content)
        (made / path).write_text(yaml.safe_dump(content, sort_keys=False))
    return made


def _remove_fields(crd: dict[str, Any]) -> None:
    """Remove the fields, and the rules about them."""
    (version,) = crd["spec"]["versions"]
    for path in UNKNOWN_FIELDS:
        *outer, name = path.split(".")
        here = version["schema"]["openAPIV3Schema"]
        for part in outer:
            here = here["properties"][part]
        del here["properties"][name]
        rules = here.get("x-kubernetes-validations", [])
        rules[:] = [one for one in rules if f"self.{name}" not in one["rule"]]
