"""The folders of the local cluster: built programs, and the files of each cluster."""

import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
"""The folder of this package."""


def cache() -> Path:
    """Return the folder for files that can be rebuilt: ``$XDG_CACHE_HOME/halimede``."""
    return _home("XDG_CACHE_HOME", ".cache")


def clusters() -> Path:
    """Return the folder with a folder for each cluster: ``$XDG_STATE_HOME/halimede/clusters``."""
    return _home("XDG_STATE_HOME", ".local/state") / "clusters"


def _home(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "halimede"
