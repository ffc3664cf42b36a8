"""What the schema cannot say: everything that must hold before a revision can be rendered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from typing_extensions import override

from halimede.api.analysis import QueryPair
from halimede.api.query import UnusableQueryError, validate
from halimede.api.rollout import CapacityMode, Stage
from halimede.api.source import Inputs, Scheme, parse_source
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.config_pbtxt import (
    InvalidConfigError,
    ModelConfig,
    ModelInstanceGroup,
    model_config,
)
from halimede.render.field_types import mistyped
from halimede.render.view import files, model_name
from halimede.validation.pod_template import find_patch_violations

MAX_BYTES = 900_000
"""Of a model in a ConfigMap: its revision's copy must fit into etcd's 1 MiB with the record."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something in the spec that cannot be carried out."""

    path: str
    """The field to blame, from `spec` on."""
    message: str
    """What is wrong."""
    cure: str
    """What to do."""

    @override
    def __str__(self) -> str:
        """Write it as one sentence for a condition.

        >>> str(Violation("spec.model.storageUri", "there is no ConfigMap 'm'", "create it"))
        "spec.model.storageUri: there is no ConfigMap 'm'; create it"
        """
        return f"{self.path}: {self.message}; {self.cure}"


def find_violations(md: ModelDeployment, inputs: Inputs) -> tuple[Violation, ...]:
    """Find everything that keeps the spec from being rendered; empty: nothing does."""
    found = (
        _source(md, inputs),
        _config(md),
        _rollout(md),
        _pod_template(md),
        _autoscaling(md),
        _queries(md),
    )
    return tuple(one for each in found for one in each)


def _source(md: ModelDeployment, inputs: Inputs) -> Iterator[Violation]:
    path = "spec.model.storageUri"
    try:
        place = parse_source(md.spec.model.storage_uri)
    except ValueError as error:
        yield Violation(path, str(error), "choose one of them")
        return
    if place.scheme is not Scheme.CONFIG_MAP:
        return
    config_map = inputs.get(place.location)
    where = f"the ConfigMap {place.location!r} in namespace {md.metadata.namespace!r}"
    if config_map is None:
        yield Violation(
            path, f"{where} does not exist", "create it, or correct the name in the URI"
        )
    elif not files(config_map):
        yield Violation(path, f"{where} is empty", "put the model's files into it")
    elif (size := _size(config_map)) > MAX_BYTES:
        yield Violation(
            path,
            f"{where} holds {size} bytes, more than the {MAX_BYTES} that a revision can copy",
            "put the model on a volume (pvc://) or on a server (https://)",
        )


def _size(config_map: dict[str, dict[str, str]]) -> int:
    kinds = (config_map.get("data") or {}, config_map.get("binaryData") or {})
    return sum(len(content.encode()) for held in kinds for content in held.values())


def _config(md: ModelDeployment) -> Iterator[Violation]:
    path = "spec.model.configPbtxt"
    try:
        config = model_config(model_name(md), md.spec)
    except InvalidConfigError as error:
        line = f" (line {error.line})" if error.line else ""
        yield Violation(path + line, str(error), error.cure)
        return
    if md.spec.model.config_pbtxt is not None:
        for check in _CONFIG_CHECKS:
            if wrong := check(config, md):
                yield Violation(path, *wrong)


_Wrong = tuple[str, str] | None
"""What is wrong and what to do; None: nothing is."""


def _names_no_backend(config: ModelConfig, _: ModelDeployment) -> _Wrong:
    if config.backend or config.platform:
        return None
    return "it names neither backend nor platform", 'add a line such as `backend: "onnxruntime"`'


def _is_an_ensemble(config: ModelConfig, _: ModelDeployment) -> _Wrong:
    if config.platform != "ensemble":
        return None
    return (
        "an ensemble needs further models, but a ModelDeployment serves one",
        "serve its models one by one, or join them in one model of the Python backend",
    )


def _leaves_the_backends(config: ModelConfig, _: ModelDeployment) -> _Wrong:
    if not any("/" in name or ".." in name for name in (config.backend, config.runtime)):
        return None
    return "backend and runtime must be plain names", "remove the path"


