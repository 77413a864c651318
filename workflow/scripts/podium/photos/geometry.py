"""How a photo becomes a square, for a photo and its target alike, where each pixel is answered. No TensorFlow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]


def extent(width: int, height: int, side: int, fit: str) -> tuple[int, int]:
    """The width and the height of a photo in a square of this side: all of it if it is squashed. `keep` leaves it as
    large as it is, or scales it down until it fits."""
    if fit == "squash":
        return side, side
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def square(image: Image.Image, side: int, fit: str, method: Image.Resampling) -> Array:
    """Pixels [side, side] or [side, side, channels]: the photo at the top left, and mirrored where it ends."""
    size = extent(*image.size, side, fit)
    pixels = np.asarray(image if size == image.size else image.resize(size, method))
    more = [(0, side - pixels.shape[0]), (0, side - pixels.shape[1]), *[(0, 0)] * (pixels.ndim - 2)]
    return np.pad(pixels, more, mode="symmetric")


def unsquared(pixels: NDArray[np.float32], width: int, height: int, fit: str) -> NDArray[np.float32]:
    """The inverse: float32 [side, side, channels] as [height, width, channels] of the photo."""
    across, down = extent(width, height, len(pixels), fit)
    shown = pixels[:down, :across]
    if (across, down) == (width, height):
        return shown
    method = Image.Resampling.BILINEAR
    layers = [Image.fromarray(each).resize((width, height), method) for each in np.moveaxis(shown, -1, 0)]
    return np.stack([np.asarray(each) for each in layers], -1)
