"""Each way to spoil a photo does what it says, and the same each time."""

import numpy as np
import pytest
from conftest import subject
from PIL import Image

from podium.photos import corruptions

PHOTO = np.asarray(subject("chelsea").resize((96, 96), Image.Resampling.BICUBIC).convert("RGB"))
PHOTOS, ROWS = np.stack([PHOTO, PHOTO]), np.array([3, 8])


def spoilt(kind: str, level: float) -> np.ndarray:
    return corruptions.corrupt(f"{kind}-{level}", PHOTOS, ROWS)


@pytest.mark.parametrize("kind", corruptions.KINDS)
def test_a_photo_stays_a_photo_and_is_spoilt_the_same_each_time(kind: str) -> None:
    level = {"jpeg": 10, "brightness": 0.5}.get(kind, 0.05)
    found = spoilt(kind, level)
    assert (found.shape, found.dtype) == (PHOTOS.shape, np.uint8)
    assert (found != PHOTOS).mean() > 0.3
    np.testing.assert_array_equal(found, spoilt(kind, level))
    # Only noise differs from one row to the next.
    assert (found[0] != found[1]).any() == (kind == "noise")


@pytest.mark.parametrize(("kind", "milder", "harder"), [("noise", 0.02, 0.2), ("blur", 0.005, 0.05), ("jpeg", 90, 5)])
def test_a_harder_level_is_farther_from_the_photo(kind: str, milder: float, harder: float) -> None:
    far = [np.abs(spoilt(kind, level) - PHOTOS.astype(float)).mean() for level in (milder, harder)]
    assert far[0] < far[1] / 1.5


def test_noise_has_the_deviation_that_it_says() -> None:
    grey = np.full((1, 200, 200, 3), 128, np.uint8)
    found = corruptions.corrupt("noise-0.1", grey, np.array([0])).astype(float)
    assert found.mean() == pytest.approx(128, abs=0.3)
    assert found.std() == pytest.approx(25.5, rel=0.02)


def test_brightness_multiplies_and_blur_keeps_the_mean() -> None:
    np.testing.assert_allclose(spoilt("brightness", 0.5), PHOTOS / 2, atol=1)
    np.testing.assert_allclose(spoilt("brightness", 2.0), np.minimum(PHOTOS * 2.0, 255), atol=1)
    assert spoilt("blur", 0.02).mean() == pytest.approx(PHOTOS.mean(), abs=1)
    for kind, nothing in [("noise", 0.0), ("blur", 0.0), ("brightness", 1.0)]:
        np.testing.assert_array_equal(spoilt(kind, nothing), PHOTOS)


def test_other_views_and_no_photos_stay_as_they_are() -> None:
    for view in ("plain", "zoom-flip", "crop-1"):
        np.testing.assert_array_equal(corruptions.corrupt(view, PHOTOS, ROWS), PHOTOS)
    assert corruptions.corrupt("jpeg-20", PHOTOS[:0], ROWS[:0]).shape == (0, 96, 96, 3)
