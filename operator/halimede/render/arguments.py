"""The arguments of tritonserver, chosen by what its version knows.

A flag that a version does not know ends the server with its usage text. The versions are those of
the containers in which the flags appeared first, by the history of Triton's command line parser.
"""

from halimede.api.spec import ModelDeploymentSpec
from halimede.render.config_pbtxt import ModelConfig, complete

CACHE_BYTES = 64 * 1024 * 1024
"""Size of the local response cache."""
CONNECTION_AGE_MILLISECONDS = 300_000
"""After this age gRPC clients are asked to connect anew, so that they find new pods."""
RESPONSE_POOL = 128
"""Responses that one gRPC request may hold in memory."""


def triton_arguments(wanted: ModelDeploymentSpec, config: ModelConfig) -> list[str]:
    """List the arguments: ours, then what the configuration asks for, then the user's."""
    return [*_always(wanted), *_by_version(wanted, config), *wanted.runtime.args]


def _always(wanted: ModelDeploymentSpec) -> list[str]:
    common = [
        "--model-repository=/models",
        # `poll` would make one bad version take down every pod.
        "--model-control-mode=none",
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={wanted.drain.exit_timeout_seconds}",
        "--http-port=8000",
        "--grpc-port=8001",
        "--metrics-port=8002",
    ]
    return common if wanted.gpu else [*common, "--allow-gpu-metrics=false"]


def _by_version(wanted: ModelDeploymentSpec, config: ModelConfig) -> list[str]:
    # YY.MM compares as text. An image of unknown version gets no flag that it might not know.
    version = wanted.runtime.version or "00.00"
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
    return [flag for since, flag, asked in flags if asked and version >= since]
