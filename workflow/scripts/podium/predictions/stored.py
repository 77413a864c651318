"""Predictions as arrays on disk, with their keys, read and combined in blocks. No TensorFlow.

A file is a structured `.npy` array with a row for each split and id, which several photos may share: `split`, `id` and
`probabilities`, float32 [outputs], in the order of `Task.labels`. So `numpy.load(path)["probabilities"]` gives all of
them. Those of each pixel are uint8, with 255 for 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import arrays
from podium.tables import KEYS, answered
from podium.tasks import Task

BYTE = 255  # what a probability of 1 is in predictions that are stored as bytes
CELLS = 1 << 22  # of a block of probabilities, so that memory grows neither with photos nor with labels

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Values(Protocol):
    """What gives probabilities float32 [k, outputs] of k rows: an array, a file, or a mean that is computed."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


class Predictions:
    """Probabilities of photos, `predictions[rows]`, and their `keys`: `split` and `id` of each."""

    def __init__(self, keys: pd.DataFrame, values: Values, places: Ints | None = None) -> None:
        """`places` are the rows of the values that belong to the keys; by default all of them, in this order."""
        self.keys, self._values = keys[KEYS].reset_index(drop=True), values
        self._places = np.arange(len(keys)) if places is None else places
        self.outputs = int(values.shape[1])
        self.kind: str = getattr(values, "kind", "f4")

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: Any) -> Floats:
        """Probabilities float32 [k, outputs] of these k rows."""
        return np.asarray(self._values[self._places[rows]], np.float32)

    def of(self, split: str) -> "Predictions":
        return self.rows(np.flatnonzero(self.keys.split == split))

    def at(self, keys: pd.DataFrame) -> "Predictions":
        """The rows of these photos, in their order; raises KeyError for one that was not predicted."""
        places = self.places(keys)
        if (places < 0).any():
            raise KeyError(tuple(keys[KEYS].iloc[int(places.argmin())]))
        return self.rows(places)

    def rows(self, rows: Ints) -> "Predictions":
        return Predictions(self.keys.take(rows), self._values, self._places[rows])

    def places(self, keys: pd.DataFrame) -> Ints:
        """The row of each of these photos, int [n]; -1 for one that was not predicted."""
        return pd.MultiIndex.from_frame(self.keys).get_indexer(pd.MultiIndex.from_frame(keys[KEYS]))

    def blocks(self, rows: Ints | None = None) -> Iterator[tuple[Ints, Floats]]:
        """Places in `rows`, by default in all rows, and their probabilities, a few at a time."""
        rows = np.arange(len(self)) if rows is None else rows
        size = max(1, CELLS // max(self.outputs, 1))
        for start in range(0, len(rows), size):
            places = np.arange(start, min(start + size, len(rows)))
            yield places, self[rows[places]]

    def write(self, path: Path) -> None:
        write(path, self.keys, self.outputs, (block for _, block in self.blocks()), self.kind)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """The predictions in a file; only their keys are read at once."""
        return cls(*_opened(path))


def some(rows: Ints, outputs: int) -> Ints:
    """Numbers of rows to fit a few parameters on: all, or evenly spaced ones whose probabilities fill a block."""
    most = max(1, CELLS // max(outputs, 1))
    return np.arange(len(rows)) if len(rows) <= most else np.linspace(0, len(rows) - 1, most).round().astype(np.int64)


class Scaled:
    """Predictions whose logits are divided by a temperature each, float32 [n], as rows are asked for."""

    def __init__(self, task: Task, predictions: Predictions, temperatures: Floats) -> None:
        self._task, self._predictions, self._temperatures = task, predictions, temperatures
        self.shape, self.kind = (len(predictions), predictions.outputs), predictions.kind

    def __getitem__(self, rows: Any) -> Floats:
        return self._task.link.tempered(self._predictions[rows], self._temperatures[rows][:, None])


def write(path: Path, keys: pd.DataFrame, outputs: int, blocks: Iterable[Floats], kind: str = "f4") -> None:
    """Writes the predictions of these photos, whose probabilities come in blocks, in the order of the keys.

    Photos of one split and id, which follow each other, get one row: the mean of theirs. The `kind` is float32, or
    uint8 (`u1`), which has 255 for 1.
    """
    first = ~keys.duplicated(KEYS).to_numpy(bool)
    keys, blocks = keys[first], _averaged(first.cumsum(), blocks)
    texts = [keys[name].to_numpy(str) if len(keys) else np.zeros(0, "U1") for name in KEYS]
    row = np.dtype([*((name, text.dtype) for name, text in zip(KEYS, texts, strict=True)), _values(outputs, kind)])

    def rows() -> Iterator[NDArray[Any]]:
        start = 0
        for block in blocks:
            found = np.empty(len(block), row)
            for name, text in zip(KEYS, texts, strict=True):
                found[name] = text[start : start + len(block)]
            found["probabilities"] = np.rint(block * BYTE) if kind == "u1" else block
            start += len(block)
            yield found

    arrays.write(path, row, (len(keys),), rows())


def _averaged(numbers: Ints, blocks: Iterable[Floats]) -> Iterator[Floats]:
    """The means of rows that follow each other and have the same number, int [n], which rises; in blocks too."""
    start, rows = 0, None
    for block in blocks:
        rows = block if rows is None else np.concatenate([rows, block])
        # The last number may go on in the next block.
        own = numbers[start : start + len(rows)]
        ready = int(np.searchsorted(own, own[-1])) if len(own) else 0
        yield _means(own[:ready], rows[:ready])
        start, rows = start + ready, rows[ready:]
    if rows is not None:
        yield _means(numbers[start:], rows)


def _means(numbers: Ints, rows: Floats) -> Floats:
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    counts = np.diff(starts, append=len(rows))
    return (np.add.reduceat(rows, starts) / counts[:, None]).astype(np.float32) if len(starts) else rows


def mean(tables: Sequence[Predictions], index: pd.DataFrame) -> Predictions:
    """The mean of each answer's rows in all tables, in the index's order; all that occur in any table."""
    listed: pd.DataFrame = answered(index)[KEYS].reset_index(drop=True)
    places = np.stack([table.places(listed) for table in tables])
    occurs = (places >= 0).any(0)
    return Predictions(listed.take(np.flatnonzero(occurs)), _Mean(tables, places[:, occurs]))


class _Mean:
    """The mean of tables, computed for the rows that are asked for; `places` are their rows in each, or -1."""

    def __init__(self, tables: Sequence[Predictions], places: Ints) -> None:
        self._tables, self._places = tables, places
        self.shape, self.kind = (places.shape[1], tables[0].outputs), tables[0].kind

    def __getitem__(self, rows: Any) -> Floats:
        places = self._places[:, rows]
        total = np.zeros((places.shape[1], self.shape[1]))
        for table, own in zip(self._tables, places, strict=True):
            total[own >= 0] += table[own[own >= 0]]
        return (total / (places >= 0).sum(0)[:, None]).astype(np.float32)


class _Field:
    """The probabilities in a file."""

    def __init__(self, rows: arrays.Rows) -> None:
        self._rows = rows
        self.shape = (len(rows), *rows.dtype["probabilities"].shape)
        self.kind = rows.dtype["probabilities"].base.str[1:]

    def __getitem__(self, rows: Any) -> Floats:
        found = self._rows[rows]["probabilities"]
        return np.divide(found, BYTE, dtype=np.float32) if self.kind == "u1" else found


def _opened(path: Path) -> tuple[pd.DataFrame, _Field]:
    rows = arrays.Rows([path])
    found: dict[str, list[NDArray[Any]]] = {name: [rows[[]][name]] for name in KEYS}
    for _, block in rows.batches(np.arange(len(rows)), max(1, 4 * CELLS // rows.bytes_per_row)):
        for name, own in found.items():
            own.append(block[name].copy())
    return pd.DataFrame({name: np.concatenate(own).astype(object) for name, own in found.items()}), _Field(rows)


def _values(outputs: int, kind: str) -> tuple[str, str, tuple[int, ...]]:
    return ("probabilities", kind, (outputs,))
