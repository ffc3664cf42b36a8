"""Kubernetes quantities, such as `500m` or `2Gi`.

Source: the type Quantity in "Common Definitions" of the Kubernetes API reference.
"""

import re
from decimal import Decimal

Quantity = int | str
"""A quantity in a manifest."""

# Kubernetes caps quantities at 2**63: longer exponents have no use, and a decimal has no room.
# Text of any length is matched in linear time.
_FORM = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]{1,2})|([KMGTPE]i|[numkMGTPE]))?"
)
_UNITS = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
_UNITS |= {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)}
_UNITS |= {unit: Decimal(1000) ** -power for power, unit in enumerate("mun", 1)}


def parse_quantity(quantity: object) -> Decimal:
    """Return the value of a quantity.

    Raises:
        ValueError: It is not a quantity.

    >>> parse_quantity("500m") == parse_quantity("0.5"), int(parse_quantity("1Ki"))
    (True, 1024)
    """
    match = _FORM.fullmatch(str(quantity))
    if match is None:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m or 2Gi")
    digits, exponent, unit = match.groups()
    return Decimal(digits + (exponent or "")) * _UNITS.get(unit or "", Decimal(1))
