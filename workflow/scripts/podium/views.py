"""Views of a square photo as boxes to cut out, for training and for test-time averaging. No TensorFlow.

A box is (top, left, bottom, right) in 0..1, as `tf.image.crop_and_resize` takes it; right before left
mirrors the photo.
"""

import numpy as np
from numpy.typing import NDArray

ZOOM = 0.75
CROP_AREA = (0.15, 1.0)
CROP_ASPECT = (3 / 4, 4 / 3)
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
    return np.array([_crop(np.random.default_rng([number, int(row)])) for row in rows], np.float32).reshape(-1, 4)


def _crop(random: np.random.Generator) -> tuple[float, float, float, float]:
    area = random.uniform(*CROP_AREA)
    aspect = np.exp(random.uniform(*np.log(CROP_ASPECT)))
    width, height = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    left, right = (left, left + width) if random.random() < 0.5 else (left + width, left)
    return top, left, top + height, right
