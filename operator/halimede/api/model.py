"""`spec.model`: the model's files and Triton's configuration for them."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.quantity import Quantity
from halimede.api.rules import LIST_SET, list_map, rule, rules
from halimede.api.supply import Supply


class DataType(StrEnum):
    """Triton's tensor element types (`model_config.proto`, enum DataType)."""

    BOOL = "TYPE_BOOL"
    UINT8 = "TYPE_UINT8"
    UINT16 = "TYPE_UINT16"
    UINT32 = "TYPE_UINT32"
    UINT64 = "TYPE_UINT64"
    INT8 = "TYPE_INT8"
    INT16 = "TYPE_INT16"
    INT32 = "TYPE_INT32"
    INT64 = "TYPE_INT64"
    FP16 = "TYPE_FP16"
    FP32 = "TYPE_FP32"
    FP64 = "TYPE_FP64"
    STRING = "TYPE_STRING"
    BF16 = "TYPE_BF16"


class DynamicBatching(ApiModel):
    """How Triton combines single requests into batches."""

    max_queue_delay_microseconds: Annotated[int, Field(ge=0, le=60_000_000)] = 0
    """How long the first request of a batch waits for others."""
    preferred_batch_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65536)], ...],
        Field(max_length=16, json_schema_extra=LIST_SET),
    ] = ()
    """Sizes at which a batch is run immediately, for TensorRT's optimization profiles only."""
    max_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Requests that may wait; more are rejected with 503 instead of queueing without limit."""


class Tensor(ApiModel):
    """An input or output of the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.dims.all(size, size == -1 || size > 0)",
                "each size in dims must be at least 1, or -1 for any size",
                ".dims",
            )
        )
    )

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name in the model."""
    data_type: DataType
    """Type of the elements."""
    dims: Annotated[tuple[int, ...], Field(min_length=1, max_length=16)]
    """Sizes without the batch dimension; -1 is any size."""


class ModelConfig(ApiModel):
    """The Triton model configuration in fields; `configPbtxt` takes it as text."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.dynamicBatching) || self.maxBatchSize > 0",
                "dynamicBatching requires batches: set maxBatchSize to at least 1, or remove"
                " dynamicBatching",
                ".maxBatchSize",
            ),
            rule(
                "!has(self.dynamicBatching) || !has(self.dynamicBatching.preferredBatchSizes)"
                " || self.dynamicBatching.preferredBatchSizes.all("
                "size, size <= self.maxBatchSize)",
                "dynamicBatching.preferredBatchSizes must not exceed maxBatchSize:"
                " lower them or raise maxBatchSize",
                ".dynamicBatching.preferredBatchSizes",
            ),
        )
    )

    backend: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,63}$", max_length=63)]
    """Triton's backend: `onnxruntime`, `python`, `pytorch`, `tensorrt`, `openvino` …"""
    max_batch_size: Annotated[int, Field(ge=0, le=65536)] = 0
    """Largest batch; 0: the model has no batch dimension."""
    inputs: Annotated[
        tuple[Tensor, ...], Field(max_length=64, json_schema_extra=list_map("name"))
    ] = ()
    """The model's inputs. Triton reads them from ONNX, OpenVINO and TensorRT files itself."""
    outputs: Annotated[
        tuple[Tensor, ...], Field(max_length=64, json_schema_extra=list_map("name"))
    ] = ()
    """The model's outputs, read from the same files as `inputs`."""
    dynamic_batching: DynamicBatching | None = None
    """Combine requests into batches; absent: each request is run on its own."""
    response_cache: bool = False
    """Answer equal requests from Triton's local response cache."""
    instances: Annotated[int, Field(ge=1, le=128)] = 1
    """Execution instances in one pod (on each GPU, where there are any)."""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)
    ] = {}
    """Settings of the backend, such as ONNX Runtime's `intra_op_thread_count`."""


