import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from conftest import encoded, photo, subject
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from podium.images import FORMATS, Unreadable, decode, examine

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
# How an upright photo is stored under each EXIF orientation (TIFF 6.0, tag 274).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def turned(upright: NDArray[np.uint8], orientation: int, format: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))), format, exif=exif)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_a_square_photo_of_the_asked_size_comes_back_as_it_is(format: str) -> None:
    data = encoded(Image.fromarray(PIXELS), format)
    assert np.array_equal(decode(data, 12), PIXELS)
    assert examine(data) == (12, 12, format)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_decodes_close_to_the_original(format: str) -> None:
    original = subject("flower").resize((96, 96))
    data = encoded(original, format)
    assert examine(data) == (96, 96, format)
    # A GIF has 256 colours.
    assert difference(decode(data, 96), np.asarray(original)) < (12 if format == "GIF" else 6)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied(orientation: int, format: str) -> None:
    assert np.array_equal(decode(turned(PIXELS, orientation, format), 12), PIXELS)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_width_and_height_are_those_of_the_upright_photo(orientation: int, format: str) -> None:
    upright = np.zeros((30, 50, 3), np.uint8)
    assert examine(turned(upright, orientation, format)) == (50, 30, format)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    data = encoded(Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257), "PNG")
    assert np.array_equal(decode(data, 12), np.repeat(PIXELS[:, :, :1], 3, 2))


def test_grey_is_repeated_in_each_channel() -> None:
    data = encoded(Image.fromarray(PIXELS[:, :, 0]), "PNG")
    assert np.array_equal(decode(data, 12), np.repeat(PIXELS[:, :, :1], 3, 2))


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_transparent_parts_become_white(format: str) -> None:
    alpha = np.arange(144, dtype=np.uint8).reshape(12, 12, 1)
    data = encoded(Image.fromarray(np.concatenate([PIXELS, alpha], 2)), format, lossless=True, exact=True)
    blended = PIXELS * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(decode(data, 12) - blended).max() <= 1


def test_the_transparent_colour_of_a_palette_becomes_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((0, 0), 0)
    pixels = decode(encoded(image, "PNG", transparency=0), 4)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[3, 3].tolist() == [200, 0, 0]


def test_cmyk_comes_out_close_to_the_rgb_original() -> None:
    original = subject("flower").resize((96, 96))
    data = encoded(original.convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    assert difference(decode(data, 96), np.asarray(original)) < 4


@pytest.mark.parametrize("name", ["chelsea", "temple"])
def test_a_large_jpeg_looks_the_same_as_one_decoded_in_full(name: str) -> None:
    data = photo(name, 0, 1024)
    full = Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.BICUBIC)
    assert difference(decode(data, 64), np.asarray(full)) < 2
    assert examine(data) == (1024, 1024, "JPEG")


@pytest.mark.parametrize("wide", [True, False])
def test_the_largest_central_square_is_kept(wide: bool) -> None:
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, 30:70, 1] = 200
    data = encoded(Image.fromarray(pixels if wide else np.ascontiguousarray(pixels.swapaxes(0, 1))), "PNG")
    # The resampling looks a little beyond the edges, which are black there.
    assert decode(data, 20)[:, :, 1].min() > 180


def test_a_photo_smaller_than_asked_is_enlarged() -> None:
    assert np.unique(decode(encoded(Image.new("RGB", (1, 3), "navy"), "PNG"), 32), axis=None).tolist() == [0, 128]


def test_the_size_of_a_photo_with_a_second_photo_inside_is_its_own() -> None:
    """Some telephones keep a preview or a depth map behind the photo in one JPEG."""
    original = subject("coffee")
    data = encoded(original, "MPO", save_all=True, append_images=[original])
    assert examine(data)[:2] == original.size


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data, 8)[0, 0].tolist() == [255, 0, 0]


def huge_png() -> bytes:
    """A header that promises 60,000 x 60,000 pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0), b"IDAT"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


@pytest.mark.parametrize("read", [examine, lambda data: decode(data, 8)], ids=["examine", "decode"])
@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "the file is empty"),
        (b"file,label\n", "not an image"),
        # Pillow would start Ghostscript for this one.
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (huge_png(), "exceeds limit"),
        *((photo("coffee", 0, 64, format)[:-200], ".") for format in ("JPEG", "PNG", "TIFF")),
    ],
    ids=["empty", "text", "postscript", "svg", "bomb", "cut-jpeg", "cut-png", "cut-tiff"],
)
def test_what_cannot_be_decoded_is_unreadable_for_a_reason(
    read: Callable[[bytes], object], data: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data)


HEADS = [
    b"",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P6 9 9 255\n",
    b"RIFF\0\0\0\0WEBP",
]
VALID = [turned(PIXELS, 6, format) for format in ("JPEG", "PNG", "TIFF", "WEBP")] + [
    encoded(Image.fromarray(PIXELS), format) for format in ("PNG", "GIF")
]


def check_decodes_or_says_why(data: bytes) -> None:
    for read in (examine, lambda data: decode(data, 8).shape):
        try:
            found = read(data)
        except Unreadable as error:
            assert str(error)
        else:
            assert found == (8, 8, 3) or (found[0] > 0 and found[1] > 0 and found[2])


@settings(max_examples=300, deadline=None)
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=200))
@pytest.mark.filterwarnings("ignore")
def test_random_bytes_are_unreadable_at_worst(head: bytes, rest: bytes) -> None:
    check_decodes_or_says_why(head + rest)


@settings(max_examples=500, deadline=None)
@given(
    data=st.sampled_from(VALID),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
)
@pytest.mark.filterwarnings("ignore")
def test_a_photo_with_damaged_bytes_is_unreadable_at_worst(data: bytes, changes: list[tuple[float, int]]) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[int(place * len(data))] = value
    check_decodes_or_says_why(bytes(damaged))


def test_a_dark_photo_of_sixteen_bits_stays_dark() -> None:
    """The scale comes from the kind of file, not from what is in it."""
    dark = Image.fromarray(np.full((8, 8), 200, np.uint16))
    assert decode(encoded(dark, "PNG"), 8).max() == 1
