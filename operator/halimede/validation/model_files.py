"""Validation of what the fetcher accepts: the digest, the size and native code."""

import re
from collections.abc import Iterator

from halimede.api.model import LARGEST, SMALLEST
from halimede.api.quantity import parse_quantity
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.config_pbtxt import InvalidConfigError, model_config
from halimede.render.field_types import Rejection
from halimede.render.view import model_name

_EXECUTION_ENVIRONMENT = "EXECUTION_ENV_PATH"
"""Parameter of the Python backend: an archive or folder with an interpreter and its libraries
("Creating Custom Execution Environments" in the backend's documentation)."""
_RUNTIMES = re.compile(r"(model\.py|libtriton_\w+\.so)?")
"""What `runtime` may name without native code in the model's files: the code of a backend that is
written in Python, or the library of a backend, which the fetcher rejects in the files."""


def find_file_violations(md: ModelDeployment, *, sha256_required: bool) -> Iterator[Rejection]:
    """Yield what is wrong with the limits of a model's files."""
    if sha256_required and md.spec.model.sha256 is None:
        yield (
            "spec.model.sha256",
            "the operator serves only models with a digest (HALIMEDE_SHA256_REQUIRED)",
            "set it to the SHA-256 of the files",
        )
    yield from _max_size(md)
    yield from _native_code(md)


def _max_size(md: ModelDeployment) -> Iterator[Rejection]:
    """Yield what the API server rejects as well, but a spec in a file may contain."""
    try:
        size = parse_quantity(md.spec.model.max_size)
    except ValueError:
        size = None
    if size is None or not parse_quantity(SMALLEST) <= size <= parse_quantity(LARGEST):
        yield (
            "spec.model.maxSize",
            f"{md.spec.model.max_size!r} is not a quantity from {SMALLEST} to {LARGEST}",
            "write a value such as 500Mi or 10Gi",
        )


def _native_code(md: ModelDeployment) -> Iterator[Rejection]:
    """Yield settings that make Triton load native code from files of any name.

    The fetcher rejects shared libraries by their names.
    """
    if md.spec.model.allow_native_code:
        return
    try:
        config = model_config(model_name(md), md.spec)
    except InvalidConfigError:
        return  # `validation.spec` reports it
    settings = {
        f"the parameter {_EXECUTION_ENVIRONMENT}": _EXECUTION_ENVIRONMENT in config.parameters,
        "model_operations.op_library_filename": config.model_operations.op_library_filename,
        f"the runtime {config.runtime!r}": not _RUNTIMES.fullmatch(config.runtime),
    }
    for setting, present in settings.items():
        if present:
            yield (
                "spec.model.allowNativeCode",
                f"the configuration has {setting}, so Triton runs native code from the files",
                "set it to true if you trust the model like an image, or remove that setting",
            )
