"""Decoded photos on disk: `.npy` files of uint8 [n, size, size, 3], read row by row. No TensorFlow.

Rows are read with `pread`, not memory-mapped: memory use does not grow with the files, and any order
of rows, such as a shuffled epoch, costs the same as the order on disk.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write(path: Path, shape: tuple[int, int, int, int], rows: Iterable[NDArray[np.uint8]]) -> None:
    """Writes an `.npy` file row by row; raises ValueError if the rows do not match the shape or its number of rows."""
    count = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for row in rows:
            if row.shape != shape[1:]:
                raise ValueError(f"a row of shape {row.shape} in a file of shape {shape}")
            file.write(np.ascontiguousarray(row, np.uint8).data)
            count += 1
    if count != shape[0]:
        raise ValueError(f"{count} rows in a file of shape {shape}")


class Pixels:
    """The rows of several files as if they were one file."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._rows: list[tuple[Path, int]] = []
        self.size = 0
        for path in paths:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                shape, _, _ = np.lib.format.read_array_header_2_0(file)
                start = file.tell()
            self.size = shape[1]
            self._rows += [(path, start + row * self.bytes_per_row) for row in range(shape[0])]

    @property
    def bytes_per_row(self) -> int:
        return self.size * self.size * 3

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, rows: Iterable[int]) -> NDArray[np.uint8]:
        """Pixels uint8 [n, size, size, 3] of these rows, in this order."""
        data = b"".join(self._read(*self._rows[row]) for row in rows)
        return np.frombuffer(data, np.uint8).reshape(-1, self.size, self.size, 3)

    def _read(self, path: Path, start: int) -> bytes:
        descriptor = os.open(path, os.O_RDONLY)  # for each row, since there may be more files than a process may open
        try:
            return os.pread(descriptor, self.bytes_per_row, start)
        finally:
            os.close(descriptor)

    def batches(self, rows: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
        """Row numbers and pixels, at most `size` rows at a time."""
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            yield some, self.read(some)
