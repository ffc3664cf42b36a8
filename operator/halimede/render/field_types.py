"""Checks that the values in a part of a Kubernetes object have the types that the API declares.

The types are those of the Kubernetes client's models, which are generated from the API's OpenAPI
document. Fields that the models lack are accepted: the cluster may be newer than the client, and
its API server rejects unknown fields itself.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from kubernetes.aio.client import models

from halimede.render.merge import PATCH

Rejection = tuple[str, str, str]
"""Path, what is wrong, what to do."""

QUANTITIES = frozenset(
    {
        ("V1EmptyDirVolumeSource", "sizeLimit"),
        ("V1PodSpec", "overhead"),
        ("V1ResourceFieldSelector", "divisor"),
        ("V1ResourceRequirements", "limits"),
        ("V1ResourceRequirements", "requests"),
        ("V1VolumeResourceRequirements", "limits"),
        ("V1VolumeResourceRequirements", "requests"),
        ("V2HPAScalingRules", "tolerance"),
        ("V2MetricTarget", "averageValue"),
        ("V2MetricTarget", "value"),
    }
)
"""Fields with quantities, or with maps of them, which may also be written as numbers. The models
declare them as strings (`Quantity.UnmarshalJSON` of apimachinery reads both)."""
_QUANTITY = "quantity"
_COLLECTION = re.compile(r"(List|Dict)\[(?:str, )?(.+)\]")
_SCALARS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a string"),
    "datetime": ((str,), "a string"),
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "object": ((int, str), "an integer or a string"),
    _QUANTITY: ((int, float, str), "a quantity such as 500m or 2Gi"),
}
"""The Python types of JSON's scalars by their names in the models. An `object` in a pod or an
autoscaler is an `IntOrString`."""


def load_models() -> None:
    """Load the models of pods, which the client imports when they are first used.

    That takes a tenth of a second, in which a reconcile would stop all others.
    """
    _fields("V1PodTemplateSpec")


def mistyped(value: Any, type_: str, path: str) -> Iterator[Rejection]:
    """Yield values that do not have the declared types; null stands for an absent field.

    Args:
        value: A part of an object, or a patch of one.
        type_: The declared type, such as `V1PodSpec` or `List[V2MetricSpec]`.
        path: The path of *value*.
    """
    collection = _COLLECTION.fullmatch(type_)
    if collection is not None and collection[1] == "List":
        yield from _list(value, collection[2], path)
    elif collection is not None:
        yield from _map(value, collection[2], path)
    elif type_ in _SCALARS:
        yield from _scalar(value, type_, path)
    elif not isinstance(value, dict):
        yield path, f"must be a map, not {_describe(value)}", "write one value per field"
    else:
        declared = _fields(type_)
        for name, field in value.items():
            if name in declared and field is not None:
                yield from mistyped(field, declared[name], f"{path}.{name}")


def _list(value: Any, type_: str, path: str) -> Iterator[Rejection]:
    if not isinstance(value, list):
        yield path, f"must be a list, not {_describe(value)}", "write a list"
        return
    for number, item in enumerate(value):
        yield from mistyped(item, type_, f"{path}[{number}]")


def _map(value: Any, type_: str, path: str) -> Iterator[Rejection]:
    if not isinstance(value, dict):
        yield path, f"must be a map, not {_describe(value)}", "write one value per name"
        return
    for name, item in value.items():
        if name != PATCH and item is not None:
            yield from mistyped(item, type_, f"{path}[{name}]")


def _scalar(value: Any, type_: str, path: str) -> Iterator[Rejection]:
    types, expected = _SCALARS[type_]
    # In Python, true and false are integers too.
    if isinstance(value, types) and isinstance(value, bool) is (types == (bool,)):
        return
    if isinstance(value, (dict, list)) or value is None:
        cure = f"write {expected}"
    elif str in types:
        cure = f'write it in quotes: "{json.dumps(value)}"'
    else:
        cure = f"write {expected}, without quotes"
    yield path, f"must be {expected}, not {_describe(value)}", cure


def _describe(value: Any) -> str:
    match value:
        case dict():
            return "a map"
        case list():
            return "a list"
        case str():
            return f"the string {value!r}"
        case None:
            return "null"
        case bool():
            return json.dumps(value)
        case _:
            return f"the number {json.dumps(value)}"


@cache
def _fields(model: str) -> dict[str, str]:
    """Return the declared types of a model's fields, by their names in JSON."""
    model_class = getattr(models, model)
    names: dict[str, str] = model_class.attribute_map
    return {
        names[field]: _declared_type(model, names[field], type_)
        for field, type_ in model_class.openapi_types.items()
    }


def _declared_type(model: str, field: str, type_: str) -> str:
    if (model, field) not in QUANTITIES:
        return type_
    return f"Dict[str, {_QUANTITY}]" if type_.startswith("Dict") else _QUANTITY
