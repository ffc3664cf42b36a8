"""The folder that a source's files are written to, with all checks of their names and sizes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from halimede_fetch import names
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import NO_PICKLE, Formats
from halimede_fetch.limits import Budget
from halimede_fetch.selection import EVERYTHING, Selection


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder that gets the files of a model; it exists and is empty."""

    root: Path
    budget: Budget
    native_code: bool = False
    """Whether shared libraries may be among the files."""
    selection: Selection = EVERYTHING
    """Which files of the source are written; the reader of the source leaves out the others."""
    formats: Formats = NO_PICKLE
    """Which formats the files may have."""
    _left_out: list[str] = field(init=False, default_factory=list)
    """The first name in the source that was left out, if there is any."""
    _folders: set[PurePosixPath] = field(init=False, default_factory=set)
    """The folders that have been accounted for."""

    def selects(self, name: str) -> bool:
        """Whether a file of the source is to be written; account for it if it is left out.

        Raises:
            FetchError: Too many were left out, or the time is over.
        """
        selected = self.selection.selects(str(PurePosixPath(name)))
        if not selected:
            self._leave_out(name)
        return selected

    def takes(self, name: str) -> bool:
        """Whether a file of an archive is to be written; account for it if it is left out.

        Raises:
            FetchError: Too many were left out, or the time is over.
        """
        if names.is_of_macos(name):
            self.budget.skip_member()
            return False
        return self.selects(name)

    def enters(self, name: str) -> bool:
        """Whether a folder of the source may contain files to be written.

        Raises:
            FetchError: Too many were left out, or the time is over.
        """
        entered = self.selection.enters(name)
        if not entered:
            self._leave_out(f"{name}/")
        return entered

    def check_selected(self) -> None:
        """Check that the selection did not leave out everything.

        Raises:
            FetchError: No file was written, but files were left out.
        """
        if self._left_out and not any(self.root.iterdir()):
            raise FetchError(
                f"spec.model.supply leaves out every file, such as {names.shown(*self._left_out)}:"
                " correct the patterns in spec.model.supply.include and spec.model.supply.exclude,"
                " which are compared with whole paths below the source's root"
            )

    def _leave_out(self, name: str) -> None:
        self.budget.skip_member()
        if not self._left_out:
            self._left_out.append(name)

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
        self.formats.check(path.name, name)
        self.budget.add_member()
        self._count(path.parent)
        (self.root / path.parent).mkdir(parents=True, exist_ok=True)
        return self.root / path

    def add_folder(self, name: str) -> None:
        """Account for a folder, which is created with its first file.

        If only some files are selected, it counts with the first of them.

        Raises:
            FetchError: It must not be in a model, or the budget is exceeded.
        """
        if not self.selection.unlimited:
            self.budget.skip_member()
        elif name.strip("./"):  # else it is the model's folder itself
            self._count(names.check(name))

    def _count(self, path: PurePosixPath) -> None:
        for folder in (path, *path.parents):
            if folder.parts and folder not in self._folders:
                self.budget.add_member()
                self._folders.add(folder)
