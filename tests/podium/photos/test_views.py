import numpy as np
import pytest

from podium.photos.views import FIXED, boxes

ROWS = np.arange(2000)


def cut(photo: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The pixels whose centres lie in the box, from its first corner to its second."""
    top, left, bottom, right = (round(float(edge) * len(photo)) for edge in box)
    part = photo[top:bottom, min(left, right) : max(left, right)]
    return part[:, ::-1] if right < left else part


PHOTO = np.arange(64).reshape(8, 8)


@pytest.mark.parametrize(
    "view, expected",
    [
        ("plain", PHOTO),
        ("flip", PHOTO[:, ::-1]),
        ("zoom", PHOTO[1:7, 1:7]),
        ("zoom-flip", PHOTO[1:7, 1:7][:, ::-1]),
    ],
)
def test_fixed_views_cut_and_mirror_the_photo_alike_for_every_row(view: str, expected: np.ndarray) -> None:
    found = boxes(view, ROWS)
    assert (found.shape, found.dtype) == ((2000, 4), np.float32)
    assert np.array_equal(cut(PHOTO, found[0]), expected)
    assert (found == found[0]).all()


def test_crops_lie_inside_the_photo_within_the_bounds_of_area_and_aspect() -> None:
    found = boxes("crop-1", ROWS).astype(float)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    height, width = found[:, 2] - found[:, 0], np.abs(found[:, 3] - found[:, 1])
    assert (height * width).min() >= 0.15 - 1e-6
    assert (height * width).max() > 0.9
    assert (width / height).min() >= 3 / 4 - 1e-6
    assert (width / height).max() <= 4 / 3 + 1e-6


def test_half_of_the_crops_are_mirrored() -> None:
    found = boxes("crop-1", ROWS)
    # Four standard deviations of a fair coin thrown 2,000 times.
    assert abs((found[:, 3] < found[:, 1]).mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_a_crop_depends_on_its_number_and_its_row_alone() -> None:
    some = np.array([7, 3, 1999])
    assert np.array_equal(boxes("crop-2", some), boxes("crop-2", ROWS)[some])
    assert len(np.unique(boxes("crop-2", ROWS), axis=0)) == 2000
    assert not np.isin(boxes("crop-1", ROWS)[:, 0], boxes("crop-2", ROWS)[:, 0]).all()


@pytest.mark.parametrize("view", [*FIXED, "crop-1"])
def test_no_rows_give_no_boxes(view: str) -> None:
    assert boxes(view, ROWS[:0]).shape == (0, 4)
