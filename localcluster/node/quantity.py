"""Kubernetes quantities: `500m`, `2Gi`, `1e3`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import math
import re
from decimal import Decimal

_BINARY = {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate("kMGTPE", start=1)}
_SMALL = {"m": Decimal("1e-3"), "u": Decimal("1e-6"), "n": Decimal("1e-9")}
_FACTORS: dict[str, Decimal] = {
    "": Decimal(1),
    **{suffix: Decimal(factor) for suffix, factor in (_BINARY | _DECIMAL).items()},
    **_SMALL,
}
_GRAMMAR = re.compile(r"(?P<number>[+-]?[\d.]+(?:[eE][+-]?\d+)?)(?P<suffix>[a-zA-Z]*)")


def parse(text: str | float) -> Decimal:
    """Return the value of a quantity; raise `ValueError` if the text is no quantity.

    >>> parse("500m"), parse("2Ki"), parse("1e3")
    (Decimal('0.500'), Decimal('2048'), Decimal('1E+3'))
    """
    match = _GRAMMAR.fullmatch(str(text).strip())
    if match is None or match["suffix"] not in _FACTORS:
        raise ValueError(f"{text!r} is no quantity: write a number with m, k, M, G, Ki, Mi, Gi …")
    return Decimal(match["number"]) * _FACTORS[match["suffix"]]


def in_units(text: str | float, divisor: str | float) -> int:
    """Return a quantity in units of `divisor`, rounded up, as a resourceFieldRef gives it.

    >>> in_units("1500m", "1"), in_units("64Mi", "1Mi")
    (2, 64)
    """
    unit = parse(divisor) or Decimal(1)
    return math.ceil(parse(text) / unit)
