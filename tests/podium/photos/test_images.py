import io
import struct
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from conftest import encoded, photo, subject
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from podium.photos.images import FORMATS, Refused, Unreadable, decode, examine

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
    assert examine(data) == (12, 12, format, "", None)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_decodes_close_to_the_original(format: str) -> None:
    original = subject("flower").resize((96, 96))
    data = encoded(original, format)
    assert examine(data) == (96, 96, format, "", None)
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
    assert examine(turned(upright, orientation, format))[:3] == (50, 30, format)


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
    assert examine(data)[:3] == (1024, 1024, "JPEG")


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
        (huge_png(), "60000 x 60000 pixels are 3,600 megapixels, more than `index.max_megapixels: 179` allows"),
        # Before their first row.
        *((photo("coffee", 0, 64, format)[:size], ".") for format, size in (("JPEG", 400), ("PNG", 40), ("TIFF", 8))),
        (photo("coffee", 0, 64, "WEBP")[:-200], "."),  # its decoder gives nothing of what is cut
    ],
    ids=["empty", "text", "postscript", "svg", "bomb", "cut-jpeg", "cut-png", "cut-tiff", "cut-webp"],
)
def test_what_cannot_be_decoded_is_unreadable_for_a_reason(
    read: Callable[[bytes], object], data: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data)


CUT = {
    "baseline": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "tiff": ("TIFF", {}),
}


