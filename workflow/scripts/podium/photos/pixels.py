"""Decoded photos on disk: `.npy` files of uint8 [n, size, size, 3], read row by row. No TensorFlow."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podium import arrays


def write(path: Path, shape: tuple[int, int, int, int], rows: Iterable[NDArray[np.uint8]]) -> None:
    """Writes a file photo by photo; raises ValueError if the photos do not match the shape or its number of photos."""
    arrays.write(path, np.uint8, shape, (row[None] for row in rows))


class Pixels(arrays.Rows):
    """The photos of several files as if they were one file."""

    @property
    def size(self) -> int:
        return self.shape[0]
