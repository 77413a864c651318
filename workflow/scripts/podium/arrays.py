"""Arrays on disk, written and read row by row: `.npy` files, whose rows may have named fields. No TensorFlow.

Rows are read with `pread`, not memory-mapped: memory use does not grow with the files, and any order of rows, such as a
shuffled epoch, costs the same as the order on disk.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def write(path: Path, dtype: DTypeLike, shape: tuple[int, ...], blocks: Iterable[NDArray[Any]]) -> None:
    """Writes an `.npy` file of this shape, block by block, each of one or more rows.

    Raises ValueError if the rows do not match the shape or its number of rows.
    """
    count, kind = 0, np.dtype(dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, header)
        for block in blocks:
            if block.shape[1:] != shape[1:]:
                raise ValueError(f"a row of shape {block.shape[1:]} in a file of shape {shape}")
            file.write(np.ascontiguousarray(block, kind).data.cast("B") if block.size else b"")
            count += len(block)
    if count != shape[0]:
        raise ValueError(f"{count} rows in a file of shape {shape}")


class Rows:
    """The rows of several files as if they were one array: `rows[places]`; `shape` and `dtype` are those of a row."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths, lengths, self._offsets = list(paths), [0], list[int]()
        self.shape: tuple[int, ...] = ()
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        for path in paths:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                (length, *shape), _, self.dtype = np.lib.format.read_array_header_2_0(file)
                self._offsets.append(file.tell())
            self.shape = tuple(shape)
            lengths.append(length)
        self._starts = np.cumsum(lengths)  # the number of the first row of each file

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def bytes_per_row(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.shape))

    def __getitem__(self, rows: ArrayLike) -> NDArray[Any]:
        """These rows [n, *shape], in this order."""
        places = np.asarray(rows, np.int64)
        # Rows that follow each other are read at once.
        files = np.searchsorted(self._starts, places, side="right") - 1
        breaks = np.flatnonzero((np.diff(places) != 1) | (np.diff(files) != 0)) + 1
        ends = [0, *breaks.tolist(), len(places)] if len(places) else [0]
        data = b"".join(self._read(int(files[start]), int(places[start]), end - start) for start, end in pairwise(ends))
        return np.frombuffer(data, self.dtype).reshape(-1, *self.shape)

    def _read(self, file: int, row: int, count: int) -> bytes:
        # Opened each time, since there may be more files than a process may open.
        descriptor = os.open(self._paths[file], os.O_RDONLY)
        try:
            start = self._offsets[file] + (row - int(self._starts[file])) * self.bytes_per_row
            data = os.pread(descriptor, count * self.bytes_per_row, start)
        finally:
            os.close(descriptor)
        if len(data) != count * self.bytes_per_row:
            raise ValueError(f"{self._paths[file]}: the file is cut off")
        return data

    def batches(self, rows: NDArray[np.int64], size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
        """Row numbers and rows, at most `size` at a time."""
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            yield some, self[some]
