"""What every type of the API shares: frozen, camelCase outside, snake_case inside."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

Manifest = dict[str, Any]
"""A Kubernetes object as plain data, in the API's own camelCase."""


class ApiModel(BaseModel):
    """A frozen piece of the resource.

    Unknown fields are ignored on reading: the API server has refused or pruned them by then.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    def to_manifest(self) -> Manifest:
        """Write the JSON form that the API server takes, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return value


def rfc3339(seconds: float) -> str:
    """Write UNIX *seconds* as RFC 3339 in UTC with milliseconds.

    >>> rfc3339(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    float,
    BeforeValidator(_seconds),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment: UNIX seconds inside, RFC 3339 outside."""
