"""Which revision the entry Service selects."""

import pytest

from halimede.render.traffic import Backend, entry_revision


@pytest.mark.parametrize(
    ("stable", "other", "selected"),
    [(100, 0, "stable"), (5, 95, "stable"), (0, 100, "other"), (0, 0, "stable")],
)
def test_entry_service(stable: int, other: int, selected: str) -> None:
    """The entry Service selects the stable revision until that has no requests left."""
    assert entry_revision((Backend("stable", stable), Backend("other", other))) == selected
