"""Reads and writes the tables that steps exchange. No TensorFlow.

In the index, photos of the same `group`, a whole number, belong together: they are copies, or the competition assigns
them to one group. Several photos may have the same split and id: they follow each other, and have one answer.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

KEYS = ["split", "id"]  # what an answer is known by
INDEX_COLUMNS = ["id", "file", "label", "split", "part", "width", "height", "format", "digest", "group", "note"]
QUARANTINE_COLUMNS = ["id", "file", "label", "split", "reason"]


def read_csv(path: Path, only: list[str] | None = None) -> pd.DataFrame:
    """One of our own tables; text stays text, even if it looks like a number or a missing value.

    `only` names the columns to read; others take neither time nor memory.
    """
    columns = ["id", "file", "label", "split", "part", "format", "digest", "note", "reason", "predicted"]
    text = dict.fromkeys(columns, str)
    return pd.read_csv(path, usecols=only, dtype=text, keep_default_na=False, na_values={})


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table; floats have nine digits, which float32 needs to be read back unchanged."""
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.9g")


def answered(index: pd.DataFrame) -> pd.DataFrame:
    """The first photo of each split and id, which is what predictions have a row for."""
    return index.drop_duplicates(KEYS)


def part_places(index: pd.DataFrame, part: str) -> NDArray[np.int64]:
    """The places of a part's photos in their split."""
    return np.flatnonzero(index.part[index.split == part.rpartition("-")[0]] == part)
