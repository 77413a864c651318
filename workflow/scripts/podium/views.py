"""Views of a square photo as boxes to cut out, for training and for test-time averaging. No TensorFlow.

A box is (top, left, bottom, right) in 0..1, as `tf.image.crop_and_resize` takes it; right before left
mirrors the photo.
"""

import numpy as np
from numpy.typing import NDArray

ZOOM = 0.75
CROP_AREA = (0.15, 1.0)
CROP_ASPECT = (3 / 4, 4 / 3)

Box = tuple[float, float, float, float]

FIXED = {
    "plain": (0.0, 0.0, 1.0, 1.0),
    "flip": (0.0, 1.0, 1.0, 0.0),
    "zoom": ((1 - ZOOM) / 2, (1 - ZOOM) / 2, (1 + ZOOM) / 2, (1 + ZOOM) / 2),
    "zoom-flip": ((1 - ZOOM) / 2, (1 + ZOOM) / 2, (1 + ZOOM) / 2, (1 - ZOOM) / 2),
}


def is_random(view: str) -> bool:
    return view not in FIXED


def boxes(view: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Boxes float32 [n, 4] of one view of these rows.

    `crop-1`, `crop-2` and so on are random-resized crops, half of them mirrored (Szegedy et al., "Going
    deeper with convolutions", 2015, with a lower bound of 0.15 on the area); each depends on its number
    and the row alone.
    """
    if not is_random(view):
        return np.tile(np.array(FIXED[view], np.float32), (len(rows), 1))
    number = int(view.removeprefix("crop-"))
    return np.array([crop(np.random.default_rng([number, int(row)]), *CROP_AREA) for row in rows], np.float32).reshape(
        -1, 4
    )


def transforms(boxes: NDArray[np.float64], turns: NDArray[np.float64], size: int, side: int) -> NDArray[np.float32]:
    """What `ImageProjectiveTransformV3` takes to cut each box out of a photo of `size`, turned about its centre.

    `turns` are shares of a full turn; the outcome has `side`. float32 [n, 8]: output pixel (x, y) comes from
    (a x + b y + c, d x + e y + f), centres of pixels at whole numbers.
    """
    top, left, bottom, right = boxes.T * size
    across, down = (right - left) / side, (bottom - top) / side
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    a, b, d, e = cosine * across, -sine * down, sine * across, cosine * down
    middle = (side - 1) / 2
    c, f = (left + right - 1) / 2 - (a + b) * middle, (top + bottom - 1) / 2 - (d + e) * middle
    nothing = np.zeros_like(a)
    return np.stack([a, b, c, d, e, f, nothing, nothing], 1).astype(np.float32)


def crop(random: np.random.Generator, least: float, most: float) -> Box:
    """A random-resized crop of a share of the area between `least` and `most`, mirrored half of the time."""
    area = random.uniform(least, most)
    aspect = np.exp(random.uniform(*np.log(CROP_ASPECT)))
    width, height = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    left, right = (left, left + width) if random.random() < 0.5 else (left + width, left)
    return top, left, top + height, right