def _batches_badly(config: ModelConfig, _: ModelDeployment) -> _Wrong:
    if config.max_batch_size < 0:
        return "max_batch_size is negative", "set it to 0 for a model without batches"
    if not config.HasField("dynamic_batching"):
        return None
    if config.max_batch_size == 0:
        return "dynamic_batching needs batches", "set max_batch_size to at least 1"
    sizes = config.dynamic_batching.preferred_batch_size
    if any(not 0 < size <= config.max_batch_size for size in sizes):
        return (
            f"dynamic_batching.preferred_batch_size must lie from 1 to {config.max_batch_size}",
            "lower it, or raise max_batch_size",
        )
    return None


def _wants_gpus(config: ModelConfig, md: ModelDeployment) -> _Wrong:
    if md.spec.gpu is not None:
        return None
    if all(group.kind != ModelInstanceGroup.KIND_GPU for group in config.instance_group):
        return None
    return "an instance_group has kind KIND_GPU, but no GPU is asked for", "set spec.gpu"


def _counts_gpus_of_the_node(config: ModelConfig, md: ModelDeployment) -> _Wrong:
    count = md.spec.gpu.count if md.spec.gpu else 0
    if all(gpu < count for group in config.instance_group for gpu in group.gpus):
        return None
    return (
        f"an instance_group names GPUs that the pod has not: it has {count}, counted from 0",
        "name GPUs by their number within the pod",
    )


def _caches_without_flag(config: ModelConfig, md: ModelDeployment) -> _Wrong:
    if not config.response_cache.enable or md.spec.runtime.version is not None:
        return None
    return (
        "response_cache needs an argument that came with Triton 23.03",
        "set spec.runtime.version to the version of your image",
    )


_CONFIG_CHECKS: tuple[Callable[[ModelConfig, ModelDeployment], _Wrong], ...] = (
    _names_no_backend,
    _is_an_ensemble,
    _leaves_the_backends,
    _batches_badly,
    _wants_gpus,
    _counts_gpus_of_the_node,
    _caches_without_flag,
)


def _rollout(md: ModelDeployment) -> Iterator[Violation]:
    path, rollout, gateway = "spec.rollout", md.spec.rollout, md.spec.expose.gateway
    stages: dict[str, Stage | None] = {
        "canary.mirror": rollout.canary.mirror,
        "blueGreen.previewAnalysis": rollout.blue_green.preview_analysis,
    }
    for name, stage in stages.items():
        if stage and stage.max_seconds < stage.min_seconds:
            told = "maxSeconds is less than minSeconds"
            yield Violation(f"{path}.{name}.maxSeconds", told, "raise it or lower minSeconds")
    if rollout.canary.mirror and rollout.capacity_mode is CapacityMode.REPLACE:
        told = "there are no pods for copies of requests where pods are replaced one by one"
        yield Violation(f"{path}.canary.mirror", told, "remove it, or set capacityMode to Extra")
    both = set(rollout.blue_green.preview_hostnames) & set(gateway.hostnames if gateway else ())
    if both:
        told = f"{', '.join(sorted(both))} leads users to the model"
        yield Violation(f"{path}.blueGreen.previewHostnames", told, "choose another hostname")


def _pod_template(md: ModelDeployment) -> Iterator[Violation]:
    for path, message, cure in find_patch_violations(md.spec.pod_template or {}):
        yield Violation(path, message, cure)


def _autoscaling(md: ModelDeployment) -> Iterator[Violation]:
    """Find values that no HorizontalPodAutoscaler can hold."""
    scaling, path = md.spec.autoscaling, "spec.autoscaling"
    if scaling is None:
        return
    found = (
        mistyped(list(scaling.metrics), "List[V2MetricSpec]", f"{path}.metrics"),
        mistyped(scaling.behavior or {}, "V2HorizontalPodAutoscalerBehavior", f"{path}.behavior"),
    )
    for each in found:
        for wrong in each:
            yield Violation(*wrong)


def _queries(md: ModelDeployment) -> Iterator[Violation]:
    """Find custom queries that cannot be asked; what only Prometheus knows is not seen here."""
    analysis = md.spec.rollout.analysis
    found: list[tuple[str, QueryPair]] = [
        (f"metrics[{one.name}]", one) for one in analysis.metrics
    ]
    if analysis.router is not None:
        found.append(("router", analysis.router))
    for where, queries in found:
        for field, template in (("requests", queries.requests), ("errors", queries.errors)):
            try:
                validate(template)
            except UnusableQueryError as error:
                path = f"spec.rollout.analysis.{where}.{field}"
                yield Violation(path, str(error), error.cure)
