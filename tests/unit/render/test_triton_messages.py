"""Triton's protobuf messages without the rest of its client."""

import subprocess
import sys


def test_the_client_itself_is_not_imported() -> None:
    """The operator imports neither gRPC nor NumPy, which would take a third of its memory."""
    program = "import sys, halimede.app; print(*{'grpc', 'numpy'} & sys.modules.keys())"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
