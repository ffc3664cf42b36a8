from pathlib import Path

import pytest

from tests.chart.rendering import Helm


@pytest.fixture
def helm(tmp_path: Path) -> Helm:
    """The helm that the local cluster is installed with."""
    return Helm.built(tmp_path)
