"""Which files of a source become the model: `spec.model.supply.include` and `.exclude`."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

_FOLDER = "/"


@dataclass(frozen=True, slots=True)
class Selection:
    """Patterns that are compared with paths below the root of a source.

    They match as `fnmatch.fnmatchcase` does: `*` also matches `/`. As in huggingface_hub, `data/`
    means all files in that folder.
    """

    include: tuple[str, ...] = ()
    """Empty: all files."""
    exclude: tuple[str, ...] = ()

    @property
    def unlimited(self) -> bool:
        """Whether every file is selected, because there are no patterns."""
        return not self.include and not self.exclude

    def selects(self, path: str) -> bool:
        """Whether the file at *path* becomes part of the model.

        >>> selection = Selection(include=("*.onnx", "data/"), exclude=("*_old.onnx",))
        >>> [selection.selects(path) for path in ("1/a.onnx", "data/b", "1/a_old.onnx", "c.py")]
        [True, True, False, False]
        """
        included = not self.include or _matches_any(path, self.include)
        return included and not _matches_any(path, self.exclude)

    def enters(self, folder: str) -> bool:
        """Whether files in *folder* may be selected: no pattern excludes all that it can contain.

        A pattern that matches a text and ends in `*` also matches every longer text.

        >>> selection = Selection(exclude=("data/", "cache*", "*.bin"))
        >>> [selection.enters(folder) for folder in ("data", "cache/a", "b.bin", "1")]
        [False, False, True, True]
        """
        open_ended = tuple(one for one in self.exclude if one.endswith(("*", _FOLDER)))
        return not _matches_any(f"{folder}{_FOLDER}", open_ended)


EVERYTHING = Selection()
"""No patterns: all files of the source."""


def _matches_any(path: str, patterns: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase(path, f"{pattern}*" if pattern.endswith(_FOLDER) else pattern)
        for pattern in patterns
    )
