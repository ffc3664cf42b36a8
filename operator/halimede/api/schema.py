"""The structural schema that Kubernetes requires, converted from pydantic's JSON schema.

Kubernetes' dialect of OpenAPI has no references, no unions with null and no titles; its additions
(CEL rules, list types, int-or-string) are declared with the fields as `json_schema_extra`. A
keyword that this converter does not know is an error, so that nothing is lost silently.
Source: "Extend the Kubernetes API with CustomResourceDefinitions", structural schemas.
"""

from typing import Any

from pydantic import BaseModel

KEPT = frozenset(
    {
        "default",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "pattern",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    }
)
"""Keywords that mean the same in both dialects, and Kubernetes' own."""
NULL = {"type": "null"}
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]

Schema = dict[str, Any]


class UnknownSchemaError(Exception):
    """A type of the API has a schema that this converter does not support."""


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of *model*, including its computed fields.

    Raises:
        UnknownSchemaError: Kubernetes or this converter does not support a field's type.
    """
    json_schema = model.model_json_schema(by_alias=True, mode="serialization")
    return _node(json_schema, json_schema.get("$defs", {}), model.__name__)


def _node(raw: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    node = _resolve(raw, definitions, path)
    schema: Schema = {}
    for keyword, value in node.items():
        match keyword:
            case "properties":
                schema[keyword] = {
                    name: _node(field, definitions, f"{path}.{name}")
                    for name, field in value.items()
                }
            case "items":
                schema[keyword] = _node(value, definitions, f"{path}[]")
            case "additionalProperties" if isinstance(value, dict):
                schema[keyword] = _node(value, definitions, f"{path}{{}}")
            case "additionalProperties" if value is True:
                schema["x-kubernetes-preserve-unknown-fields"] = True
            case "title" | "readOnly":
                pass  # never more than the field's name; all of a status is read-only
            case "description":
                schema[keyword] = " ".join(value.split())
            case _ if keyword in KEPT:
                schema[keyword] = value
            case _:
                raise UnknownSchemaError(f"{path}: {keyword!r} cannot be written: {value!r}")
    return _complete(schema, path)


def _resolve(raw: Schema, definitions: dict[str, Schema], path: str) -> Schema:
    """Follow references and drop the null of optional fields; siblings override the target."""
    node = {key: value for key, value in raw.items() if key not in ("$defs", "$ref", "anyOf")}
    if "$ref" in raw:
        target = definitions[raw["$ref"].removeprefix("#/$defs/")]
        return _resolve(target, definitions, path) | node
    if "anyOf" not in raw:
        return node
    options = [option for option in raw["anyOf"] if option != NULL]
    if options == INT_OR_STRING:
        return {"x-kubernetes-int-or-string": True} | node
    if len(options) != 1:
        raise UnknownSchemaError(f"{path}: a union of {options!r} cannot be written")
    return _resolve(options[0], definitions, path) | node


def _complete(schema: Schema, path: str) -> Schema:
    kind = schema.get("type")
    if kind is None and "x-kubernetes-int-or-string" not in schema:
        raise UnknownSchemaError(f"{path}: has no type")
    if kind == "array":
        schema.setdefault("x-kubernetes-list-type", "atomic")
    if "default" in schema:
        default = _default(schema.pop("default"), schema)
        if default is not None:
            schema["default"] = default
    return schema


def _default(value: Any, schema: Schema) -> Any:
    """Remove from a default what is empty or equals a nested default; None: nothing is left."""
    if isinstance(value, list):
        value = [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value if value not in (None, [], {}) else None
    fields = schema.get("properties", {})
    explicit = {
        name: inner
        for name, field in value.items()
        if (inner := _default(field, fields[name])) is not None
        and inner != fields[name].get("default")
    }
    # `{}` lets the API server apply the nested defaults, and rules read fields without `has`.
    return explicit if explicit or fields else None


def _without_nulls(item: Any) -> Any:
    """Remove absent fields from an item: the API server does not accept null for an object."""
    if not isinstance(item, dict):
        return item
    return {name: inner for name, inner in item.items() if inner is not None}
