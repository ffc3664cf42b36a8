"""The paths that Halimede's routes lead to: inference, health, metadata and configuration.

Triton's administrative APIs have other paths, and so none of them can be reached from outside the
cluster: `/v2/repository`, `/v2/logging`, `/v2/trace`, `/v2/systemsharedmemory`,
`/v2/cudasharedmemory`, and the other methods of `inference.GRPCInferenceService`. What is below
`/v2/models`, statistics and traces, is restricted by the arguments (`render.arguments`).

No path has the model's name: a pod serves one model, and while a rollout renames it, or after its
abort, clients use the name of either revision.
"""

Path = tuple[str, bool]
"""A path, and whether a request must have exactly this one; otherwise all below it match."""

HTTP: tuple[Path, ...] = (("/v2", True), ("/v2/health", False), ("/v2/models", False))
GRPC: tuple[Path, ...] = tuple(
    (f"/inference.GRPCInferenceService/{method}", True)
    for method in (
        "ModelInfer",
        "ModelStreamInfer",
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelConfig",
    )
)
GRPC_HEALTH: tuple[Path, ...] = (("/grpc.health.v1.Health/Check", True),)
"""gRPC's own health check, of which Triton has this method only."""
