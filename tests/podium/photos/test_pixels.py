from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.photos.pixels import Pixels, write

PHOTOS = np.random.default_rng(0).integers(0, 256, (7, 5, 5, 3), np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seven photos in three files, one of them empty, as shards may be."""
    folder, files = tmp_path_factory.mktemp("pixels"), []
    for number, part in enumerate([PHOTOS[:4], PHOTOS[4:4], PHOTOS[4:]]):
        files.append(folder / f"train-{number}.npy")
        write(files[-1], part.shape, part)
    return files


def test_numpy_reads_what_was_written(files: list[Path]) -> None:
    assert np.array_equal(np.concatenate([np.load(file) for file in files]), PHOTOS)
    assert np.load(files[1]).shape == (0, 5, 5, 3)


def test_rows_that_lie_scattered_in_memory_are_written_in_order(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", PHOTOS.shape, (photo.swapaxes(0, 1) for photo in PHOTOS))
    assert np.array_equal(np.load(tmp_path / "a.npy"), PHOTOS.swapaxes(1, 2))


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.integers(0, 6), max_size=20))
def test_any_rows_of_several_files_come_in_any_order(files: list[Path], rows: list[int]) -> None:
    pixels = Pixels(files)
    assert (len(pixels), pixels.size, pixels.bytes_per_row) == (7, 5, 75)
    assert np.array_equal(pixels[rows], PHOTOS[rows])


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_cover_the_rows_once_and_in_order(files: list[Path], size: int) -> None:
    rows = np.array([6, 0, 5, 1, 3])
    batches = list(Pixels(files).batches(rows, size))
    assert [len(some) for some, _ in batches] == [min(size, 5 - start) for start in range(0, 5, size)]
    assert np.array_equal(np.concatenate([some for some, _ in batches]), rows)
    assert np.array_equal(np.concatenate([pixels for _, pixels in batches]), PHOTOS[rows])


@pytest.mark.parametrize("count", [6, 8])
def test_more_or_fewer_rows_than_promised_are_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"7 rows in a file of shape \\({count}, 5, 5, 3\\)"):
        write(tmp_path / "a.npy", (count, 5, 5, 3), PHOTOS)


def test_a_row_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a row of shape \(4, 5, 3\)"):
        write(tmp_path / "a.npy", PHOTOS.shape, [PHOTOS[0, 1:]])


def test_a_file_that_was_cut_short_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", PHOTOS.shape, PHOTOS)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut off"):
        Pixels([tmp_path / "a.npy"])[range(7)]
