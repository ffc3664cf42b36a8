"""What the schema cannot express: all preconditions for rendering a revision."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from typing_extensions import override

from halimede.api.analysis import QueryPair
from halimede.api.free_form import FREE_FORM, MAX_BYTES, MAX_DEPTH, is_deeper, size_of
from halimede.api.query import UnusableQueryError
from halimede.api.rollout import CapacityMode, Stage
from halimede.api.runtime import (
    VERSION_CURE,
    VERSION_REQUIRED,
    VULNERABLE,
    VULNERABLE_CURE,
)
from halimede.api.source import Inputs, Scheme, parse_source
from halimede.api.v1alpha1 import ModelDeployment
from halimede.judge.custom_queries import QuerySubject, render_query
from halimede.judge.query_limits import CURE_FOR_DISABLED, DISABLED, limit_custom
from halimede.judge.query_policy import NAMESPACED_ONLY, CustomQueryScope, QueryPolicy
from halimede.render.config_pbtxt import (
    InvalidConfigError,
    ModelConfig,
    ModelInstanceGroup,
    model_config,
)
from halimede.render.field_types import mistyped
from halimede.render.files_view import file_names
from halimede.render.spec_policy import DEFAULT_POLICY, SpecPolicy
from halimede.render.view import model_name
from halimede.validation.allowed_names import find_disallowed_names
from halimede.validation.model_files import find_file_violations
from halimede.validation.pod_template import find_patch_violations
from halimede.validation.restricted_template import find_policy_violations

ANY_REVISION = "00000000"
"""Stands for the revision in a query that is checked: every revision is eight hex digits."""
MAX_SOURCE_BYTES = 900_000
"""Of a model in a ConfigMap: its revision's copy and record must fit into etcd's 1 MiB."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An error in the spec."""

    path: str
    """The path of the field, from `spec` on."""
    message: str
    """What is wrong."""
    cure: str
    """What to do."""

    @override
    def __str__(self) -> str:
        """Return it as one sentence for a condition.

        >>> str(Violation("spec.model.storageUri", "there is no ConfigMap 'm'", "create it"))
        "spec.model.storageUri: there is no ConfigMap 'm'; create it"
        """
        return f"{self.path}: {self.message}; {self.cure}"


def find_violations(
    md: ModelDeployment,
    inputs: Inputs,
    policy: QueryPolicy = NAMESPACED_ONLY,
    *,
    sha256_required: bool = False,
    specs: SpecPolicy = DEFAULT_POLICY,
) -> tuple[Violation, ...]:
    """Return everything that prevents the spec from being rendered; empty: it can be.

    Args:
        md: The ModelDeployment.
        inputs: The ConfigMaps that it reads.
        policy: The administrator's settings for queries.
        sha256_required: Whether every model must have a digest (`Platform.sha256_required`).
        specs: What the administrator allows in specs (`Platform.specs`).
    """
    unbounded = tuple(_free_form(md))
    if unbounded:  # the other checks need not cope with any size and depth
        return unbounded
    checks = (
        _source(md, inputs),
        _model_files(md, sha256_required=sha256_required),
        _config(md),
        _runtime(md),
        _rollout(md),
        _pod_template(md, specs),
        _autoscaling(md),
        _queries(md, policy),
        _names(md, specs),
    )
    return tuple(violation for violations in checks for violation in violations)


def _free_form(md: ModelDeployment) -> Iterator[Violation]:
    """Yield the free-form fields that are too large or nested too deeply."""
    scaling = md.spec.autoscaling
    values = (md.spec.pod_template, scaling and scaling.metrics, scaling and scaling.behavior)
    for path, value in zip(FREE_FORM, values, strict=True):
        where = ".".join(("spec", *path))
        if is_deeper(value, MAX_DEPTH):
            message = f"has more than {MAX_DEPTH} levels, but Kubernetes has no such field"
            yield Violation(where, message, "remove what is nested so deeply")
        elif value and (size := size_of(value)) > MAX_BYTES:
            message = f"has {size} bytes as JSON, but at most {MAX_BYTES} are allowed"
            yield Violation(where, message, "move large values to a ConfigMap and refer to it")


