"""`spec.model.supply`: how a source is reached, and which of its files are kept where."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.cache import Cache
from halimede.api.formats import PICKLE, PICKLE_FORMATS
from halimede.api.rules import LIST_SET, rule, rules

_MAX_ITEMS = 64
_HOST = "[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?"
_PORT = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4})"


def _compared_with_paths(field: str) -> dict[str, str]:
    """Return the rule that the patterns of *field* can match a path below a source's root."""
    return rule(
        f"!has(self.{field}) || self.{field}.all("
        "pattern, !pattern.startsWith('/') && !pattern.startsWith('./'))",
        f"{field} is compared with paths below the source's root, such as onnx/model.onnx: remove"
        " / and ./ from the beginning of its patterns",
        f".{field}",
    )


_Patterns = tuple[
    # Names with control characters or backslashes are rejected, so a pattern cannot match them.
    Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f\\]+$")], ...
]


class Resolve(StrEnum):
    """When the files at an address become the model."""

    ONCE = "Once"
    """When the address is new; other files there are not noticed."""
    ON_CHANGE = "OnChange"
    """Also when there are other files: these are rolled out."""


class Supply(ApiModel):
    """How the source is reached, which of its files become the model, and where they are kept."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            _compared_with_paths("include"),
            _compared_with_paths("exclude"),
            rule(
                "!has(self.endpoint)"
                f" || self.endpoint.matches('^https://{_HOST}(:{_PORT})?(/[^?#[:space:]]*)?$')",
                "endpoint must have the form https://HOST[:PORT], on a hub also with a path:"
                " models are fetched by HTTPS only",
                ".endpoint",
            ),
            rule(
                "!has(self.allowedFormats)"
                f" || self.allowedFormats.exists(format, format.lowerAscii() == '{PICKLE}')"
                " || !self.allowedFormats.exists("
                f"format, format.lowerAscii() in {list(PICKLE_FORMATS)})",
                f"files in the formats {', '.join(PICKLE_FORMATS)} execute code when they are"
                f" loaded: convert the model to another format, or add {PICKLE} to allowedFormats"
                " if you trust the model like an image",
                ".allowedFormats",
            ),
        )
    )

    endpoint: Annotated[str | None, Field(min_length=1, max_length=512)] = None
    """Address of the object store of an `s3://` or `gs://` source, `https://HOST[:PORT]`, or of
    the hub of an `hf://` source, `https://HOST[:PORT][/PATH]`; absent: AWS, Google, or
    `https://huggingface.co`."""
    region: Annotated[
        str | None, Field(max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$")
    ] = None
    """Region of the bucket of an `s3://` source; absent: that of the ServiceAccount's role, or
    `us-east-1`, which stores without regions expect."""
    resolve: Resolve = Resolve.ONCE
    """When the files at an address become the model: `Once`, when the address is new, or
    `OnChange`, also when the files there differ. Then they are rolled out like any other model."""
    resolve_interval_seconds: Annotated[int, Field(ge=60, le=604_800)] = 3600
    """With `resolve: OnChange`, the time between two reads of the files. All of them are read."""
    include: Annotated[
        _Patterns | None, Field(min_length=1, max_length=_MAX_ITEMS, json_schema_extra=LIST_SET)
    ] = None
    """Patterns of the files that become the model; absent: all files, but none that PyTorch's
    pickle loads if the source is `hf://` and has safetensors. A pattern is compared with the whole
    path of a file below the root of the folder or archive. `*` matches any text, also `/`; `?` and
    `[…]` match one character; a pattern that ends in `/` matches all files in that folder. A
    single file that is no archive must match as well: it is the only file of its source."""
    exclude: Annotated[
        _Patterns | None, Field(min_length=1, max_length=_MAX_ITEMS, json_schema_extra=LIST_SET)
    ] = None
    """Patterns of files to leave out of those that `include` selects."""
    allowed_formats: Annotated[
        tuple[
            Annotated[
                str,
                Field(
                    min_length=1,
                    max_length=64,
                    pattern=r"^[^./\x00-\x1f\x7f\\][^/\x00-\x1f\x7f\\]*$",
                ),
            ],
            ...,
        ]
        | None,
        Field(min_length=1, max_length=_MAX_ITEMS, json_schema_extra=LIST_SET),
    ] = None
    """Formats that the selected files may have: suffixes of their names without the dot, such as
    `onnx`, in upper or lower case, or whole names of files without a suffix. Absent: all except
    those that pickle loads, which execute code: `pkl`, `pickle`, `joblib`, `dill`, `pth`, `ckpt`.
    The word `pickle` stands for all of these. Only names are checked."""
    cache: Cache | None = None
    """Where the files are kept for all pods; absent: each pod fetches them."""
