"""Kubernetes quantities."""

from decimal import Decimal

import pytest

from halimede.api.quantity import parse_quantity


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        (7, "7"),
        ("10Gi", "10737418240"),
        ("1.5G", "1500000000"),
        (".5", "0.5"),
        ("5.", "5"),
        ("500m", "0.5"),
        ("1e3", "1000"),
        ("2E-1", "0.2"),
        ("3E", "3e18"),
        ("-1Ki", "-1024"),
    ],
)
def test_quantities(quantity: int | str, value: str) -> None:
    """All forms of the API reference are read."""
    assert parse_quantity(quantity) == Decimal(value)


@pytest.mark.parametrize(
    "quantity", ["", "Gi", "1 Gi", "1gi", "1.2.3", ".", "1e", "1e3Gi", "1Gi\n", "1e999999999", "٣"]
)
def test_what_is_no_quantity(quantity: str) -> None:
    """Whatever else a manifest contains is an error."""
    with pytest.raises(ValueError, match="is not a quantity such as 500m or 2Gi"):
        parse_quantity(quantity)


def test_long_text_takes_no_longer_than_reading_it() -> None:
    """A manifest of a user may contain a megabyte of digits: quadratic time would be hours."""
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity("1" * 1_000_000 + "x")
