"""Apply CustomResourceDefinitions."""

import json
from collections.abc import Callable

from localcluster.waiting import wait_until

WITHIN = 60
"""Seconds for the API server to serve them."""


def apply(kubectl: Callable[..., str], filename: str) -> None:
    """Apply the CRDs of ``--filename``, and return when the API server serves them.

    ``kubectl wait`` and filters of JSONPath fail if they come before the first condition. Raise
    `GaveUpError`, and what ``kubectl`` raises.
    """
    file = f"--filename={filename}"
    kubectl("apply", "--server-side", file)
    wait_until(
        "the CRDs to be established",
        lambda: _not_established(kubectl("get", file, "--output=json")),
        WITHIN,
    )


def _not_established(output: str) -> str:
    found = json.loads(output)
    return ", ".join(
        crd["metadata"]["name"]
        for crd in found.get("items", [found])
        if not any(
            condition["type"] == "Established" and condition["status"] == "True"
            for condition in crd.get("status", {}).get("conditions") or ()
        )
    )
