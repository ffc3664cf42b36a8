"""Triton's protobuf messages, without the rest of its client.

`tritonclient.grpc` itself imports gRPC, NumPy and ml_dtypes, which take 26 MB of memory and which
nothing here uses. The generated module of the messages needs protobuf alone.
"""

from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["DataType", "ModelConfig", "ModelInstanceGroup"]


def _load(name: str) -> ModuleType:
    """Load a module of the package `tritonclient.grpc` without loading the package.

    Raises:
        ImportError: The package is not installed, or has no such module.
    """
    client = find_spec("tritonclient")
    folders = (client.submodule_search_locations if client else None) or ()
    spec = PathFinder.find_spec(name, [f"{folder}/grpc" for folder in folders])
    if spec is None or spec.loader is None:
        raise ImportError(f"tritonclient.grpc.{name} is not installed")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInstanceGroup
else:
    _messages = _load("model_config_pb2")
    DataType = _messages.DataType
    ModelConfig = _messages.ModelConfig
    ModelInstanceGroup = _messages.ModelInstanceGroup
