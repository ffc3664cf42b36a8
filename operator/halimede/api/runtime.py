"""How the pods run: Triton's version, replicas, resources, startup and shutdown."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.quantity import Quantity
from halimede.api.rules import rule, rules

RESERVED_ARGUMENTS = (
    "--model-repository",
    "--model-store",
    "--model-control-mode",
    "--http-port",
    "--grpc-port",
    "--metrics-port",
    "--exit-timeout-secs",
)
"""The arguments of tritonserver that Halimede sets; `--model-store` is another name of the first.

tritonserver parses its arguments with glibc's getopt_long, which accepts every beginning of a name
that no other name has, so all beginnings are reserved too. No argument of tritonserver is the
beginning of another one's name.
"""

VERSION_REQUIRED = (
    "the version is required, also with an image, because Triton's arguments depend on it, among"
    " them those that restrict its administrative APIs"
)
"""Why a runtime without a version is rejected."""
VERSION_CURE = "set version to Triton's container version, such as 26.09"
"""What to do about it."""
OLDEST_SAFE_VERSION = "25.08"
"""The oldest version of Triton that is accepted by default. Older ones have known vulnerabilities
by which clients can run code: CVE-2025-23319, CVE-2025-23320 and CVE-2025-23334, which were fixed
in 25.07, and others that were fixed in 25.08 (NVIDIA's security bulletins of August and September
2025)."""
VULNERABLE = f"versions of Triton before {OLDEST_SAFE_VERSION} have known vulnerabilities"
"""Why a version is rejected."""
VULNERABLE_CURE = (
    f"set version to {OLDEST_SAFE_VERSION} or newer, or accept them by setting"
    " allowVulnerableVersion to true"
)
"""What to do about it."""


class Runtime(ApiModel):
    """The Triton that serves the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.version)",
                f"{VERSION_REQUIRED}: {VERSION_CURE}",
                ".version",
            ),
            rule(
                f"!has(self.version) || self.version >= '{OLDEST_SAFE_VERSION}'"
                " || (has(self.allowVulnerableVersion) && self.allowVulnerableVersion)",
                f"{VULNERABLE}: {VULNERABLE_CURE}",
                ".version",
            ),
            rule(
                "!has(self.image)"
                " || self.image.matches('^[^@ ]*[^/:@ ](:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
                "@sha256:[0-9a-f]{64}$')"
                " || self.image.matches('^[^@ ]*[^/:@ ]:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$')",
                "image needs a tag or a digest, so that all pods run the same image: set it"
                " to repository:tag or repository@sha256:…",
                ".image",
            ),
            rule(
                "!has(self.image) || !self.image.endsWith(':latest')",
                "image must not have the tag latest, because its content can change without a"
                " new revision: set the tag of a version",
                ".image",
            ),
            rule(
                "!has(self.args) || !self.args.exists(a, a.matches('^--[a-z]')"
                f" && {list(RESERVED_ARGUMENTS)}.exists(name, name.startsWith(a.split('=')[0])))",
                "args must not set the repository, the ports, the control mode or the exit"
                " timeout, not even abbreviated, because Halimede sets them: remove these"
                " arguments (for the timeout see spec.drain.exitTimeoutSeconds)",
                ".args",
            ),
        )
    )

    version: Annotated[str | None, Field(pattern=r"^[0-9]{2}\.[0-9]{2}$", max_length=5)] = None
    """Triton's container version, `YY.MM`. It determines Triton's arguments. Required, also with
    `image`."""
    allow_vulnerable_version: bool = False
    """Accept a version of Triton with known vulnerabilities, one before 25.08. It changes no pod.
    The condition `Vulnerable` and an Event report that it is used."""
    image: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    """A whole image reference instead of Triton's repository and `version`, which states the
    version of Triton in the image."""
    args: Annotated[tuple[Annotated[str, Field(max_length=4096)], ...], Field(max_length=64)] = ()
    """Further arguments of tritonserver."""

    @property
    def is_vulnerable(self) -> bool:
        """Whether the version has known vulnerabilities. `YY.MM` compares as text."""
        return self.version is not None and self.version < OLDEST_SAFE_VERSION


class Autoscaling(ApiModel):
    """Let a HorizontalPodAutoscaler choose the number of replicas."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.maxReplicas >= self.minReplicas",
                "maxReplicas must not be less than minReplicas: raise maxReplicas or"
                " lower minReplicas",
                ".maxReplicas",
            )
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many pods at least."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """How many pods at most."""
    metrics: Annotated[tuple[dict[str, Any], ...], Field(max_length=16)] = ()
    """What to scale by, as in a HorizontalPodAutoscaler (autoscaling/v2); absent: 80 % CPU.
    At most 64 KiB as JSON and 40 levels."""
    behavior: dict[str, Any] | None = None
    """How fast to scale, as in a HorizontalPodAutoscaler (autoscaling/v2). At most 64 KiB as JSON
    and 40 levels."""


class Gpu(ApiModel):
    """GPUs of each replica."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    """How many."""
    resource_name: Annotated[
        str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?/[A-Za-z0-9._-]+$", max_length=253)
    ] = "nvidia.com/gpu"
    """Their resource name on nodes."""


class Resources(ApiModel):
    """CPU and memory of each replica, as in a container."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                rule(
                    f"!has(self.{kind}) || self.{kind}.all(name,"
                    f" type(self.{kind}[name]) == int || isQuantity(self.{kind}[name]))",
                    f"{kind} must be quantities: write values such as 500m, 2 or 2Gi",
                    f".{kind}",
                )
                for kind in ("limits", "requests")
            ),
            rule(
                "!has(self.limits) || !self.limits.exists(name, name.startsWith('nvidia.com/'))",
                "limits must not contain GPUs: set spec.gpu instead, which also adds the"
                " tolerations that GPU nodes require",
                ".limits",
            ),
        )
    )

    limits: Annotated[
        dict[str, Annotated[Quantity, Field(json_schema_extra={"maxLength": 32})]],
        Field(max_length=32),
    ] = {}
    """The maximum of a replica."""
    requests: Annotated[
        dict[str, Annotated[Quantity, Field(json_schema_extra={"maxLength": 32})]],
        Field(max_length=32),
    ] = {}
    """What is reserved for a replica."""


class Probes(ApiModel):
    """Time limits of the probes."""

    startup_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    """How long loading the model may take before the container is restarted."""


class Drain(ApiModel):
    """How a pod terminates without losing a request."""

    pre_stop_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """How long proxies may take to observe that the pod is terminating."""
    exit_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long running requests may take after that."""
