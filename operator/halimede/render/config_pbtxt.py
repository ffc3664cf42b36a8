"""Triton's `config.pbtxt`: generated from fields, or the user's own text with the name added."""

from google.protobuf import text_format

from halimede.api.spec import ModelDeploymentSpec
from halimede.render.triton_messages import DataType, ModelConfig, ModelInstanceGroup

__all__ = [
    "InvalidConfigError",
    "ModelConfig",
    "ModelInstanceGroup",
    "complete",
    "model_config",
    "python_instances",
    "text",
]


class InvalidConfigError(Exception):
    """The text is not a Triton model configuration, or is that of another model.

    Attributes:
        line: The line of the error, counted from 1; None if it has no single line.
        cure: What to do.
    """

    def __init__(self, message: str, *, cure: str, line: int | None = None) -> None:
        """Store the message, the remedy and the line."""
        super().__init__(message)
        self.line = line
        self.cure = cure


def model_config(name: str, spec: ModelDeploymentSpec) -> ModelConfig:
    """Return the configuration of the model that is served as *name*.

    Raises:
        InvalidConfigError: `configPbtxt` cannot be read or names another model.
    """
    if spec.model.config_pbtxt is not None:
        return _parse(name, spec.model.config_pbtxt)
    return _from_fields(name, spec)


def text(config: ModelConfig) -> str:
    """Format a configuration as `config.pbtxt`."""
    written: str = text_format.MessageToString(config)
    return written


def complete(config: ModelConfig) -> bool:
    """Whether the configuration is complete, so that Triton need not read the model's file."""
    return bool(config.backend and config.input and config.output)


def python_instances(config: ModelConfig) -> int:
    """Return the number of Python backend processes, each of which needs shared memory."""
    if config.backend != "python":
        return 0
    return sum(max(group.count, 1) for group in config.instance_group) or 1


def _parse(name: str, content: str) -> ModelConfig:
    config = ModelConfig()
    try:
        text_format.Parse(content, config)
    except text_format.ParseError as error:
        raise InvalidConfigError(
            str(error),
            cure="write Triton's model configuration in the protobuf text format",
            line=error.GetLine(),
        ) from error
    if config.name not in ("", name):
        raise InvalidConfigError(
            f"the text sets the name {config.name!r}, but the model is served as {name!r}",
            cure=f'remove `name`, write `name: "{name}"`, or set spec.model.name',
        )
    config.name = name
    return config


def _from_fields(name: str, spec: ModelDeploymentSpec) -> ModelConfig:
    fields = spec.model.config
    if fields is None:
        raise InvalidConfigError(
            "there is no model configuration", cure="set spec.model.config or configPbtxt"
        )
    config = ModelConfig(name=name, backend=fields.backend, max_batch_size=fields.max_batch_size)
    for tensor in fields.inputs:
        config.input.add(
            name=tensor.name, data_type=DataType.Value(tensor.data_type), dims=tensor.dims
        )
    for tensor in fields.outputs:
        config.output.add(
            name=tensor.name, data_type=DataType.Value(tensor.data_type), dims=tensor.dims
        )
    config.instance_group.add(
        count=fields.instances,
        kind=ModelInstanceGroup.KIND_GPU if spec.gpu else ModelInstanceGroup.KIND_CPU,
    )
    if (batching := fields.dynamic_batching) is not None:
        config.dynamic_batching.preferred_batch_size.extend(batching.preferred_batch_sizes)
        config.dynamic_batching.max_queue_delay_microseconds = (
            batching.max_queue_delay_microseconds
        )
        config.dynamic_batching.default_queue_policy.max_queue_size = batching.max_queue_size
    if fields.response_cache:
        config.response_cache.enable = True
    for key, value in fields.parameters.items():
        config.parameters[key].string_value = value
    return config
