"""Masks read from images, and run lengths against a second way of counting pixels."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from podium.photos import masks

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
whole = arrays(bool, shapes)


def counted(text: str, height: int, width: int, order: str) -> np.ndarray:
    """The mask of run lengths, pixel by pixel."""
    found, numbers = np.zeros((height, width), bool), [int(part) for part in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        for place in range(start - 1, start - 1 + length):
            found[(place % height, place // height) if order == "columns" else divmod(place, width)] = True
    return found


@given(mask=whole, order=st.sampled_from(["columns", "rows"]))
def test_run_lengths_say_each_pixel_and_come_back(mask: np.ndarray, order: masks.Order) -> None:
    height, width = mask.shape
    text = masks.runs(mask, order)
    np.testing.assert_array_equal(counted(text, height, width, order), mask)
    np.testing.assert_array_equal(masks.from_runs(text, width, height, order), mask)
    lengths = text.split()[1::2]
    assert len(lengths) <= (mask.size + 1) // 2  # no run follows another one at once


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3", "the run lengths are 3 numbers, but starts and lengths come in pairs"),
        ("1 x", "the run lengths contain 'x', which is no number"),
        ("1 2.5", "the run lengths contain '2.5', which is no number"),
        ("1 0", "a run has the length 0"),
        ("0 2", "the run lengths reach pixel 0, but the photo has 4 x 3"),
        ("11 3", "the run lengths reach pixel 13, but the photo has 4 x 3"),
        ("1 3 3 2", "two runs overlap at pixel 3"),
        ("5 3 1 5", "two runs overlap at pixel 5"),
    ],
)
def test_runs_that_say_no_mask_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("'2.5'", r"'2\.5'")):
        masks.from_runs(text, 4, 3, "columns")


def test_runs_in_any_order_are_read() -> None:
    np.testing.assert_array_equal(
        masks.from_runs("9 2 1 3", 4, 3, "columns"), masks.from_runs("1 3 9 2", 4, 3, "columns")
    )


def saved(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def images() -> dict[str, tuple[Image.Image, list[list[int]]]]:
    """Images of two pixels of each kind, and the numbers in them."""
    palette = Image.fromarray(np.array([[0, 2]], np.uint8)).convert("P")
    palette.putpalette([10, 20, 30] * 256)
    return {
        "8 bits": (Image.fromarray(np.array([[0, 7]], np.uint8)), [[0, 7]]),
        "16 bits": (Image.fromarray(np.array([[0, 65535]], np.uint16)), [[0, 65535]]),
        "1 bit": (Image.fromarray(np.array([[False, True]])), [[0, 1]]),
        "grey colours": (Image.fromarray(np.array([[[0, 0, 0], [9, 9, 9]]], np.uint8)), [[0, 9]]),
        "with alpha": (Image.fromarray(np.array([[[0, 0, 0, 255], [9, 9, 9, 3]]], np.uint8)), [[0, 9]]),
        "palette": (palette, [[0, 2]]),
    }


@pytest.mark.parametrize("kind", images())
def test_the_numbers_of_a_mask_are_read_from_any_kind_of_image(kind: str) -> None:
    image, numbers = images()[kind]
    assert masks.read(saved(image)).tolist() == numbers


def test_what_has_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="the mask has colours, but its classes have numbers"):
        masks.read(saved(Image.fromarray(np.array([[[0, 1, 0]]], np.uint8))))
    with pytest.raises(ValueError, match="the mask is no image"):
        masks.read(b"hello")


@given(arrays(np.uint8, shapes))
def test_what_is_kept_comes_back_and_is_the_same_file_each_time(ids: np.ndarray) -> None:
    data = masks.encode(ids)
    assert data == masks.encode(ids.copy())
    np.testing.assert_array_equal(masks.read(data), ids)
