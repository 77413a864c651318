from pathlib import Path

import numpy as np
import pytest
from conftest import SUBJECTS, encoded, photo
from numpy.typing import NDArray
from PIL import Image

from podium.photos import images, records
from podium.progress import TOGETHER
from podium.step import BadInput
from preprocess import preprocess

# More photos than are decoded at a time.
PHOTOS = [
    photo(SUBJECTS[number % 4], number, 40, "PNG" if number % 3 else "JPEG") for number in range(9 * TOGETHER + 5)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records.write(
        tmp_path / "a-0.tfrecord", (records.Record(str(place), data, "x") for place, data in enumerate(PHOTOS))
    )
    (tmp_path / "depth.json").write_text('{"range": null}')
    return tmp_path / "a-0.tfrecord"


def decoded(path: Path, fit: str = "crop", threads: int = 1) -> NDArray[np.uint8]:
    """The step's pixels of the photos in a part's records."""
    pixels = path.with_name("a.npy")
    preprocess(
        path.parent, path.with_name("depth.json"), pixels, part="a-0", size=24, fit=fit, grey=False, threads=threads
    )
    return np.load(pixels)


@pytest.mark.parametrize("threads", [1, 8])
def test_each_photo_is_decoded_in_the_records_order(path: Path, threads: int) -> None:
    found = decoded(path, threads=threads)
    assert (found.shape, found.dtype) == ((len(PHOTOS), 24, 24, 3), np.uint8)
    assert np.array_equal(found, np.stack([images.decode(data, 24) for data in PHOTOS]))


def test_a_part_without_photos_gives_a_file_without_rows(path: Path) -> None:
    records.write(path, [])
    assert decoded(path).shape == (0, 24, 24, 3)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_the_settings_reach_each_photo_and_a_cut_one_is_used(path: Path, fit: str) -> None:
    deep = encoded(Image.fromarray(np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)), "PNG")
    cut = photo("temple", 1)[:-800]
    records.write(path, [records.Record(str(place), data, "x") for place, data in enumerate([deep, cut])])
    path.with_name("depth.json").write_text('{"range": [0, 2399]}')
    found = decoded(path, fit=fit)
    assert np.array_equal(found[0], images.decode(deep, 24, fit, [0, 2399]))
    assert np.ptp(found[0]) > 240
    assert np.array_equal(found[1], images.decode(cut, 24, fit))


def test_damaged_records_stop_it(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    with pytest.raises(BadInput, match=f"record {len(PHOTOS) - 1} is damaged"):
        decoded(path, threads=2)
    path.write_bytes(data[: len(data) // 2] + b"\0" + data[len(data) // 2 + 1 :])
    with pytest.raises(BadInput, match=r"a-0\.tfrecord: record \d+ is damaged"):
        decoded(path, threads=2)
