"""The values of the pod's template, computed here because the template calculates nothing."""

from dataclasses import dataclass
from math import ceil

from halimede.api.base import Manifest
from halimede.api.quantity import Quantity
from halimede.api.runtime import Gpu
from halimede.api.source import Inputs, ModelFiles
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.arguments import ADMIN_KEY, triton_arguments
from halimede.render.config_pbtxt import ModelConfig, python_instances
from halimede.render.files_view import FilesView, files_view
from halimede.render.platform import Platform

STARTUP_PERIOD_SECONDS = 2
"""Models that load fast should serve soon, and a refused connection costs almost nothing."""
KILL_MARGIN_SECONDS = 10
"""Between the end of Triton's own exit timeout and the kubelet's kill."""
_MEBIBYTES_PER_PYTHON_INSTANCE = 80
_LEAST_SHARED_MEBIBYTES = 256
_SHARED_BY_ALL = ("cpu", "memory", "ephemeral-storage")


@dataclass(frozen=True, slots=True)
class PodView:
    """The values of one pod template."""

    labels: Manifest
    spread: Manifest
    """Labels of the pods that should not all share a node."""
    image: str
    args: list[str]
    admin_key: Manifest
    """The variable that the arguments refer to."""
    resources: Manifest
    ready_path: str
    startup_failures: int
    pre_stop_seconds: int
    grace_seconds: int
    shared_memory: str
    service_account: str | None
    """None: `default`, of which Kubernetes sets the name."""
    toleration: str | None
    """Key of the taint of nodes with GPUs; None without GPUs."""
    fetcher_image: str
    fetch_resources: Manifest
    """The server's own without GPUs: requests of init containers and containers do not add up."""
    files: FilesView
    """What depends on where the model's files come from."""
    size_limit: Quantity
    """Of the volume with the model, and of the one for temporary files, which is as large because
    the Python backend unpacks a model's execution environment there."""


def model_name(md: ModelDeployment) -> str:
    """Return the model's name in Triton's URLs."""
    return md.spec.model.name or md.metadata.name


def pod_view(
    md: ModelDeployment,
    platform: Platform,
    config: ModelConfig,
    inputs: Inputs,
    found: ModelFiles | None,
) -> PodView:
    """Compute the values of the pod template.

    Args:
        md: The owner.
        platform: The operator's settings.
        config: Triton's configuration.
        inputs: The ConfigMaps that the spec reads.
        found: What the source was resolved to, if it was. If there is a cache and the files are
            not known to be there, only the fetcher of the template is of use.
    """
    spec = md.spec
    model = model_name(md)
    resources = _resources(spec)
    return PodView(
        labels=_labels(md, platform),
        spread=names.selector(md.metadata.name),
        image=spec.runtime.image
        or f"{platform.triton_repository}:{spec.runtime.version or ''}-py3",
        args=triton_arguments(spec, config),
        admin_key=ADMIN_KEY,
        resources=resources,
        ready_path=f"/v2/models/{model}/ready",
        startup_failures=ceil(spec.probes.startup_timeout_seconds / STARTUP_PERIOD_SECONDS),
        pre_stop_seconds=spec.drain.pre_stop_seconds,
        grace_seconds=spec.drain.pre_stop_seconds
        + spec.drain.exit_timeout_seconds
        + KILL_MARGIN_SECONDS,
        shared_memory=_shared_memory(config),
        service_account=spec.service_account_name,
        toleration=_toleration(spec.gpu),
        fetcher_image=platform.fetch_image,
        fetch_resources={
            kind: {name: amount for name, amount in amounts.items() if name in _SHARED_BY_ALL}
            for kind, amounts in resources.items()
        },
        files=files_view(spec, model, inputs, found),
        size_limit=spec.model.max_size,
    )


def _labels(md: ModelDeployment, platform: Platform) -> Manifest:
    """Return the labels of the pods.

    The label of isolated pods makes another revision, so that a rollout judges whether the model
    serves with a NetworkPolicy.
    """
    isolated = {names.ISOLATED_LABEL: "true"} if platform.network is not None else {}
    return names.labels(md.metadata.name) | isolated


def _resources(spec: ModelDeploymentSpec) -> Manifest:
    limits = dict(spec.resources.limits)
    if spec.gpu is not None:
        limits[spec.gpu.resource_name] = spec.gpu.count
    both = {"limits": limits, "requests": dict(spec.resources.requests)}
    return {kind: amounts for kind, amounts in both.items() if amounts}


def _shared_memory(config: ModelConfig) -> str:
    # Each instance of the Python backend opens segments of 64 MiB in /dev/shm, and grows them.
    needed = python_instances(config) * _MEBIBYTES_PER_PYTHON_INSTANCE
    return f"{max(needed, _LEAST_SHARED_MEBIBYTES)}Mi"


def _toleration(gpu: Gpu | None) -> str | None:
    if gpu is None:
        return None
    # Nodes with slices of NVIDIA's GPUs (nvidia.com/mig-…) have the taint of whole ones.
    vendor = gpu.resource_name.partition("/")[0]
    return "nvidia.com/gpu" if vendor == "nvidia.com" else gpu.resource_name
