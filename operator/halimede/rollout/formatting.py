"""Durations and rates as text."""

MINUTE, HOUR, DAY = 60, 3600, 86400
MANY = 1000.0
"""From this rate on, requests per second are written without decimals."""


def duration(seconds: float) -> str:
    """Format a duration with its two largest units.

    >>> duration(75), duration(1800), duration(5000), duration(200000)
    ('1 min 15 s', '30 min', '1 h 23 min', '2 d 7 h')
    """
    whole = round(seconds)
    for size, unit, smaller, rest in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min")):
        if whole >= size:
            return _two_units(whole // size, unit, whole % size // smaller, rest)
    return _two_units(whole // MINUTE, "min", whole % MINUTE, "s")


def _two_units(large: int, unit: str, small: int, rest: str) -> str:
    parts = [f"{large} {unit}"] if large else []
    return " ".join([*parts, f"{small} {rest}"] if small or not large else parts)


def about(seconds: float) -> str:
    """Format an estimated duration in the largest unit of which it has two or more.

    >>> about(45), about(2437), about(5400), about(30000), about(604800)
    ('about 45 s', 'about 41 min', 'about 90 min', 'about 8 h', 'about 7 d')
    """
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"


def about_rate(per_second: float) -> str:
    """Format an estimated number of requests per second with two significant digits.

    >>> about_rate(0.1971), about_rate(12.5), about_rate(4321.0), about_rate(0.00167)
    ('0.2', '12', '4300', '0.0017')
    """
    return f"{float(f'{per_second:.2g}'):.10g}"


def rate(per_second: float) -> str:
    """Format a number of requests per second.

    >>> rate(0.2), rate(12.5), rate(4321.0)
    ('0.2', '12.5', '4321')
    """
    return f"{per_second:.0f}" if per_second >= MANY else f"{per_second:.4g}"
