"""The arguments of tritonserver, by its version.

The server prints its usage text and exits if its version does not know a flag. The versions are
those of the containers in which the flags first appeared, according to the history of Triton's
command line parser.
"""

from halimede.api.spec import ModelDeploymentSpec
from halimede.render.config_pbtxt import ModelConfig, complete

CACHE_BYTES = 64 * 1024 * 1024
"""Size of the local response cache."""
CONNECTION_AGE_MILLISECONDS = 300_000
"""After this age gRPC clients are asked to reconnect, so that they find new pods."""
RESPONSE_POOL = 128
"""Responses that one gRPC request may hold in memory."""


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
    # YY.MM compares as text. An image of unknown version gets no flag that it might not know.
    version = spec.runtime.version or "00.00"
    flags = [
        ("22.07", "--disable-auto-complete-config", complete(config)),
        ("22.07", "--allow-sagemaker=false", True),
        # Its default depends on the environment.
        ("22.07", "--allow-vertex-ai=false", True),
        ("23.03", f"--cache-config=local,size={CACHE_BYTES}", config.response_cache.enable),
        ("24.01", f"--grpc-max-connection-age={CONNECTION_AGE_MILLISECONDS}", True),
        ("25.03", f"--grpc-max-response-pool-size={RESPONSE_POOL}", True),
        ("26.05", "--allow-client-shm=false", True),
    ]
    return [flag for since, flag, enabled in flags if enabled and version >= since]
