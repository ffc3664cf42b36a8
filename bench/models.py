"""The workload of `bench.objects`: small ModelDeployments, and their children."""

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import API_VERSION, KIND, ModelDeployment
from halimede.render.network import render_network
from halimede.render.platform import NetworkSettings, Platform
from halimede.render.revision import render_revision
from halimede.render.scaling import hpa, pdb
from halimede.render.traffic import Backend, render_traffic
from halimede.render.workload import render_workload

PLATFORM = Platform("halimede-fetch:0.1.0", network=NetworkSettings())


def model_deployment(number: int, namespace: str) -> Manifest:
    """Build the ModelDeployment with this number: autoscaled, exposed by an Ingress."""
    name = f"model-{number:03d}"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {
                "storageUri": f"https://models.example.com/{name}.onnx",
                "sha256": "0" * 64,  # known, because no pod fetches anything
                "config": {"backend": "onnxruntime", "maxBatchSize": 8},
            },
            "runtime": {"version": "26.09"},
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
            "expose": {"type": "Ingress", "ingress": {"host": f"{name}.example.com"}},
            "rollout": {"analysis": {"provider": "None"}},
        },
    }


def children(deployment: Manifest) -> list[Manifest]:
    """Render the children of *deployment* as Halimede does, but without owner references."""
    md = ModelDeployment.from_manifest(deployment)
    target = render_revision(md, PLATFORM, {})
    scaler = hpa(md, target.hash)
    rendered = (
        *render_workload(md, target, None),
        *render_network(md, target, PLATFORM.network),
        *render_traffic(md, (Backend(target.hash, 100),)),
        *((scaler,) if scaler else ()),
        pdb(md),
    )
    for manifest in rendered:
        del manifest["metadata"]["ownerReferences"]
    return list(rendered)
