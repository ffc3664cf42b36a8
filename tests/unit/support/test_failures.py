"""The end of `make test` names what failed in any of its runs."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.failures import VARIABLE

TESTS = """
import pytest

@pytest.fixture
def broken():
    raise OSError("no server")

def test_passes(): pass
def test_fails(): assert 1 == 2, "one is not two"
def test_has_no_fixture(broken): pass
"""


def test_failed_tests_are_named_with_their_messages(tmp_path: Path) -> None:
    """Given two runs with failures, the file has those of both, with what they said."""
    (tmp_path / "conftest.py").write_text(
        "from tests.support.failures import pytest_terminal_summary\n"
    )
    failures = tmp_path / "failures"
    for name in ("test_first.py", "test_second.py"):
        (tmp_path / name).write_text(TESTS)
        subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", name],
            cwd=tmp_path,
            env={**os.environ, VARIABLE: str(failures), "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            check=False,
        )
    assert failures.read_text().splitlines() == [
        "test_first.py::test_fails: AssertionError: one is not two",
        "test_first.py::test_has_no_fixture: OSError: no server",
        "test_second.py::test_fails: AssertionError: one is not two",
        "test_second.py::test_has_no_fixture: OSError: no server",
    ]