SMALLEST, LARGEST = "1Mi", "64Ti"
"""Bounds of `maxSize`."""
_NAME = "[a-z0-9]([-.a-z0-9]*[a-z0-9])?"
_BUCKET = "[A-Za-z0-9][-._A-Za-z0-9]{0,254}"
_ON_HUB = "[A-Za-z0-9][-A-Za-z0-9_.]*"
_SCHEMES = "^(configMap|pvc|https|s3|gs|hf)://"
_FORMS = (
    f"^(configMap://{_NAME}|pvc://{_NAME}(/.*)?|https://[^/?#@]+/.*[^/]"
    f"|(s3|gs)://{_BUCKET}(/.*)?|hf://{_ON_HUB}/{_ON_HUB}(@[^/[:space:]]+)?(/.*)?)$"
)

_CACHED = (
    "has(self.supply) && has(self.supply.cache) && has(self.supply.cache.kind)"
    " && self.supply.cache.kind == 'Volume' && has(self.supply.cache.volume)"
)
_CLAIM = "self.supply.cache.volume.claimName"


class Model(ApiModel):
    """The model to serve."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.config) != has(self.configPbtxt)",
                "exactly one of config and configPbtxt must be set: set one and remove the other",
                ".config",
            ),
            rule(
                f"self.storageUri.matches('{_SCHEMES}')",
                "storageUri must start with configMap://, pvc://, https://, s3://, gs:// or"
                " hf://: other kinds of storage are not supported yet",
                ".storageUri",
            ),
            rule(
                f"!self.storageUri.matches('{_SCHEMES}') || self.storageUri.matches('{_FORMS}')",
                "storageUri must have the form configMap://NAME, pvc://CLAIM/PATH,"
                " https://HOST/FILE, s3://BUCKET/KEY, gs://BUCKET/KEY or"
                " hf://ORG/REPO[@REVISION][/PATH], without credentials: put credentials into the"
                " Secret named by secretName",
                ".storageUri",
            ),
            rule(
                "!self.storageUri.matches('^hf://(models|datasets|spaces|kernels|buckets)/')",
                "storageUri must name a model of the hub as hf://ORG/REPO: remove models/;"
                " datasets, spaces, kernels and buckets are not supported",
                ".storageUri",
            ),
            rule(
                "!self.storageUri.matches('^(pvc|hf)://')"
                " || !self.storageUri.split('/').exists(part, part == '..')",
                "storageUri must not point outside its volume or model: remove '..' from the path",
                ".storageUri",
            ),
            rule(
                "!self.storageUri.matches('^(s3|gs)://') || !self.storageUri.substring(5).matches("
                "'//|/[.]{1,2}(/|$)|[[:cntrl:]]|[\\\\\\\\]')",
                "the key in storageUri must have no empty part, no part . or .., no backslash and"
                " no control character: remove them, or rename the objects",
                ".storageUri",
            ),
            rule(
                "!has(self.secretName) || self.storageUri.matches('^(https|s3|gs|hf)://')",
                "secretName requires an https://, s3://, gs:// or hf:// storageUri: remove it,"
                " because configMap:// and pvc:// need no credentials",
                ".secretName",
            ),
            rule(
                "!has(self.supply) || !has(self.supply.endpoint)"
                " || self.storageUri.matches('^(s3|gs|hf)://')",
                "supply.endpoint requires an s3://, gs:// or hf:// storageUri: remove it, because"
                " the other addresses are complete",
                ".supply.endpoint",
            ),
            rule(
                "!has(self.supply) || !has(self.supply.endpoint)"
                " || !self.storageUri.matches('^(s3|gs)://')"
                " || self.supply.endpoint.matches('^https://[^/]*$')",
                "supply.endpoint of an object store must have the form https://HOST or"
                " https://HOST:PORT: the bucket belongs into storageUri",
                ".supply.endpoint",
            ),
            rule(
                "!has(self.supply) || !has(self.supply.region)"
                " || self.storageUri.startsWith('s3://')",
                "supply.region requires an s3:// storageUri: remove it, because other sources have"
                " no region",
                ".supply.region",
            ),
            rule(
                "!has(self.supply) || !has(self.supply.resolve) || self.supply.resolve == 'Once'"
                " || !has(self.sha256) && !self.storageUri.startsWith('configMap://')",
                "supply.resolve: OnChange needs an address at which files can change unnoticed:"
                " remove sha256, or remove resolve, because the files of a configMap:// source are"
                " noticed",
                ".supply.resolve",
            ),
            rule(
                f"!self.storageUri.startsWith('configMap://') || !({_CACHED})",
                "a cache requires another storageUri than configMap://: remove supply.cache,"
                " because the files of a configMap:// source are in the record of each revision",
                ".supply.cache",
            ),
            rule(
                f"!({_CACHED}) || self.storageUri != 'pvc://' + {_CLAIM}"
                f" && !self.storageUri.startsWith('pvc://' + {_CLAIM} + '/')",
                "the cache must not be in the claim of the source: name another claim in"
                " supply.cache.volume.claimName",
                ".supply.cache.volume.claimName",
            ),
            rule(
                "isQuantity(string(self.maxSize))"
                f" && !quantity(string(self.maxSize)).isLessThan(quantity('{SMALLEST}'))"
                f" && !quantity(string(self.maxSize)).isGreaterThan(quantity('{LARGEST}'))",
                f"maxSize must be a quantity from {SMALLEST} to {LARGEST}: write a value such as"
                " 500Mi or 10Gi",
                ".maxSize",
            ),
        )
    )

    name: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$", max_length=63)
    ] = None
    """The name in Triton's URLs. Defaults to the resource's own name."""
    storage_uri: Annotated[str, Field(min_length=1, max_length=2048)]
    """Where the files are: `configMap://NAME`, `pvc://CLAIM/PATH`, `https://HOST/FILE`,
    `s3://BUCKET/KEY` or `gs://BUCKET/KEY`, where all objects below KEY are the files if there is
    no object with it, or `hf://ORG/REPO[@REVISION][/PATH]` on the Hugging Face hub, where REVISION
    is a branch, tag or commit, and `main` if it is absent."""
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] = None
    """Digest of the files, verified before anything is unpacked or served. Of a file it is the
    SHA-256, also of an archive; of a folder it is that of the output of `sha256sum` for its files
    that `supply` selects, sorted by name."""
    supply: Supply | None = None
    """How the source is reached, which of its files become the model, and where they are kept;
    absent: all, but none that pickle loads, and each pod fetches them."""
    max_size: Annotated[Quantity, Field(json_schema_extra={"maxLength": 32})] = "10Gi"
    """Largest size of the files. An archive and what is unpacked from it count together, and each
    file and folder counts 4 KiB more. It is also the `sizeLimit` of the pod's volumes `model` and
    `tmp`."""
    fetch_timeout_seconds: Annotated[int, Field(ge=10, le=86400)] = 3600
    """How long the container `fetch` of a pod may run, including its retries and unpacking."""
    allow_native_code: bool = False
    """Whether the files may contain native code: `*.so`, `*.so.*`, `libtriton_*`, or an execution
    environment for Python (`EXECUTION_ENV_PATH`). Triton runs it with all rights of the pod."""
    secret_name: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """Secret with the credentials of an `https://` source (`token`, or `username`, `password`),
    an `s3://` source (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`), a
    `gs://` source (`key.json`) or an `hf://` source (`HF_TOKEN`, or those of `https://`), and
    `ca.crt`."""
    config: ModelConfig | None = None
    """The Triton model configuration in fields."""
    config_pbtxt: Annotated[str | None, Field(min_length=1, max_length=65536)] = None
    """The Triton model configuration as text, for what `config` cannot express. The model's name
    may be left out."""
