"""Photos as squares, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from podium.photos import geometry, images

sides = st.integers(1, 40)


@given(width=sides, height=sides, side=sides)
def test_what_is_small_enough_is_kept_pixel_by_pixel_and_mirrored_where_it_ends(
    width: int, height: int, side: int
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    found = geometry.square(Image.fromarray(photo), side, "keep", Image.Resampling.BICUBIC)
    assert found.shape == (side, side, 3)
    across, down = geometry.extent(width, height, side, "keep")
    if max(width, height) <= side:
        assert (across, down) == (width, height)
        np.testing.assert_array_equal(found[:height, :width], photo)
        np.testing.assert_array_equal(geometry.unsquared(found.astype(np.float32), width, height, "keep"), photo)
    assert max(across, down) <= side
    if across < side:
        np.testing.assert_array_equal(found[:, across], found[:, across - 1])


@pytest.mark.parametrize("fit", ["keep", "squash"])
def test_a_large_photo_comes_back_at_its_size_and_place(fit: str) -> None:
    photo = np.zeros((60, 100, 3), np.uint8)
    photo[30:, 50:] = 200
    found = geometry.square(Image.fromarray(photo), 40, fit, Image.Resampling.BICUBIC)
    back = geometry.unsquared(found.astype(np.float32), 100, 60, fit)
    assert back.shape == (60, 100, 3)
    assert back[33:, 54:].min() > 190
    assert back[:27, :46].max() < 10


def test_a_decoded_photo_is_kept_as_geometry_says_and_grey_if_so_wished() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(images.png(photo), 32, "keep")[:20, :30], photo)
    grey = images.decode(images.png(photo), 32, "keep", grey=True)[:20, :30]
    np.testing.assert_array_equal(grey, np.asarray(Image.fromarray(photo).convert("L"))[..., None].repeat(3, 2))
    np.testing.assert_array_equal(images.whole(images.png(photo), "RGB"), photo)
