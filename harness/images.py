"""Images of handwritten digits: select some, draw one, and check answers about them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE = 8
"""Pixels along one side of an image."""

DARKEST = 16
"""The value of a pixel that is all ink; 0 is paper."""

SHADES = " ░▒▓█"


@dataclass(frozen=True, slots=True)
class Images:
    """Images of 64 pixels (0 to 16), and the digit that each of them shows."""

    pixels: npt.NDArray[np.float32]
    digits: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.digits)

    def pick(self, chosen: npt.ArrayLike) -> "Images":
        """Return the images at the positions ``chosen``."""
        positions = np.asarray(chosen)
        return Images(self.pixels[positions], self.digits[positions])

    def right(self, answers: npt.ArrayLike) -> int:
        """Return the number of answers that name the digit shown."""
        return int((np.asarray(answers) == self.digits).sum())


def draw(pixels: npt.NDArray[np.float32]) -> str:
    """Draw one image in eight lines, two columns to a pixel.

    >>> print(draw(np.array([0, 4, 8, 16] * 16, dtype=np.float32)).splitlines()[0])
      ░░▒▒██  ░░▒▒██
    """
    levels = (pixels.reshape(SIDE, SIDE) / DARKEST * (len(SHADES) - 1)).round().astype(int)
    return "\n".join("".join(SHADES[level] * 2 for level in row) for row in levels)
