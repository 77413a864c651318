from pathlib import Path

import numpy as np
import pytest
from conftest import SUBJECTS, photo

from podium import images, records
from podium.step import BadInput
from preprocess import AHEAD, preprocess

# More photos than are decoded at a time.
PHOTOS = [photo(SUBJECTS[number % 4], number, 40, "PNG" if number % 3 else "JPEG") for number in range(AHEAD + 5)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records.write(tmp_path / "a.tfrecord", (records.Record(str(place), data, "x") for place, data in enumerate(PHOTOS)))
    return tmp_path / "a.tfrecord"


@pytest.mark.parametrize("threads", [1, 8])
def test_each_photo_is_decoded_in_the_records_order(path: Path, threads: int) -> None:
    preprocess(path, path.with_name("a.npy"), size=24, threads=threads)
    found = np.load(path.with_name("a.npy"))
    assert (found.shape, found.dtype) == ((len(PHOTOS), 24, 24, 3), np.uint8)
    assert np.array_equal(found, np.stack([images.decode(data, 24) for data in PHOTOS]))


def test_a_part_without_photos_gives_a_file_without_rows(tmp_path: Path) -> None:
    records.write(tmp_path / "a.tfrecord", [])
    preprocess(tmp_path / "a.tfrecord", tmp_path / "a.npy", size=24, threads=1)
    assert np.load(tmp_path / "a.npy").shape == (0, 24, 24, 3)


def test_damaged_records_stop_it(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    with pytest.raises(BadInput, match=f"record {len(PHOTOS) - 1} is damaged"):
        preprocess(path, path.with_name("a.npy"), size=24, threads=2)
    path.write_bytes(data[: len(data) // 2] + b"\0" + data[len(data) // 2 + 1 :])
    with pytest.raises(BadInput, match=r"a\.tfrecord: record \d+ is damaged"):
        preprocess(path, path.with_name("a.npy"), size=24, threads=2)
