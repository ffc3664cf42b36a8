"""The values of the pod's template that depend on where the model's files come from."""

from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.quantity import parse_quantity
from halimede.api.source import (
    Inputs,
    ModelFiles,
    Scheme,
    Source,
    at_commit,
    cache_claim,
    parse_source,
)
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.supply import Supply

CREDENTIALS_FOLDER = "/var/run/secrets/halimede.dev/model"
"""Where the fetcher finds the keys of `model.secretName` as files."""
CREDENTIALS, ENDPOINT = "--credentials", "--endpoint="
"""Arguments of the fetcher."""
HUB = "https://huggingface.co"
"""The hub of `hf://` sources without `supply.endpoint`."""
COPIED = "source."
"""Prefix of each file of a `configMap://` source in the revision's own ConfigMap."""
CACHE_FOLDER = "/cache"
"""Where the fetcher has the volume of the cache."""


@dataclass(frozen=True, slots=True)
class FilesView:
    """The arguments of the fetcher, and the volumes with the model's files."""

    fetch_args: list[str]
    credentials: str | None
    """Name of the Secret; None: no volume."""
    credentials_folder: str
    source_volume: Manifest | None
    """The volume at /source; None for sources that are fetched over the network, and for pods that
    read the cache."""
    cache: Manifest | None
    """The claim with the models by content; None: each pod fetches the files."""
    cache_folder: str
    cached: str | None
    """The folder of the model in that volume; None: the pod puts it there."""
    model_folder: str
    """Where Triton reads the model of the cache."""
    config_file: str
    """The configuration in that folder."""


def files_view(
    spec: ModelDeploymentSpec, model: str, inputs: Inputs, found: ModelFiles | None
) -> FilesView:
    """Compute the values; see `view.pod_view` for *found*."""
    source, claim = parse_source(spec.model.storage_uri), cache_claim(spec)
    read = found.manifest if found and claim is not None else None
    return FilesView(
        fetch_args=_verify_args(spec, read) if read else _fetch_args(spec, model, source, found),
        credentials=None if read else spec.model.secret_name,
        credentials_folder=CREDENTIALS_FOLDER,
        source_volume=None if read else _source_volume(source, inputs),
        cache=_cache_volume(claim, read_only=read is not None),
        cache_folder=CACHE_FOLDER,
        cached=cached_model(read) if read else None,
        model_folder=f"/models/{model}",
        config_file=f"/models/{model}/config.pbtxt",
    )


def cached_model(files: str) -> str:
    """Return the folder of a model in the volume of the cache; *files* is its manifest's digest.

    >>> cached_model("ab12")
    'sha256/ab/ab12/model'
    """
    return f"sha256/{files[:2]}/{files}/model"


def file_names(config_map: Manifest | None) -> tuple[str, ...]:
    """Return the names of a ConfigMap's files, text and binary."""
    content = config_map or {}
    return tuple(sorted({**(content.get("data") or {}), **(content.get("binaryData") or {})}))


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
    args = ["fetch", "--source", _literally(where)]
    if cache_claim(spec) is None:
        args += ["--to", f"/models/{model}", "--config", "/config/config.pbtxt"]
    else:
        args += ["--cache", CACHE_FOLDER]
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


def _verify_args(spec: ModelDeploymentSpec, files: str) -> list[str]:
    timeout = str(spec.model.fetch_timeout_seconds)
    return ["verify", "--cache", CACHE_FOLDER, "--files", files, "--timeout-seconds", timeout]


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
        items = [
            {"key": COPIED + name, "path": name}
            for name in file_names(inputs.get(source.location))
        ]
        return {"configMap": {"items": items}}
    return None


def _cache_volume(claim: str | None, *, read_only: bool) -> Manifest | None:
    if claim is None:
        return None
    return {"claimName": claim, **({"readOnly": True} if read_only else {})}
