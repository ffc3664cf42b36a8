"""The arguments of tritonserver, by its version.

The server prints its usage text and exits if its version does not know a flag. The versions are
those of the containers in which the flags first appeared, according to the history of Triton's
command line parser.

The administrative APIs, over HTTP and gRPC, are restricted to requests with a header that has the
pod's key ("Limit Endpoint Access" in Triton's customization guide). The key is the UID of the pod:
random, another one for each pod, in no manifest, and known without a Secret. The kubelet replaces
`$(HALIMEDE_ADMIN_KEY)` in the arguments by it.
"""

from halimede.api.base import Manifest
from halimede.api.spec import ModelDeploymentSpec
from halimede.render.config_pbtxt import ModelConfig, complete

CACHE_BYTES = 64 * 1024 * 1024
"""Size of the local response cache."""
CONNECTION_AGE_MILLISECONDS = 300_000
"""After this age gRPC clients are asked to reconnect, so that they find new pods."""
RESPONSE_POOL = 128
"""Responses that one gRPC request may hold in memory."""
ADMIN_KEY: Manifest = {
    "name": "HALIMEDE_ADMIN_KEY",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
}
"""The variable of Triton's container with the key of its administrative APIs."""
ADMIN_KEY_HEADER = "halimede-admin-key"
"""The header that has the key; over gRPC Triton puts `triton-grpc-protocol-` before it."""
ADMIN_APIS = ("logging", "model-repository", "shared-memory", "statistics", "trace")
"""All categories except health, metadata, model-config and inference, which clients need."""


def triton_arguments(spec: ModelDeploymentSpec, config: ModelConfig) -> list[str]:
    """Return the arguments: ours, then those for the configuration, then the user's."""
    return [*_always(spec), *_by_version(spec, config), *spec.runtime.args]


def _always(spec: ModelDeploymentSpec) -> list[str]:
    common = [
        "--model-repository=/models",
        # `poll` would make one bad version take down every pod.
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={spec.drain.exit_timeout_seconds}",
        "--http-port=8000",
        "--grpc-port=8001",
        "--metrics-port=8002",
    ]
    return common if spec.gpu else [*common, "--allow-gpu-metrics=false"]


def _by_version(spec: ModelDeploymentSpec, config: ModelConfig) -> list[str]:
    version = spec.runtime.version or ""  # YY.MM compares as text
    restriction = f"{','.join(ADMIN_APIS)}:{ADMIN_KEY_HEADER}=$({ADMIN_KEY['name']})"
    flags = [
        ("22.07", "--disable-auto-complete-config", complete(config)),
        ("22.07", "--allow-sagemaker=false", True),
        # Its default depends on the environment.
        ("22.07", "--allow-vertex-ai=false", True),
        ("23.03", f"--cache-config=local,size={CACHE_BYTES}", config.response_cache.enable),
        # Both have had the same categories since 23.11.
        *(
            ("23.11", f"{flag}={restriction}", not _is_set(flag, spec.runtime.args))
            for flag in ("--http-restricted-api", "--grpc-restricted-protocol")
        ),
        ("24.01", f"--grpc-max-connection-age={CONNECTION_AGE_MILLISECONDS}", True),
        ("25.03", f"--grpc-max-response-pool-size={RESPONSE_POOL}", True),
        ("26.05", "--allow-client-shm=false", True),
    ]
    return [flag for since, flag, enabled in flags if enabled and version >= since]


def _is_set(flag: str, args: tuple[str, ...]) -> bool:
    """Whether the user's arguments have a flag, possibly abbreviated.

    tritonserver exits if two restrictions name the same category, so the user's replaces ours.
    """
    names = (argument.partition("=")[0] for argument in args)
    return any(len(name) > len("--") and flag.startswith(name) for name in names)
