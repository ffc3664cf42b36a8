"""What a rule between fields is tried with."""

from dataclasses import dataclass

from halimede.api.base import Manifest
from tests.api.objects import model_deployment


@dataclass(frozen=True, slots=True)
class Row:
    """A good object that comes close, and a bad one with what is said about it."""

    good: Manifest
    bad: Manifest
    field: str
    said: str


def row(field: str, said: str, good: Manifest, bad: Manifest) -> Row:
    """Write a row: which field is blamed, with which cure, and the two specs."""
    return Row(model_deployment(good), model_deployment(bad), field, said)
