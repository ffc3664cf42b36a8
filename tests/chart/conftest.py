from pathlib import Path

import pytest

from tests.chart.rendering import Helm


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """Return the helm of the local cluster."""
    return Helm.built(tmp_path)
