"""Start a load of several minutes, print its process id, and wait to be killed.

Run as ``python -m tests.demo.director FILE``; a test kills it.
"""

import multiprocessing
import sys
from pathlib import Path

from harness.load import Load
from tests.demo.plans import to_nobody


def main() -> None:
    """Start the load and wait for its end."""
    records = Path(sys.argv[1])
    Load(to_nobody(records, seconds=300)).start()
    (load,) = multiprocessing.active_children()
    (records.parent / "pid").write_text(str(load.pid))
    load.join()


if __name__ == "__main__":
    main()
