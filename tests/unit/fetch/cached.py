"""A cache in a folder, and what tests do with it."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halimede_fetch import cache
from halimede_fetch.limits import Budget
from halimede_fetch.obtain import Wanted

FILES = {"1/model.onnx": b"weights" * 20_000, "1/data/labels.txt": b"a\nb\n", "config.pbtxt": b"x"}
"""A model with a configuration of its own, which the cache does not have."""
KEPT = {**FILES, "config.pbtxt": b""}


def source_of(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write the files of a source; return its folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@dataclass(frozen=True)
class Cache:
    """A cache in a folder."""

    root: Path

    def fetch(self, source: object, *, max_bytes: int = 1 << 30, **wanted: Any) -> tuple[str, str]:
        """Fetch a source into it."""
        found, files = cache.fetch_into(
            Wanted(str(source), **wanted), self.root, Budget(max_bytes)
        )
        return found.digest, files

    def verify(self, files: str) -> int:
        """Verify a model in it."""
        return cache.verify(self.root, files, Budget())

    def model(self, files: str) -> Path:
        """Return the folder of a model's files, as pods mount it."""
        return cache.place(self.root, files) / "model"

    def edit(self, path: Path, content: bytes) -> None:
        """Change a file, which is read-only, in place."""
        path.chmod(0o644)
        path.write_bytes(content)

    def models(self) -> list[str]:
        """Return the digests of the models that are there."""
        return sorted(path.name for path in self.root.glob("sha256/*/*"))

    def stages(self) -> list[str]:
        """Return the names of the stages that are left."""
        return sorted(path.name for path in (self.root / "stage").iterdir())

    def forget(self) -> None:
        """Delete everything."""
        for path in self.root.iterdir():
            shutil.rmtree(path)
