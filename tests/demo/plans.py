"""Plans of small loads."""

from pathlib import Path

from harness.data import digits
from harness.load import Plan

NOBODY = "127.0.0.1:9"
"""An address where nothing listens: each request is recorded as lost."""


def to_nobody(records: Path, seconds: float) -> Plan:
    """Plan a load without a server."""
    return Plan(
        http=NOBODY,
        grpc=NOBODY,
        authority="digits.example.com",
        model="digits",
        images=digits()[1],
        records=records,
        rate=50.0,
        seconds=seconds,
    )
