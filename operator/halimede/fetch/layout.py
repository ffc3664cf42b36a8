"""Arrange a model's files as Triton's model repository requires: `<version>/…`, `config.pbtxt`.

Source: "Model Repository" in Triton's user guide: each model's folder holds numbered version
folders and the configuration.
"""

import shutil
from pathlib import Path

CONFIG = "config.pbtxt"
ONLY_VERSION = "1"


def arrange(source: Path, model: Path, config: Path | None) -> None:
    """Move the files under *source* into a new folder *model*, all of them read-only.

    A source with a numbered folder is treated as a whole model repository entry; everything else
    becomes version 1. *config* replaces a configuration that the source contains.
    """
    top = _top(source)
    model.mkdir(parents=True)
    if _versions(top):
        for entry in sorted(top.iterdir()):
            shutil.move(entry, model / entry.name)
    else:
        shutil.move(top, model / ONLY_VERSION)
        included = model / ONLY_VERSION / CONFIG
        if included.is_file():
            shutil.move(included, model / CONFIG)
    if config is not None:
        (model / CONFIG).unlink(missing_ok=True)
        shutil.copyfile(config, model / CONFIG)
    for path in model.rglob("*"):
        # Folders stay writable for their owner, who must be able to delete them.
        path.chmod(0o755 if path.is_dir() else 0o444)


def _top(source: Path) -> Path:
    """Return the one folder that archives often wrap everything in, if it is the model's."""
    entries = list(source.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and _versions(entries[0]):
        return entries[0]
    return source


def _versions(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir() and entry.name.isdecimal()]
