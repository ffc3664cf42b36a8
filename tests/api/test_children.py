"""What is rendered, on a real API server: it is taken without a complaint, and then left alone."""

import json

import pytest

from halimede.render.drift import is_up_to_date
from localcluster.cluster import Cluster
from tests.golden.cases import CASES, rendered


@pytest.mark.parametrize("case", CASES)
def test_taken_as_rendered(gateway_api: Cluster, case: str) -> None:
    """Every field that is rendered exists, and what the API server makes of it is no drift."""
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
