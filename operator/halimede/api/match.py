"""Which requests come from testers."""

from typing import Annotated

from pydantic import Field

from halimede.api.base import ApiModel
from halimede.api.rules import list_map


class HeaderMatch(ApiModel):
    """A header and its exact value."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", max_length=256)]
    """The header's name; for gRPC a key of the metadata."""
    value: Annotated[str, Field(min_length=1, max_length=4096)]
    """The exact value of the header."""


class Match(ApiModel):
    """Requests that have certain headers."""

    headers: Annotated[
        tuple[HeaderMatch, ...],
        Field(min_length=1, max_length=8, json_schema_extra=list_map("name")),
    ]
    """Headers that a request must have, all of them."""
