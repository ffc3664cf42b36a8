"""Triton's model configuration: from fields, or the user's text completed."""

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from halimede.api.model import DataType
from halimede.render.config_pbtxt import InvalidConfigError, model_config, text
from halimede.render.triton_messages import ModelConfig
from tests.unit.render.resources import digits


def parsed(written: str) -> ModelConfig:
    """Read a configuration as Triton does."""
    return text_format.Parse(written, ModelConfig())


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=3))
def test_parameters_survive(parameters: dict[str, str]) -> None:
    """Triton reads every parameter as written, including quotes and line breaks."""
    spec = digits(model={"config": {"backend": "python", "parameters": parameters}}).spec
    read = parsed(text(model_config("digits", spec)))
    assert {key: value.string_value for key, value in read.parameters.items()} == parameters


def test_every_data_type_is_tritons() -> None:
    """The API's types are those of Triton except for the invalid one."""
    theirs = ModelConfig.DESCRIPTOR.fields_by_name["input"].message_type
    names = theirs.fields_by_name["data_type"].enum_type.values_by_name
    assert {str(one) for one in DataType} == set(names) - {"TYPE_INVALID"}


def test_name_is_completed() -> None:
    """A text without a name gets the served model's name and keeps the rest."""
    spec = digits(model={"configPbtxt": 'backend: "python" max_batch_size: 3'}).spec
    assert text(model_config("digits", spec)) == (
        'name: "digits"\nmax_batch_size: 3\nbackend: "python"\n'
    )


def test_another_name_is_rejected() -> None:
    """Another name is rejected, because Triton would not load the model."""
    spec = digits(model={"configPbtxt": 'name: "other" backend: "python"'}).spec
    with pytest.raises(InvalidConfigError, match=r"'other'.*'digits'") as caught:
        model_config("digits", spec)
    assert "spec.model.name" in caught.value.cure


def test_typing_error_is_reported_with_its_line() -> None:
    """An unknown field is reported with its line."""
    spec = digits(model={"configPbtxt": 'backend: "python"\nmax_bach_size: 3'}).spec
    with pytest.raises(InvalidConfigError, match="max_bach_size") as caught:
        model_config("digits", spec)
    assert caught.value.line == 2


def test_no_configuration() -> None:
    """An object without a configuration, which only an older schema accepts, is rejected."""
    with pytest.raises(InvalidConfigError, match="no model configuration"):
        model_config("digits", digits(model={}).spec)
