"""Rows of named fields; what holds for all rows is checked on photos, in photos/test_pixels.py."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.arrays import Rows, write

KIND = np.dtype([("id", "U4"), ("values", "f4", (3,))])
TABLE = np.array([(f"é{row}", [row, 0.5, -1]) for row in range(9)], KIND)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Nine rows in three files, one of them empty."""
    folder = tmp_path_factory.mktemp("arrays")
    files = [folder / f"{number}.npy" for number in range(3)]
    write(files[0], KIND, (5,), [TABLE[:2], TABLE[2:5]])
    write(files[1], KIND, (0,), [])
    write(files[2], KIND, (4,), [TABLE[5:]])
    return files


def test_numpy_reads_what_was_written(files: list[Path]) -> None:
    assert np.array_equal(np.concatenate([np.load(file) for file in files]), TABLE)
    assert np.load(files[1])["values"].shape == (0, 3)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(0, 8), max_size=20))
def test_any_rows_of_several_files_come_in_any_order(files: list[Path], rows: list[int]) -> None:
    stored = Rows(files)
    assert (len(stored), stored.shape, stored.dtype) == (9, (), KIND)
    assert np.array_equal(stored[rows], TABLE[rows])


def test_a_row_of_another_shape_or_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="9 rows in a file of shape"):
        write(tmp_path / "a.npy", KIND, (8,), [TABLE])
    with pytest.raises(ValueError, match=r"a row of shape \(4,\)"):
        write(tmp_path / "a.npy", "f4", (2, 3), [np.zeros((2, 4), np.float32)])
