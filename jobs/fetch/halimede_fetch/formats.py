"""Which formats the files of a model may have: `spec.model.supply.allowedFormats`."""

import re
from dataclasses import dataclass

from halimede_fetch.errors import FetchError
from halimede_fetch.names import shown

PICKLE = "pickle"
"""The word that stands for all of `PICKLE_FORMATS`."""
PICKLE_FORMATS = ("pkl", "pickle", "joblib", "dill", "pth", "ckpt")
"""Suffixes of the names of files that pickle loads; the schema of the field has the same ones."""
_FIELD = "spec.model.supply.allowedFormats"
_EXCLUDE = "spec.model.supply.exclude"
_PICKLED = re.compile(
    # joblib and pandas load compressed files by these names as well.
    rf".*\.({'|'.join(PICKLE_FORMATS)})(\.tar)?(\.(gz|bz2|xz|lzma|z|lz4|zst|zip))?",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats that are allowed; they are compared with the names of files only."""

    allowed: tuple[str, ...] = ()
    """Empty: all formats except those that pickle loads."""

    def check(self, name: str, path: str) -> None:
        """Check the format of a file called *name*; errors show its *path*.

        Raises:
            FetchError: It is not allowed.
        """
        pickle = PICKLE in map(str.casefold, self.allowed)
        if is_pickled(name):
            if not pickle:
                allow = f"add the word {PICKLE} to" if self.allowed else f"list {PICKLE} in"
                raise FetchError(
                    f"the file {shown(path)} is loaded by pickle, which executes code that the"
                    " file contains: convert it to a format such as ONNX or safetensors, leave it"
                    f" out by {_EXCLUDE}, or {allow} {_FIELD}, beside the formats of all other"
                    " files, if you trust the model like an image"
                )
        elif self.allowed and not any(_has_format(name, one) for one in self.allowed):
            raise FetchError(
                f"the file {shown(path)} has a format that {_FIELD} does not contain: add the"
                f" suffix of its name, or leave the file out by {_EXCLUDE}"
            )


NO_PICKLE = Formats()
"""No list: all formats except those that pickle loads."""


def is_pickled(name: str) -> bool:
    """Whether pickle loads files with this name, which may end in the name of a compression."""
    return _PICKLED.fullmatch(name) is not None


def _has_format(name: str, allowed: str) -> bool:
    """Whether *name* ends in the suffix *allowed*, or is *allowed* itself.

    >>> [_has_format(name, "onnx") for name in ("model.ONNX", "onnx", "modelonnx", "a.onnx.py")]
    [True, True, False, False]
    """
    return f".{name}".casefold().endswith(f".{allowed}".casefold())
