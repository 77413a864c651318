"""Reads and writes the tables that steps exchange. No TensorFlow.

In the index, photos of the same `group`, a whole number, belong together: they are copies, or the competition assigns
them to one group.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

INDEX_COLUMNS = ["id", "file", "label", "split", "part", "width", "height", "format", "digest", "group", "note"]
QUARANTINE_COLUMNS = ["id", "file", "label", "split", "reason"]


def read_csv(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """One of our own tables, or these columns of it; text stays text, even if it looks like a number or missing."""
    texts = ["id", "file", "label", "split", "part", "format", "digest", "note", "reason", "predicted"]
    text = dict.fromkeys(texts, str)
    return pd.read_csv(path, usecols=columns, dtype=text, keep_default_na=False, na_values={})


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table; floats have nine digits, which float32 needs to be read back unchanged."""
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.9g")


def classes(index: pd.DataFrame) -> list[str]:
    """The labels of the training photos, in the order of the columns of probabilities."""
    return sorted(set(index.label[index.split == "train"]))


def part_rows(index: pd.DataFrame, part: str) -> pd.DataFrame:
    """The photos of one part, in the order of its records, pixels and embeddings."""
    return index[index.part == part].reset_index(drop=True)


def part_places(index: pd.DataFrame, part: str) -> NDArray[np.int64]:
    """The places of a part's photos in their split."""
    return np.flatnonzero(index.part[index.split == part.rpartition("-")[0]] == part)


class Predictions(NamedTuple):
    """Probabilities float32 [n, classes] of photos identified by split and id."""

    keys: pd.DataFrame
    labels: list[str]
    probabilities: NDArray[np.float32]

    def of(self, split: str) -> "Predictions":
        chosen = (self.keys.split == split).to_numpy()
        return Predictions(self.keys[chosen].reset_index(drop=True), self.labels, self.probabilities[chosen])

    def at(self, keys: pd.DataFrame) -> "Predictions":
        """The rows of these photos, in their order."""
        places = pd.Series(range(len(self.keys)), pd.MultiIndex.from_frame(self.keys))
        rows = places.loc[pd.MultiIndex.from_frame(keys)].to_numpy()
        return Predictions(keys, self.labels, self.probabilities[rows])

    def write(self, path: Path) -> None:
        """Columns `split` and `id`, then one per class, found by position, since classes may have any name."""
        table = pd.DataFrame(self.probabilities, columns=range(len(self.labels)))
        write_csv(path, pd.concat([self.keys, table], axis=1).set_axis(["split", "id", *self.labels], axis=1))

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        with path.open(newline="", encoding="utf-8") as file:
            labels = next(csv.reader(file))[2:]
            numbers = range(len(labels))
            table = pd.read_csv(
                file,
                header=None,
                names=["split", "id", *numbers],
                dtype={"split": str, "id": str},
                keep_default_na=False,
            )
        return cls(table[["split", "id"]], labels, table[list(numbers)].to_numpy(np.float32))


def mean(tables: list[Predictions], index: pd.DataFrame) -> Predictions:
    """The mean of each photo's rows in all tables, in the index's order; all photos that occur in any table."""
    keys = pd.concat([table.keys for table in tables], ignore_index=True)
    stacked = pd.DataFrame(np.concatenate([table.probabilities for table in tables]))
    means = stacked.groupby([keys.split, keys.id]).mean()
    rows = pd.MultiIndex.from_frame(index[["split", "id"]])
    rows = rows[rows.isin(means.index)]
    return Predictions(rows.to_frame(index=False), tables[0].labels, means.loc[rows].to_numpy(np.float32))