def _source(md: ModelDeployment, inputs: Inputs) -> Iterator[Violation]:
    path = "spec.model.storageUri"
    try:
        source = parse_source(md.spec.model.storage_uri)
    except ValueError as error:
        yield Violation(path, str(error), "choose one of them")
        return
    if source.scheme is not Scheme.CONFIG_MAP:
        return
    config_map = inputs.get(source.location)
    where = f"the ConfigMap {source.location!r} in namespace {md.metadata.namespace!r}"
    if config_map is None:
        yield Violation(
            path, f"{where} does not exist", "create it, or correct the name in the URI"
        )
    elif not file_names(config_map):
        yield Violation(path, f"{where} is empty", "put the model's files into it")
    elif (size := _size(config_map)) > MAX_SOURCE_BYTES:
        yield Violation(
            path,
            f"{where} contains {size} bytes, more than the {MAX_SOURCE_BYTES} that a revision can"
            " copy",
            "put the model on a volume (pvc://), on a server (https://), into an object store"
            " (s3:// or gs://) or on a hub (hf://)",
        )


def _size(config_map: dict[str, dict[str, str]]) -> int:
    kinds = (config_map.get("data") or {}, config_map.get("binaryData") or {})
    return sum(len(content.encode()) for files in kinds for content in files.values())


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
            if fault := check(config, md):
                yield Violation(path, *fault)


def _model_files(md: ModelDeployment, *, sha256_required: bool) -> Iterator[Violation]:
    for path, message, cure in find_file_violations(md, sha256_required=sha256_required):
        yield Violation(path, message, cure)


_Fault = tuple[str, str] | None
"""What is wrong and what to do; None: nothing is wrong."""


def _check_backend(config: ModelConfig, _: ModelDeployment) -> _Fault:
    if config.backend or config.platform:
        return None
    return "must set backend or platform", 'add a line such as `backend: "onnxruntime"`'


def _check_no_ensemble(config: ModelConfig, _: ModelDeployment) -> _Fault:
    if config.platform != "ensemble":
        return None
    return (
        "an ensemble needs other models, but a ModelDeployment serves only one",
        "serve its models separately, or combine them in one model of the Python backend",
    )


def _check_names(config: ModelConfig, _: ModelDeployment) -> _Fault:
    if not any("/" in name or ".." in name for name in (config.backend, config.runtime)):
        return None
    return "backend and runtime must be names without a path", "remove the path"


def _check_batching(config: ModelConfig, _: ModelDeployment) -> _Fault:
    if config.max_batch_size < 0:
        return "max_batch_size is negative", "set it to 0 for a model without a batch dimension"
    if not config.HasField("dynamic_batching"):
        return None
    if config.max_batch_size == 0:
        return "dynamic_batching requires batches", "set max_batch_size to at least 1"
    sizes = config.dynamic_batching.preferred_batch_size
    if any(not 0 < size <= config.max_batch_size for size in sizes):
        return (
            f"dynamic_batching.preferred_batch_size must be from 1 to {config.max_batch_size}",
            "lower it, or raise max_batch_size",
        )
    return None


def _check_gpu_requested(config: ModelConfig, md: ModelDeployment) -> _Fault:
    if md.spec.gpu is not None:
        return None
    if all(group.kind != ModelInstanceGroup.KIND_GPU for group in config.instance_group):
        return None
    return "an instance_group has kind KIND_GPU, but the pod requests no GPU", "set spec.gpu"


def _check_gpu_numbers(config: ModelConfig, md: ModelDeployment) -> _Fault:
    count = md.spec.gpu.count if md.spec.gpu else 0
    if all(gpu < count for group in config.instance_group for gpu in group.gpus):
        return None
    return (
        f"an instance_group refers to GPUs that the pod, which has {count}, does not have",
        "number the GPUs within the pod from 0",
    )


