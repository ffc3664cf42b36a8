"""Arrange a model's files as Triton's model repository requires: `<version>/…`, `config.pbtxt`.

Source: "Model Repository" in Triton's user guide: each model's folder holds numbered version
folders and the configuration. Folders whose names begin with 0 are ignored.
"""

import re
import shutil
from pathlib import Path

from halimede_fetch.errors import FetchError
from halimede_fetch.names import is_archive, is_of_macos, shown

CONFIG = "config.pbtxt"
ONLY_VERSION = "1"
_VERSION = re.compile(r"[1-9][0-9]*")


def arrange(source: Path, model: Path, config: Path | None) -> None:
    """Move the files under *source* into a new folder *model*, all of them read-only.

    A source with a numbered folder is treated as a whole model repository entry; everything else
    becomes version 1. *config* replaces a configuration that the source contains.

    Raises:
        FetchError: The source has no files, several models, or only an archive.
    """
    top = _top(source)
    entries = _entries(top)
    if not entries:
        raise FetchError("the source is empty: check spec.model.storageUri")
    if len(entries) == 1 and is_archive(entries[0].name):
        raise FetchError(
            f"the source contains only the archive {shown(entries[0].name)}: unpack it, or add its"
            " name to a pvc:// address in spec.model.storageUri"
        )
    to = model if _versions(top) else model / ONLY_VERSION
    to.mkdir(parents=True)
    for entry in entries:
        shutil.move(entry, to / entry.name)
    if to != model and (to / CONFIG).is_file():
        shutil.move(to / CONFIG, model / CONFIG)
    if config is not None:
        (model / CONFIG).unlink(missing_ok=True)
        shutil.copyfile(config, model / CONFIG)
    for path in model.rglob("*"):
        # Folders stay writable for their owner, who must be able to delete them.
        path.chmod(0o755 if path.is_dir() else 0o444)


def _top(source: Path) -> Path:
    """Return the folder that is the model: archives often wrap it in others."""
    return _model(source) or source


def _model(folder: Path) -> Path | None:
    """Return *folder* or the folder in it that is a model; None if nothing shows which.

    Files beside a model's folder are left out, as Triton does in a model repository.
    """
    entries = _entries(folder)
    if _versions(folder) or any(_is_part_of_model(entry) for entry in entries):
        return folder
    folders = [entry for entry in entries if entry.is_dir()]
    models = [entry for entry in folders if _versions(entry)]
    if len(models) > 1:
        named = ", ".join(shown(entry.name) for entry in models[:3])
        raise FetchError(
            f"the source contains {len(models)} models ({named}), but a ModelDeployment serves"
            " one: let spec.model.storageUri lead to one of them"
        )
    if models and len(folders) == 1:
        return models[0]
    return _model(entries[0]) if len(entries) == len(folders) == 1 else None


def _is_part_of_model(entry: Path) -> bool:
    """Whether this is what lies in a model's folder: Triton's default names are `model.…`."""
    return entry.name == CONFIG or entry.name.startswith("model.")


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not is_of_macos(entry.name))


def _versions(folder: Path) -> list[Path]:
    return [
        entry for entry in folder.iterdir() if entry.is_dir() and _VERSION.fullmatch(entry.name)
    ]
