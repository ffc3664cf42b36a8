"""The values of the pod's template, computed here because the template calculates nothing."""

from dataclasses import dataclass
from math import ceil

from halimede.api.base import Manifest
from halimede.api.quantity import Quantity, parse_quantity
from halimede.api.runtime import Gpu
from halimede.api.source import Inputs, ModelFiles, Scheme, Source, at_commit, parse_source
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.supply import Supply
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render import names
from halimede.render.arguments import ADMIN_KEY, triton_arguments
from halimede.render.config_pbtxt import ModelConfig, python_instances
from halimede.render.platform import Platform

STARTUP_PERIOD_SECONDS = 2
"""Models that load fast should serve soon, and a refused connection costs almost nothing."""
KILL_MARGIN_SECONDS = 10
"""Between the end of Triton's own exit timeout and the kubelet's kill."""
CREDENTIALS_FOLDER = "/var/run/secrets/halimede.dev/model"
"""Where the fetcher finds the keys of `model.secretName` as files."""
CREDENTIALS, ENDPOINT = "--credentials", "--endpoint="
"""Arguments of the fetcher."""
HUB = "https://huggingface.co"
"""The hub of `hf://` sources without `supply.endpoint`."""
COPIED = "source."
"""Prefix of each file of a `configMap://` source in the revision's own ConfigMap."""
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
    fetch_args: list[str]
    fetch_resources: Manifest
    """The server's own without GPUs: requests of init containers and containers do not add up."""
    credentials: str | None
    """Name of the Secret; None: no volume."""
    credentials_folder: str
    source_volume: Manifest | None
    """The volume at /source; None for sources that are fetched over the network."""
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
    """Compute the values of the pod template; *found* is what the source was resolved to."""
    spec = md.spec
    model = model_name(md)
    source = parse_source(spec.model.storage_uri)
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
        fetch_args=_fetch_args(spec, model, source, found),
        fetch_resources={
            kind: {name: amount for name, amount in amounts.items() if name in _SHARED_BY_ALL}
            for kind, amounts in resources.items()
        },
        credentials=spec.model.secret_name,
        credentials_folder=CREDENTIALS_FOLDER,
        source_volume=_source_volume(source, inputs),
        size_limit=spec.model.max_size,
    )


def files(config_map: Manifest | None) -> tuple[str, ...]:
    """Return the names of a ConfigMap's files, text and binary."""
    content = config_map or {}
    return tuple(sorted({**(content.get("data") or {}), **(content.get("binaryData") or {})}))


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


def _fetch_args(
    spec: ModelDeploymentSpec, model: str, source: Source, found: ModelFiles | None
) -> list[str]:
    commit = found.commit if found else None
    where = {
        Scheme.CONFIG_MAP: "/source",
        Scheme.PVC: f"/source/{source.path}".rstrip("/"),
        Scheme.HTTPS: source.location,
        Scheme.S3: source.location,
        Scheme.GS: source.location,
        Scheme.HUB: at_commit(source.location, commit) if commit else source.location,
    }[source.scheme]
    args = ["fetch", "--source", _literally(where), "--to", f"/models/{model}"]
    args += ["--config", "/config/config.pbtxt"]
    args += ["--max-bytes", str(int(parse_quantity(spec.model.max_size)))]
    args += ["--timeout-seconds", str(spec.model.fetch_timeout_seconds)]
    if source.scheme is Scheme.PVC:
        args += ["--volume", "/source"]
    if spec.model.secret_name is not None:
        args += [CREDENTIALS, CREDENTIALS_FOLDER]
    if spec.model.allow_native_code:
        args += ["--allow-native-code"]
    hub = HUB if source.scheme is Scheme.HUB else None
    args += _supply_args(spec.model.supply or Supply(), hub)
    expected = spec.model.sha256 or (found.digest if found else None)
    return args if expected is None else [*args, "--sha256", expected]


def _supply_args(supply: Supply, hub: str | None) -> list[str]:
    """Return the arguments for the server and the choice of files.

    Each is one word, because a value may begin with `-`.

    Args:
        supply: The field, or an empty one.
        hub: The endpoint if *supply* has none. It is stated because the NetworkPolicy opens the
            ports of endpoints.
    """
    endpoint = supply.endpoint or hub
    lists = {
        ENDPOINT.removesuffix("="): (endpoint,) if endpoint else None,
        "--region": (supply.region,) if supply.region else None,
        "--include": supply.include,
        "--exclude": supply.exclude,
        "--allow-format": supply.allowed_formats,
    }
    return [
        f"{name}={_literally(value)}" for name, values in lists.items() for value in values or ()
    ]


def _literally(text: str) -> str:
    """Return the argument that the container gets as *text*.

    The kubelet replaces `$(NAME)` in arguments by variables, and `$$` by `$`.
    """
    return text.replace("$", "$$")


def _source_volume(source: Source, inputs: Inputs) -> Manifest | None:
    if source.scheme is Scheme.PVC:
        return {"persistentVolumeClaim": {"claimName": source.location, "readOnly": True}}
    if source.scheme is Scheme.CONFIG_MAP:
        # The revision's own copy: an old revision's new pods need the old files.
        file_names = files(inputs.get(source.location))
        return {
            "configMap": {"items": [{"key": COPIED + name, "path": name} for name in file_names]}
        }
    return None
