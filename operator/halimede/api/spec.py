"""`spec`: which model to serve, with what, and how it is reached."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from halimede.api.base import ApiModel
from halimede.api.rollout import Rollout

Quantity = int | str


class DynamicBatching(ApiModel):
    """Triton joins single requests into batches."""

    max_queue_delay_microseconds: Annotated[int, Field(ge=0, le=60_000_000)] = 0
    """How long the first request of a batch waits for others."""
    preferred_batch_sizes: Annotated[tuple[int, ...], Field(max_length=16)] = ()
    max_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Requests that may wait; more are refused with 503 instead of queueing without end."""


class Tensor(ApiModel):
    """An input or output of the model."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    data_type: Annotated[str, Field(pattern=r"^TYPE_[A-Z0-9]+$")]
    dims: Annotated[tuple[int, ...], Field(min_length=1, max_length=16)]
    """Sizes without the batch dimension; -1 is any size."""


class ModelConfig(ApiModel):
    """The Triton model configuration by fields; `configPbtxt` takes the whole of it as text."""

    backend: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$")]
    max_batch_size: Annotated[int, Field(ge=0, le=65536)] = 0
    """Largest batch; 0 means that the model takes no batch dimension."""
    inputs: Annotated[tuple[Tensor, ...], Field(max_length=64)] = ()
    outputs: Annotated[tuple[Tensor, ...], Field(max_length=64)] = ()
    dynamic_batching: DynamicBatching | None = None
    response_cache: bool = False
    """Answer equal requests from Triton's local response cache."""
    instances: Annotated[int, Field(ge=1, le=128)] = 1
    """Execution instances in one pod."""
    parameters: Annotated[dict[str, str], Field(max_length=64)] = {}


class Model(ApiModel):
    """The model to serve."""

    name: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]{1,63}$")] = None
    """The name in Triton's URLs; the resource's own name where absent."""
    storage_uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Where the files are: `configMap://NAME`, `pvc://CLAIM/PATH` or `https://…`."""
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    """Digest of the files, verified before anything is served."""
    secret_name: Annotated[str | None, Field(max_length=253)] = None
    """Secret with the credentials of an `https://` source (`token`, or `username`, `password`)."""
    config: ModelConfig | None = None
    config_pbtxt: Annotated[str | None, Field(max_length=65536)] = None


class Runtime(ApiModel):
    """The Triton that serves it."""

    version: Annotated[str | None, Field(pattern=r"^[0-9]{2}\.[0-9]{2}$")] = None
    """Triton's container version, `YY.MM`. Flags are chosen by it."""
    image: Annotated[str | None, Field(max_length=1024)] = None
    """A whole image reference instead; then `version` only says which flags it knows."""
    args: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Further arguments of tritonserver."""


class Autoscaling(ApiModel):
    """Let a HorizontalPodAutoscaler choose the number of replicas."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    metrics: Annotated[tuple[dict[str, Any], ...], Field(max_length=16)] = ()
    """`autoscaling/v2` MetricSpecs; 80 % CPU where absent."""
    behavior: dict[str, Any] | None = None
    """`autoscaling/v2` behavior."""


class Gpu(ApiModel):
    """GPUs of each replica."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    resource_name: Annotated[str, Field(max_length=253)] = "nvidia.com/gpu"


class Resources(ApiModel):
    """CPU and memory of each replica, as in a container."""

    limits: Annotated[dict[str, Quantity], Field(max_length=32)] = {}
    requests: Annotated[dict[str, Quantity], Field(max_length=32)] = {}


class ExposeType(StrEnum):
    """What routes requests to the model."""

    GATEWAY = "Gateway"
    INGRESS = "Ingress"
    SERVICE = "Service"


class ParentRef(ApiModel):
    """A Gateway that the HTTPRoute attaches to."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    namespace: Annotated[str | None, Field(max_length=63)] = None
    section_name: Annotated[str | None, Field(max_length=253)] = None


class GatewayExposure(ApiModel):
    """Gateway API: one HTTPRoute that serves HTTP and gRPC."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)]
    hostnames: Annotated[tuple[str, ...], Field(max_length=16)] = ()


class IngressExposure(ApiModel):
    """An Ingress, with ingress-nginx's canary annotations during a rollout."""

    class_name: Annotated[str | None, Field(max_length=253)] = None
    host: Annotated[str, Field(min_length=1, max_length=253)]
    tls_secret_name: Annotated[str | None, Field(max_length=253)] = None
    annotations: Annotated[dict[str, str], Field(max_length=64)] = {}


class Expose(ApiModel):
    """How clients reach the model."""

    type: ExposeType
    gateway: GatewayExposure | None = None
    ingress: IngressExposure | None = None


class Probes(ApiModel):
    """How long things may take."""

    startup_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 600
    """How long fetching by Triton and loading may take before the container is restarted."""


class Drain(ApiModel):
    """How a pod leaves without losing a request."""

    pre_stop_seconds: Annotated[int, Field(ge=0, le=600)] = 15
    """How long proxies may take to see that the pod is leaving."""
    exit_timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long running requests may take after that."""


class ModelDeploymentSpec(ApiModel):
    """Which model to serve and how careful to be."""

    model: Model
    runtime: Runtime = Runtime(version="26.09")
    replicas: Annotated[int | None, Field(ge=0, le=1000)] = None
    """How many pods; 1 where neither this nor `autoscaling` is given."""
    autoscaling: Autoscaling | None = None
    resources: Resources = Resources()
    gpu: Gpu | None = None
    expose: Expose
    probes: Probes = Probes()
    drain: Drain = Drain()
    rollout: Rollout = Rollout()
    pod_template: dict[str, Any] | None = None
    """Strategic merge patch over the rendered pod template."""
