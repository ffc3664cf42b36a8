"""What failed in one run of pytest, for a command that has several runs behind it."""

import os
from pathlib import Path

import pytest

VARIABLE = "FAILED_TESTS"
"""The environment variable that names the file to which the failed tests are added."""
LONGEST = 300
"""Characters of a message; the run's own output has all of it."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Implement the hook of pytest: add each failed test and its message to the file.

    `make test` runs pytest three times and prints the file last, as the output of a run is long.
    """
    if hasattr(terminalreporter.config, "workerinput"):
        return  # a process of pytest-xdist; the one that started it reports
    file = os.environ.get(VARIABLE)
    reports = [
        report
        for outcome in ("failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    if file and reports:
        with Path(file).open("a", encoding="utf-8") as failures:
            failures.writelines(f"{describe(report)}\n" for report in reports)


def describe(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the test's id and the first line of what it said, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else report.longreprtext.strip().splitlines()[-1]
    return f"{report.nodeid}: {message.splitlines()[0][:LONGEST]}"
