import pytest

from localcluster.node.quantity import parse


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("2Gi", 2 * 1024**3),
        ("1.5k", 1500),
        ("250m", 0.25),
        ("1e3", 1000),
        ("1E", 10**18),
    ],
)
def test_quantities_are_read_as_the_api_reads_them(text: str, number: float) -> None:
    """Binary and decimal suffixes, fractions and exponents are parsed."""
    assert parse(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1Gb", "x"])
def test_what_is_no_quantity_is_rejected(text: str) -> None:
    """The message describes a valid quantity."""
    with pytest.raises(ValueError, match="is no quantity: write a number with"):
        parse(text)
