"""Run the demo: ``python -m demo``. It exits with 0 if every claim it showed was true."""

import logging
import sys

from rich.console import Console

from demo.story import tell


def main() -> int:
    """Play the demo on this terminal."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    try:
        return 0 if tell(Console()) else 1
    except KeyboardInterrupt:
        return 130  # the exit status of shells for a program that the user interrupted


if __name__ == "__main__":
    sys.exit(main())
