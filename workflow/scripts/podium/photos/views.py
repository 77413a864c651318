"""Views of a square photo as boxes to cut out, for training and for test-time averaging. No TensorFlow.

A view that is a corruption (`podium.photos.corruptions`) shows the whole photo.

A box is (top, left, bottom, right) in 0..1, as in `tf.image.crop_and_resize`; if right is less than left, the photo is
mirrored.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from podium.photos.corruptions import is_corruption

ZOOM = 0.75
CROP_AREA, CROP_ASPECT = (0.15, 1.0), 4 / 3

FIXED = {
    "plain": (0.0, 0.0, 1.0, 1.0),
    "flip": (0.0, 1.0, 1.0, 0.0),
    "zoom": ((1 - ZOOM) / 2, (1 - ZOOM) / 2, (1 + ZOOM) / 2, (1 + ZOOM) / 2),
    "zoom-flip": ((1 - ZOOM) / 2, (1 + ZOOM) / 2, (1 + ZOOM) / 2, (1 - ZOOM) / 2),
}


def boxes(view: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Boxes float32 [n, 4] of one view of these rows.

    `crop-1`, `crop-2` and so on are random-resized crops, half of them mirrored (Szegedy et al., "Going
    deeper with convolutions", 2015, with a lower bound of 0.15 on the area). Each depends only on its number and
    the photo's row in the split, so the crops do not depend on how the split is divided into parts.
    """
    if not view.startswith("crop-"):
        box = FIXED["plain"] if is_corruption(view) else FIXED[view]
        return np.tile(np.array(box, np.float32), (len(rows), 1))
    number = int(view.removeprefix("crop-"))
    drawn = [crops(np.random.default_rng([number, int(row)]), 1, CROP_AREA, CROP_ASPECT) for row in rows]
    return np.array(drawn, np.float32).reshape(-1, 4)


def transforms(boxes: NDArray[np.float64], turns: NDArray[np.float64], size: int, side: int) -> NDArray[np.float32]:
    """Transforms for `ImageProjectiveTransformV3` that cut each box, turned about its centre, out of a photo of `size`.

    `turns` are shares of a full turn; the output has the side `side`. float32 [n, 8]: output pixel (x, y) is taken from
    (a x + b y + c, d x + e y + f), with pixel centres at whole numbers.
    """
    top, left, bottom, right = boxes.T * size
    across, down = (right - left) / side, (bottom - top) / side
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    a, b, d, e = cosine * across, -sine * down, sine * across, cosine * down
    middle = (side - 1) / 2
    c, f = (left + right - 1) / 2 - (a + b) * middle, (top + bottom - 1) / 2 - (d + e) * middle
    nothing = np.zeros_like(a)
    return np.stack([a, b, c, d, e, f, nothing, nothing], 1).astype(np.float32)


def crops(
    random: np.random.Generator,
    count: int,
    area: Sequence[float],
    aspect: float,
    flip: bool = True,
    shift: float = 0.0,
) -> NDArray[np.float64]:
    """Random-resized crops, boxes float64 [count, 4]; with `flip`, half of them are mirrored.

    Each shows a share of the photo's area between the two ends of `area`, or less if a side would be longer than the
    photo's; its width is up to `aspect` times its height, or vice versa. It lies in the photo, or around it if the
    share is above 1. Then it is shifted by up to `shift` of the side.
    """
    shares = random.uniform(area[0], area[1], count)
    aspects = np.exp(random.uniform(-np.log(aspect), np.log(aspect), count))
    sides = np.sqrt(shares * [1 / aspects, aspects])
    height, width = np.where(shares > 1, sides, np.minimum(sides, 1))
    left, top = (random.random(count) * (1 - side) for side in (width, height))
    mirrored = random.random(count) < (0.5 if flip else 0)
    if shift:
        left, top = (corner + random.uniform(-shift, shift, count) for corner in (left, top))
    right, bottom = left + width, top + height
    return np.stack([top, np.where(mirrored, right, left), bottom, np.where(mirrored, left, right)], 1)
