"""Corruptions of photos, each at any level, such as `noise-0.1`. No TensorFlow.

Kinds as in Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions", 2019; a level
here is a quantity that each function defines, not a step from 1 to 5.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

Photos = NDArray[np.uint8]


def is_corruption(view: str) -> bool:
    return view.partition("-")[0] in KINDS


def corrupt(view: str, photos: Photos, seeds: NDArray[np.int64]) -> Photos:
    """The photos, uint8 [n, h, w, 3], each corrupted in the same way; randomness depends only on a photo's seed.

    A view that is not a corruption, such as `plain`, returns them unchanged.
    """
    if not is_corruption(view):
        return photos
    kind, _, level = view.partition("-")
    return np.array(
        [KINDS[kind](photo, float(level), int(seed)) for photo, seed in zip(photos, seeds, strict=True)], np.uint8
    ).reshape(photos.shape)


def _noise(photo: Photos, level: float, seed: int) -> Photos:
    """White Gaussian noise; `level` is its standard deviation as a share of white."""
    noise = np.random.default_rng(seed).normal(0, 255 * level, photo.shape)
    return np.clip(photo + noise, 0, 255).round().astype(np.uint8)


def _blur(photo: Photos, level: float, _: int) -> Photos:
    """Gaussian blur; `level` is its standard deviation as a share of the side."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(level * len(photo))))


def _jpeg(photo: Photos, level: float, _: int) -> Photos:
    """Stored as a JPEG of the quality `level`, 1 to 95."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=round(level))
    return np.asarray(Image.open(file))


def _brightness(photo: Photos, level: float, _: int) -> Photos:
    """`level` times as bright."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(photo)).enhance(level))


KINDS: dict[str, Callable[[Photos, float, int], Photos]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "brightness": _brightness,
}
