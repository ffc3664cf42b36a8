"""How the real tritonserver reads its arguments, which a rule of the CRD is about."""

import os
import re
import subprocess

import pytest

from halimede.api.runtime import RESERVED_ARGUMENTS
from localcluster import folders, triton


def run_triton(*arguments: str) -> str:
    """Run tritonserver with arguments with which it exits at once; return all its output."""
    server = triton.prepare(folders.cache())
    finished = subprocess.run(
        [server.tree / "bin" / "tritonserver", *arguments],
        env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, server.libraries))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return finished.stdout


@pytest.mark.parametrize("name", ["--model-control", "--model-control-m", "--model-control-mode"])
def test_a_beginning_stands_for_the_name(name: str) -> None:
    """The server takes a value for the mode, whichever beginning of the name comes before it."""
    assert "invalid argument for --model-control-mode" in run_triton(f"{name}=nonsense")
    assert "invalid argument for --model-control-mode" in run_triton(name, "nonsense")


def test_only_arguments_of_halimede_are_reserved() -> None:
    """Every reserved name is an argument of the server, and none begins like a reserved one."""
    known = set(re.findall(r"^\s+(--[a-z0-9-]+)", run_triton("--help"), re.MULTILINE))
    assert set(RESERVED_ARGUMENTS) <= known
    others = known - set(RESERVED_ARGUMENTS)
    assert others
    assert [
        one for one in others if any(name.startswith(one) for name in RESERVED_ARGUMENTS)
    ] == []
