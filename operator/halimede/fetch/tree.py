"""The folder that a source's files are written to, with all checks of their names and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from halimede.adapters.errors import FetchError
from halimede.fetch import names
from halimede.fetch.limits import Budget


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that gets the files of a model; it exists and is empty."""

    root: Path
    budget: Budget
    native_code: bool = False
    """Whether shared libraries may be among the files."""
    _folders: set[PurePosixPath] = field(init=False, default_factory=set)
    """The folders that have been accounted for."""

    def write(self, name: str, content: Iterable[bytes]) -> None:
        """Write one file; the producer of *content* accounts for its bytes.

        Raises:
            FetchError: The file must not be in a model, or the budget is exceeded.
            OSError: It exists already, or cannot be written.
        """
        with self.place(name).open("xb") as file:
            for chunk in content:
                file.write(chunk)

    def place(self, name: str) -> Path:
        """Return the path of a new file in the folder, after creating the folders above it.

        Raises:
            FetchError: The file must not be in a model, or the budget is exceeded.
            OSError: A folder cannot be created.
        """
        path = names.check(name)
        if names.is_native(path.name) and not self.native_code:
            raise FetchError(
                f"the model contains native code, {names.shown(name)}, which the server could run:"
                " remove the file, or set spec.model.allowNativeCode to true if you trust the"
                " model like an image"
            )
        self.budget.add_member()
        self._count(path.parent)
        (self.root / path.parent).mkdir(parents=True, exist_ok=True)
        return self.root / path

    def add_folder(self, name: str) -> None:
        """Account for a folder, which is created with its first file.

        Raises:
            FetchError: It must not be in a model, or the budget is exceeded.
        """
        if name.strip("./"):  # else it is the model's folder itself
            self._count(names.check(name))

    def _count(self, path: PurePosixPath) -> None:
        for folder in (path, *path.parents):
            if folder.parts and folder not in self._folders:
                self.budget.add_member()
                self._folders.add(folder)
