"""The base of all API types: immutable, camelCase in JSON and snake_case in Python."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, NewType, Self, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

Manifest = dict[str, Any]
"""A Kubernetes object as plain data, in the API's own camelCase."""

RevisionHash = NewType("RevisionHash", str)
"""The first eight hex digits of a revision's hash, by which everything names the revision."""


class ApiModel(BaseModel):
    """An immutable part of the resource.

    Unknown fields are ignored on reading: the API server has already rejected or pruned them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def to_manifest(self) -> Manifest:
        """Return the JSON form that the API server accepts, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with *changes*, by the Python names of fields.

        `model_copy` checks neither names nor values: a misspelled field would be lost when the
        object is written. Types are checked here without conversion. Bounds are not: a list may be
        too long until a later step cuts it.

        Raises:
            TypeError: There is no field of that name, or its value is not of the field's type.
        """
        types = _types(type(self))
        for name, value in changes.items():
            if (type_ := types.get(name)) is None:
                raise TypeError(f"{type(self).__name__} has no field {name!r}")
            try:
                checked = type_.validate_python(value, strict=True)
            except ValidationError as error:
                raise TypeError(f"{type(self).__name__}.{name}: {error}") from error
            # Even in strict mode pydantic converts a dict to a model.
            if checked is not value and checked != value:
                raise TypeError(f"{type(self).__name__}.{name}: {value!r} is not {checked!r}")
        return self.model_copy(update=changes)


@cache
def _types(model: type[BaseModel]) -> Mapping[str, TypeAdapter[Any]]:
    hints = get_type_hints(model)
    return {name: TypeAdapter(hints[name]) for name in model.model_fields}


def _to_seconds(value: object) -> object:
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return value


def rfc3339(seconds: float) -> str:
    """Format UNIX *seconds* as RFC 3339 in UTC with milliseconds.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    float,
    BeforeValidator(_to_seconds),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time: UNIX seconds in Python, RFC 3339 in JSON."""
