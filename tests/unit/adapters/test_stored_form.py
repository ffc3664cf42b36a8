"""What is kept of an observed object."""

from typing import Any

from halimede.adapters.kinds import CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, MODEL_DEPLOYMENT, POD
from halimede.adapters.stored_form import pack, prepare, reduce, unpack
from halimede.api.free_form import OVERSIZED
from halimede.plan.bounded_cache import memory_of

OURS = {"manager": "halimede", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
OTHERS = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}


def thing(**fields: Any) -> dict[str, Any]:
    """Return an object with two field managers."""
    metadata = {"name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "1"}
    return {"metadata": metadata | {"managedFields": [OURS, OTHERS]}} | fields


def test_the_kind_is_added() -> None:
    """Objects from lists lack their kind, and those that are watched by metadata name another."""
    partial = thing(apiVersion="meta.k8s.io/v1", kind="PartialObjectMetadata")
    for manifest in (thing(), partial):
        prepared = prepare(DEPLOYMENT, manifest)
        assert (prepared["apiVersion"], prepared["kind"]) == ("apps/v1", "Deployment")


def test_field_managers_are_kept_where_they_are_used() -> None:
    """All managers of routes are kept, only our own of other children, and none of pods."""
    kept = {
        kind: prepare(kind, thing())["metadata"].get("managedFields")
        for kind in (HTTP_ROUTE, DEPLOYMENT, POD)
    }
    assert kept == {HTTP_ROUTE: [OURS, OTHERS], DEPLOYMENT: [OURS], POD: None}


def test_a_packed_object_is_small_and_is_read_as_it_was() -> None:
    """Given an object with text in several languages, packing keeps all and takes less memory."""
    manifest = thing(spec={"names": ["Größe", "尺寸", "\N{OCTOPUS}"] * 100, "size": 2**53 + 1})
    packed = pack(manifest)
    assert unpack(packed) == manifest
    assert memory_of(packed) < memory_of(manifest) / 10


def test_what_is_read_by_name_keeps_its_identity_only() -> None:
    """Given a ConfigMap with much data and many labels, the store keeps what identifies it."""
    manifest = thing(data={"model": "x" * 100_000})
    manifest["metadata"] |= {
        "annotations": {"a": "x" * 100_000},
        "labels": {"halimede.dev/name": "digits", **{f"l{n}": "x" for n in range(1000)}},
        "ownerReferences": [{"uid": "o"}],
    }
    kept = reduce(CONFIG_MAP, manifest)
    assert kept["metadata"]["labels"] == {"halimede.dev/name": "digits"}
    assert kept["metadata"]["ownerReferences"] == [{"uid": "o"}]
    assert memory_of(kept) < 4000


def test_a_model_deployment_loses_what_is_not_read() -> None:
    """Given copies of the object in annotations, and a template too large, neither is kept."""
    manifest = thing(
        spec={"replicas": 1, "podTemplate": {"metadata": {"annotations": {"a": "x" * 100_000}}}},
        status={"observedGeneration": 1},
    )
    manifest["metadata"] |= {
        "annotations": {"halimede.dev/command": "abort@1", "kubectl": "x" * 100_000},
        "labels": {"team": "x"},
    }
    kept = reduce(MODEL_DEPLOYMENT, manifest)
    assert kept["metadata"]["annotations"] == {"halimede.dev/command": "abort@1"}
    assert kept["spec"]["replicas"] == 1
    assert list(kept["spec"]["podTemplate"]) == [OVERSIZED]
    assert kept["spec"]["podTemplate"][OVERSIZED] > 100_000
    assert memory_of(kept) < 5000


def test_a_small_template_is_kept() -> None:
    """Given a template within the limit, the spec is the same object."""
    spec = {"podTemplate": {"spec": {"nodeName": "n"}}}
    assert reduce(MODEL_DEPLOYMENT, thing(spec=spec))["spec"] is spec