_CONFIG_CHECKS: tuple[Callable[[ModelConfig, ModelDeployment], _Fault], ...] = (
    _check_backend,
    _check_no_ensemble,
    _check_names,
    _check_batching,
    _check_gpu_requested,
    _check_gpu_numbers,
)


def _runtime(md: ModelDeployment) -> Iterator[Violation]:
    """Yield what the API server rejects as well, but objects of an older schema may contain."""
    runtime, path = md.spec.runtime, "spec.runtime.version"
    if runtime.version is None:
        yield Violation(path, VERSION_REQUIRED, VERSION_CURE)
    elif runtime.is_vulnerable and not runtime.allow_vulnerable_version:
        yield Violation(path, VULNERABLE, VULNERABLE_CURE)


def _rollout(md: ModelDeployment) -> Iterator[Violation]:
    path, rollout, gateway = "spec.rollout", md.spec.rollout, md.spec.expose.gateway
    stages: dict[str, Stage | None] = {
        "canary.mirror": rollout.canary.mirror,
        "blueGreen.previewAnalysis": rollout.blue_green.preview_analysis,
    }
    for name, stage in stages.items():
        if stage and stage.max_seconds < stage.min_seconds:
            message = "maxSeconds must not be less than minSeconds"
            yield Violation(
                f"{path}.{name}.maxSeconds", message, "raise maxSeconds or lower minSeconds"
            )
    if rollout.canary.mirror and rollout.capacity_mode is CapacityMode.REPLACE:
        message = "mirrored requests need extra pods, but capacityMode Replace adds none"
        yield Violation(
            f"{path}.canary.mirror", message, "remove it, or set capacityMode to Extra"
        )
    both = set(rollout.blue_green.preview_hostnames) & set(gateway.hostnames if gateway else ())
    if both:
        message = f"{', '.join(sorted(both))} is also a hostname of the model itself"
        yield Violation(f"{path}.blueGreen.previewHostnames", message, "choose another hostname")


def _pod_template(md: ModelDeployment, specs: SpecPolicy) -> Iterator[Violation]:
    patch = md.spec.pod_template or {}
    invalid = tuple(find_patch_violations(patch))
    for violation in invalid or find_policy_violations(patch, specs.pod_template):
        yield Violation(*violation)


def _names(md: ModelDeployment, specs: SpecPolicy) -> Iterator[Violation]:
    for violation in find_disallowed_names(md, specs):
        yield Violation(*violation)


def _autoscaling(md: ModelDeployment) -> Iterator[Violation]:
    """Yield values that are invalid in a HorizontalPodAutoscaler."""
    scaling, path = md.spec.autoscaling, "spec.autoscaling"
    if scaling is None:
        return
    checks = (
        mistyped(list(scaling.metrics), "List[V2MetricSpec]", f"{path}.metrics"),
        mistyped(scaling.behavior or {}, "V2HorizontalPodAutoscalerBehavior", f"{path}.behavior"),
    )
    for check in checks:
        for violation in check:
            yield Violation(*violation)


def _queries(md: ModelDeployment, policy: QueryPolicy) -> Iterator[Violation]:
    """Yield invalid custom queries; what only Prometheus can check is not checked here."""
    analysis = md.spec.rollout.analysis
    pairs: list[tuple[str, QueryPair]] = [
        (f"metrics[{metric.name}]", metric) for metric in analysis.metrics
    ]
    if analysis.router is not None:
        pairs.append(("router", analysis.router))
    subject = QuerySubject(md.metadata.namespace, md.metadata.name, model_name(md))
    for where, queries in pairs:
        if policy.custom is CustomQueryScope.OFF:
            yield Violation(f"spec.rollout.analysis.{where}", DISABLED, CURE_FOR_DISABLED)
            continue
        for field, template in (("requests", queries.requests), ("errors", queries.errors)):
            try:
                query = render_query(template, subject, ANY_REVISION, queries.window_seconds)
                limit_custom(query, md.metadata.namespace, policy)
            except UnusableQueryError as error:
                path = f"spec.rollout.analysis.{where}.{field}"
                yield Violation(path, str(error), error.cure)
