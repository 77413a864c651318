"""Masks, an id for each pixel: read from images, kept as PNG files, and written as run lengths. No TensorFlow."""

import io
import json
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

VOID = 255  # the id of pixels of no class
NEAR = 0.0075  # of the diagonal

Ids = NDArray[np.uint8]
Order = Literal["columns", "rows"]


def read(data: bytes, *, colours: bool = False) -> NDArray[np.int64]:
    """The values of a mask, [height, width]: an image of one channel, a palette's numbers, or colours that are grey.

    With `colours` they are numbers such as 0x804020, as `hexadecimal` writes them. Raises ValueError, which says why
    not, for any other file.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"the mask is no image ({error})") from None
    if colours:
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), np.int64), -1, 0)
        return red << 16 | green << 8 | blue
    values = np.asarray(image)
    if values.ndim == 2:
        return values.astype(np.int64)
    shown = values[..., :3] if image.mode in ("RGB", "RGBA") else values[..., :1]  # without the alpha channel
    if (shown != shown[..., :1]).any():
        raise ValueError("the mask has colours, but its classes have numbers: write them as '#804020'")
    return shown[..., 0].astype(np.int64)


def hexadecimal(colour: int) -> str:
    return f"#{colour:06x}"


def channels(colours: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Red, green and blue of such numbers, [height, width, 3]."""
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1).astype(np.uint8)


def encode(ids: Ids | NDArray[np.uint16]) -> bytes:
    """A PNG file of these ids, uint8 or uint16 [height, width], or of colours [height, width, 3]; the same bytes each
    time."""
    out = io.BytesIO()
    Image.fromarray(ids).save(out, "PNG", compress_level=9)
    return out.getvalue()


def edges(truth: NDArray[Any], answer: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Counts of pixels on the edges of each class, int [4, classes]: those of the answer that are near one of the
    truth, all of the truth, those of the truth that are near one of the answer, and all of the answer.

    Near is within 0.75 % of the diagonal. Ids are [height, width]; the border of the photo is no edge.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    near, found = NEAR * math.hypot(*truth.shape), np.zeros((4, classes), np.int64)
    for number in range(classes):
        both = [(ids == number) & ~binary_erosion(ids == number, border_value=1) for ids in (truth, answer)]
        for place, (own, other) in enumerate((both[::-1], both)):
            close = distance_transform_edt(~other) <= near if other.any() else np.zeros(own.shape, bool)
            found[2 * place, number], found[3 - 2 * place, number] = (own & close).sum(), own.sum()
    return found


def runs(mask: NDArray[np.bool_], order: Order) -> str:
    """The run lengths of what is True, [height, width]: pairs of a start, counted from 1, and a length.

    Pixels are counted down the columns, from left to right, or along the rows, from top to bottom.
    """
    line = np.concatenate([[0], mask.ravel("F" if order == "columns" else "C").astype(np.int8), [0]])
    starts, ends = (np.flatnonzero(np.diff(line) == step) for step in (1, -1))
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


def from_runs(text: str, width: int, height: int, order: Order) -> NDArray[np.bool_]:
    """The inverse of `runs`; raises ValueError for runs that are no pairs of numbers, overlap, or leave the photo."""
    try:
        numbers = np.array([int(part) for part in text.split()], np.int64)
    except ValueError:
        raise ValueError(f"the run lengths contain {_first_word(text)!r}, which is no number") from None
    if len(numbers) % 2:
        raise ValueError(f"the run lengths are {len(numbers)} numbers, but starts and lengths come in pairs")
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    if (lengths < 1).any():
        raise ValueError(f"a run has the length {lengths[lengths < 1][0]}")
    order_of = np.argsort(starts, kind="stable")
    ends = (starts + lengths)[order_of]
    if len(starts) and (starts.min() < 0 or ends.max() > width * height):
        place = int(starts.min()) + 1 if starts.min() < 0 else int(ends.max())
        raise ValueError(f"the run lengths reach pixel {place}, but the photo has {width} x {height}")
    if (ends[:-1] > starts[order_of][1:]).any():
        raise ValueError(f"two runs overlap at pixel {starts[order_of][1:][ends[:-1] > starts[order_of][1:]][0] + 1}")
    line = np.zeros(width * height, bool)
    for start, length in zip(starts, lengths, strict=True):
        line[start : start + length] = True
    return line.reshape((height, width), order="F" if order == "columns" else "C")


def from_shape(text: str, width: int, height: int) -> NDArray[np.bool_]:
    """The mask, [height, width], of an annotation in COCO's form: JSON of polygons, lists of x and y in turn, or of an
    object with `counts` of pixels down the columns, outside and inside in turn, and their `size`.

    Raises ValueError, which says why not, for anything else, and for a shape that leaves the photo by over a pixel.
    """
    try:
        shape = json.loads(text)
    except ValueError as error:
        raise ValueError(f"the shape is no JSON ({error})") from None
    if isinstance(shape, dict):
        return _from_counts(shape, width, height)
    if not isinstance(shape, list) or not all(_is_polygon(each) for each in shape):
        raise ValueError("the shape is no list of polygons, each a list of x and y of at least three points")
    from skimage.draw import polygon as inside

    drawn = np.zeros((height, width), bool)
    for polygon in shape:
        points = np.array(polygon, float).reshape(-1, 2)
        if points.min() < -1 or (points > (width + 1, height + 1)).any():
            raise ValueError(f"a polygon leaves the photo, which has {width} x {height}")
        across, down = points.T - 0.5  # pixels are in it with their centres
        drawn[inside(down, across, drawn.shape)] = True
    return drawn


def _is_polygon(found: Any) -> bool:
    numbers = isinstance(found, list) and all(isinstance(each, int | float) for each in found)
    return numbers and len(found) >= 6 and len(found) % 2 == 0


def _from_counts(shape: dict[str, Any], width: int, height: int) -> NDArray[np.bool_]:
    counts = shape.get("counts")
    if isinstance(counts, str):
        raise ValueError("the shape's `counts` are packed: write them as a list, as pycocotools' `decode` gives them")
    if not isinstance(counts, list) or shape.get("size") != [height, width] or sum(counts) != width * height:
        raise ValueError(
            f"the shape's `size` and the sum of its `counts` are not those of a photo of {width} x {height}"
        )
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape((height, width), order="F")


def _first_word(text: str) -> str:
    return next(part for part in text.split() if not part.lstrip("+-").isdigit())
