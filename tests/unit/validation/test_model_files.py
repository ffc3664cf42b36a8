"""Validation of the limits of a model's files."""

from typing import Any

import pytest

from halimede.validation.spec import find_violations
from tests.unit.render.resources import INPUTS, digits

FIELDS: dict[str, Any] = {"config": {"backend": "python"}}


def violations(*, sha256_required: bool = False, **model: Any) -> str:
    """Return the errors of a spec with these fields of the model."""
    md = digits(model=FIELDS | model)
    return "\n".join(map(str, find_violations(md, INPUTS, sha256_required=sha256_required)))


def pbtxt(text: str, **fields: Any) -> dict[str, Any]:
    """Return the fields of a model with this configPbtxt."""
    return {"config": None, "configPbtxt": f'backend: "python" {text}', **fields}


@pytest.mark.parametrize("size", ["10 GB", "ten", "", "1023Ki", "65Ti", "-1Gi", "1e999999999", 0])
def test_a_size_that_is_none(size: int | str) -> None:
    """`halimede render` has no API server that would reject it."""
    assert violations(maxSize=size) == (
        f"spec.model.maxSize: {size!r} is not a quantity from 1Mi to 64Ti; write a value such as"
        " 500Mi or 10Gi"
    )


@pytest.mark.parametrize("size", ["1Mi", "64Ti", "1.5Gi", "1e10", 1 << 30])
def test_a_size(size: int | str) -> None:
    """Any form of a quantity is accepted."""
    assert violations(maxSize=size) == ""


def test_a_digest_can_be_compulsory() -> None:
    """Then the field is named, with the setting that demands it."""
    assert violations(sha256_required=True) == (
        "spec.model.sha256: the operator serves only models with a digest"
        " (HALIMEDE_SHA256_REQUIRED); set it to the SHA-256 of the files"
    )
    assert violations(sha256_required=True, sha256="ab" * 32) == ""
    assert violations() == ""


ENVIRONMENT = {"EXECUTION_ENV_PATH": "$$TRITON_MODEL_DIRECTORY/env.tar.gz"}
NATIVE: dict[str, dict[str, Any]] = {
    "the parameter EXECUTION_ENV_PATH": {
        "config": {"backend": "python", "parameters": ENVIRONMENT}
    },
    "the parameter EXECUTION_ENV_PATH, ": pbtxt(
        'parameters { key: "EXECUTION_ENV_PATH" value { string_value: "/models/m/env.tar.gz" } }'
    ),
    "model_operations.op_library_filename": pbtxt(
        'model_operations { op_library_filename: "operations.bin" }'
    ),
    "the runtime 'weights.bin'": pbtxt('runtime: "weights.bin"'),
    "the runtime 'libtriton_x.so.1'": pbtxt('runtime: "libtriton_x.so.1"'),
}


@pytest.mark.parametrize("name", NATIVE)
def test_settings_that_load_native_code(name: str) -> None:
    """They name files that the fetcher cannot recognise."""
    assert violations(**NATIVE[name]) == (
        f"spec.model.allowNativeCode: the configuration has {name.removesuffix(', ')}, so Triton"
        " runs native code from the files; set it to true if you trust the model like an image,"
        " or remove that setting"
    )
    assert violations(**NATIVE[name], allowNativeCode=True) == ""


@pytest.mark.parametrize("text", ["", 'runtime: "model.py"', 'runtime: "libtriton_python.so"'])
def test_runtimes_of_triton_itself(text: str) -> None:
    """The fetcher rejects these libraries in the files, so Triton takes its own."""
    assert violations(**pbtxt(text)) == ""


def test_a_configuration_that_cannot_be_read_is_reported_once() -> None:
    """What it contains is not known then."""
    assert violations(config=None, configPbtxt="{").count("spec.model.") == 1
