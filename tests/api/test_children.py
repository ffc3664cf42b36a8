"""Rendered children on a real API server: accepted without warnings, and then unchanged."""

import json

import pytest

from halimede.render.drift import is_up_to_date
from localcluster.cluster import Cluster
from tests.golden.cases import CASES, rendered


@pytest.mark.parametrize("case", CASES)
def test_taken_as_rendered(gateway_api: Cluster, case: str) -> None:
    """Every rendered field exists, and the API server's defaults are no drift."""
    for manifest in rendered(case):
        own = manifest | {"metadata": manifest["metadata"] | {"namespace": "default"}}
        live = gateway_api.kubectl(
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-ojson",
            "-f-",
            input=json.dumps(own),
        )
        assert is_up_to_date(json.loads(live), own), manifest["kind"]