@pytest.mark.parametrize(("format", "options"), CUT.values(), ids=CUT)
def test_of_a_photo_that_is_cut_off_what_comes_before_is_used(format: str, options: dict[str, bool]) -> None:
    data = encoded(subject("coffee").resize((160, 160)), format, **options)
    whole, half = decode(data, 80), data[: len(data) // 2]
    found = examine(half)
    assert found[:3] == (160, 160, format)
    assert "truncated" in found.note
    top, bottom = (difference(decode(half, 80)[rows], whole[rows]) for rows in (slice(0, 24), slice(64, None)))
    assert top < (12 if options else 1)  # all of a progressive one, coarser
    assert options or bottom > 30
    if options == {} and format == "JPEG":
        assert decode(half, 80)[64:].std() < 1
        assert difference(decode(data[:-2], 80), whole) == 0  # but for the marker of its end it is whole


def test_photos_that_are_cut_off_change_nothing_for_those_decoded_beside_them() -> None:
    """Pillow's own switch to let them through is one for all threads."""
    whole = photo("temple", 0, 400)
    given = [whole, whole[:-3000]] * 100
    with ThreadPoolExecutor(8) as pool:
        notes = [seen.note != "" for seen in pool.map(examine, given)]
        pixels = list(pool.map(lambda data: decode(data, 32).tobytes(), given))
    assert notes == [False, True] * 100
    assert pixels == [decode(each, 32).tobytes() for each in given[:2]] * 100


@pytest.mark.parametrize("turned_", [False, True], ids=["wide", "tall"])
def test_a_photo_is_cut_padded_or_squashed_to_a_square(turned_: bool) -> None:
    whole = subject("coffee").resize((90, 60))
    image = whole.transpose(Image.Transpose.ROTATE_90) if turned_ else whole
    data, method = encoded(image, "PNG"), Image.Resampling.BICUBIC
    assert np.array_equal(decode(data, 30), np.asarray(ImageOps.fit(image, (30, 30), method)))
    assert np.array_equal(decode(data, 30, "squash"), np.asarray(image.resize((30, 30), method)))
    padded = decode(data, 30, "pad").swapaxes(0, 1) if turned_ else decode(data, 30, "pad")
    small = np.asarray(image.resize((20, 30) if turned_ else (30, 20), method))
    assert np.array_equal(padded[5:25], small.swapaxes(0, 1) if turned_ else small)
    assert (padded[:5] == 128).all()
    assert (padded[25:] == 128).all()


@pytest.mark.parametrize("size", [(1, 300), (300, 1)])
def test_the_longest_photo_keeps_a_line_when_it_is_padded(size: tuple[int, int]) -> None:
    assert (decode(encoded(Image.new("RGB", size, "red"), "PNG"), 16, "pad") == [255, 0, 0]).all(2).sum() == 16


def test_a_range_shows_all_grey_levels_of_what_uses_few_of_its_bits() -> None:
    values = np.arange(4096).reshape(64, 64)
    twelve = encoded(Image.fromarray(values.astype(np.uint16)), "PNG")
    assert len(np.unique(decode(twelve, 64))) == 17
    for data in (
        twelve,
        encoded(Image.fromarray(values.astype(np.int32)), "TIFF"),
        encoded(Image.fromarray(values.astype(np.float32)), "TIFF"),
    ):
        pixels = decode(data, 64, range=[0, 4095])
        assert len(np.unique(pixels)) == 256
        assert np.abs(pixels[:, :, 0] - values / 4095 * 255).max() <= 0.5
    shifted = encoded(Image.fromarray((values - 1000).astype(np.float32)), "TIFF")
    assert np.array_equal(decode(shifted, 64, range=[-1000, 3095]), decode(twelve, 64, range=[0, 4095]))


def test_what_a_deep_photo_holds_is_found() -> None:
    values = np.random.default_rng(0).integers(20, 4000, (40, 50))
    for kind, dtype, format, white in [
        ("16-bit", np.uint16, "PNG", 65535),
        ("32-bit", np.int32, "TIFF", 65535),
        ("float", np.float32, "TIFF", values.max()),
    ]:
        found = examine(encoded(Image.fromarray(values.astype(dtype)), format)).depth
        assert found is not None
        assert found[:-1] == (kind, 0, white, values.min(), values.max())
        assert abs(np.median(found.sample) - np.median(values)) < 300
    assert examine(photo("coffee", 0)).depth is None
    odd = np.array([[np.nan, np.inf], [0.5, 2.0]], np.float32)
    assert decode(encoded(Image.fromarray(odd), "TIFF"), 2)[:, :, 0].tolist() == [[0, 255], [64, 255]]
    assert examine(encoded(Image.fromarray(odd[:1, :1]), "TIFF")).depth is None


def test_a_photo_is_let_in_by_the_memory_that_it_takes() -> None:
    image = Image.new("RGB", (4096, 2048), "navy")
    for data, takes in [
        (encoded(image, "PNG"), 8.4),
        (encoded(image, "JPEG", progressive=True), 8.4),
        (encoded(image, "JPEG"), 0.132),  # decoded at an eighth
    ]:
        assert examine(data, takes * 1.05)[:2] == image.size
        for read in (examine, partial(decode, data, 256, "crop", None)) if takes > 1 else (examine,):
            with pytest.raises(Refused, match=r"4096 x 2048 pixels are 8 megapixels, more than `index\.max_meg"):
                read(*([data] if read is examine else []), takes * 0.95)


def test_more_pixels_than_pillow_lets_in_are_read_where_the_setting_says_so() -> None:
    data = encoded(Image.new("1", (13_500, 13_400)), "PNG")
    with pytest.raises(Refused):
        examine(data)
    assert examine(data, 200)[:2] == (13_500, 13_400)


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_photos_are_read_upright(orientation: int) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    upright, exif = np.asarray(subject("coffee").resize((96, 64))), Image.Exif()
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    exif[0x0112] = orientation
    stored.info["exif"] = exif.tobytes()  # which the encoder turns into HEIF's own mark
    data = encoded(stored, "HEIF")
    assert examine(data) == (96, 64, "HEIF", "", None)
    assert difference(decode(data, 64), decode(encoded(Image.fromarray(upright), "PNG"), 64)) < 6


@pytest.mark.parametrize(
    ("name", "module", "install"),
    [("HEIF", "pillow_heif", "pillow-heif"), ("DICOM", "pydicom", "pydicom python-gdcm")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, module: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytes(128) + b"DICM" if name == "DICOM" else b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Refused) as refused:
        examine(data)
    assert str(refused.value) == f"{name} files need a package: {sys.executable} -m pip install {install}"


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
