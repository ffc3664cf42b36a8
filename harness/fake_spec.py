"""The spec with which scenarios begin."""

from halimede.api.base import Manifest

GATEWAY = {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}
SPEC: Manifest = {
    "model": {
        "storageUri": "https://models.example/digits/1",
        "sha256": "0" * 64,  # known, so that no Job has to determine it
        "config": {"backend": "onnxruntime", "maxBatchSize": 8},
    },
    "runtime": {"version": "26.09"},
    "replicas": 2,
    "expose": GATEWAY,
    "rollout": {
        "strategy": "Canary",
        "canary": {
            "steps": [{"weight": 20, "minSeconds": 30}, {"weight": 50, "minSeconds": 30}],
            "bakeSeconds": 60,
        },
        "analysis": {"intervalSeconds": 15, "warmupSeconds": 30, "settleSeconds": 15},
        "blueGreen": {"bakeSeconds": 120},
    },
}
