"""The declared types of fields agree with the API server's OpenAPI document."""

import json
from typing import Any

import pytest

from halimede.render.field_types import QUANTITIES
from localcluster.cluster import Cluster

MODELS = {
    "V1": ("apis/apps/v1", "io.k8s.api.core.v1."),
    "V2": ("apis/autoscaling/v2", "io.k8s.api.autoscaling.v2."),
}
"""By prefix of the client's models: the document, and the prefix of its schemas."""
STATUS = {"PersistentVolumeClaimStatus", "MetricValueStatus"}
"""Schemas with quantities that are never in a spec."""


@pytest.mark.parametrize("prefix", MODELS)
def test_quantities(api_server: Cluster, prefix: str) -> None:
    """The declared quantities are exactly those of the API server."""
    path, named = MODELS[prefix]
    document = json.loads(api_server.kubectl("get", "--raw", f"/openapi/v3/{path}"))
    schemas: dict[str, dict[str, Any]] = document["components"]["schemas"]
    result = {
        (prefix + name.removeprefix(named), field)
        for name, schema in schemas.items()
        if name.startswith(named) and name.removeprefix(named) not in STATUS
        for field, value in schema.get("properties", {}).items()
        if "resource.Quantity" in json.dumps(value)
    }
    assert result == {one for one in QUANTITIES if one[0].startswith(prefix)}
