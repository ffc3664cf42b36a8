"""A test case of a rule between fields."""

from dataclasses import dataclass

from halimede.api.base import Manifest
from tests.api.objects import model_deployment


@dataclass(frozen=True, slots=True)
class Row:
    """A valid object close to the rule, and an invalid one with its error."""

    good: Manifest
    bad: Manifest
    field: str
    said: str


def row(field: str, said: str, good: Manifest, bad: Manifest) -> Row:
    """Return a row: the field of the error, its remedy, and the two specs."""
    return Row(model_deployment(good), model_deployment(bad), field, said)
