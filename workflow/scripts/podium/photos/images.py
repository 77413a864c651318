"""Encoded photos to upright RGB pixels, with Pillow. No TensorFlow."""

import importlib
import io
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from podium.photos import dicom, geometry

Image.init()
Image.MAX_IMAGE_PIXELS = None  # `_loaded` has its own limit, which is a setting
# The formats that a competition may use; Pillow's other readers run programs or read from elsewhere.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"}
# Formats that are read only if these packages are installed.
EXTRAS = {"HEIF": "pillow-heif", "DICOM": "pydicom python-gdcm"}
SUFFIXES |= {".heic", ".heif", ".dcm"}

MEGAPIXELS = 179.0  # Pillow considers more a possible attack
LARGE = 50e6  # photos of more pixels are decoded one at a time, so that memory stays bounded
SAMPLED = 500  # values drawn from a photo
GREY = (128, 128, 128)  # the colour of padding, near the mean of photos: measured better than black
JPEG, END_OF_JPEG = {"JPEG", "MPO"}, b"\xff\xd9"
ORIENTATION, FIRST_SIDEWAYS = 0x0112, 5  # the EXIF tag, and its first value for photos turned by 90 degrees

_one_large = threading.Lock()


class Unreadable(ValueError):
    """A file that cannot be decoded; the message states why."""


class Refused(Unreadable):
    """A file that a setting or a package would make readable; the message names it."""


class Values(NamedTuple):
    """The values of a photo of more than 8 bits a pixel."""

    kind: str  # `16-bit`, `32-bit`, `float` or `DICOM`; empty if the file itself states how to show it
    black: float  # the values that are shown black and white if no range is given
    white: float
    least: float
    most: float
    sample: NDArray[np.float64]  # [SAMPLED], drawn evenly


class Seen(NamedTuple):
    """The result of `examine`: upright sides in pixels, Pillow's name of the format, and any irregularity."""

    width: int
    height: int
    format: str
    note: str  # why only a part of the photo is used; empty if all of it is
    depth: Values | None  # None for 8 bits


class _Loaded(NamedTuple):
    image: ImageFile.ImageFile
    size: tuple[int, int]  # of the whole photo, as stored
    note: str


def examine(data: bytes, megapixels: float = MEGAPIXELS) -> Seen:
    """The properties of a photo, found by decoding it completely.

    Of a photo that is cut off or damaged, the part before the fault is used. Raises Unreadable if that shows nothing,
    and Refused if the photo needs a package that is not installed, or has more than `megapixels` in memory.
    """
    # A JPEG decoded to an eighth is read to its last byte at half the cost.
    with _loaded(data, "L", 1, megapixels) as (image, size, note):
        sideways = image.getexif().get(ORIENTATION, 1) >= FIRST_SIDEWAYS
        values = _values(image)
        ImageOps.exif_transpose(image, in_place=True)
        width, height = (size[::-1] if sideways else size) if image.format in JPEG else image.size
        if header := image.info.get(dicom.HEADER):
            _rgb(image)  # as `decode` will, since the header may be wrong
        return Seen(width, height, str(image.format), note or (dicom.note(header) if header else ""), values)


def decode(
    data: bytes,
    size: int,
    fit: str = "crop",
    range: Sequence[float] | None = None,
    megapixels: float = MEGAPIXELS,
    grey: bool = False,
) -> NDArray[np.uint8]:
    """Pixels uint8 [size, size, 3]: upright, RGB, resampled bicubically, in `grey` if so wished.

    `fit` makes the photo square: `crop` takes the largest central square, `pad` adds grey bars, `squash` changes its
    proportions, and `keep` leaves a photo that is small enough as it is, at the top left, and mirrors it where it ends;
    a larger one is scaled down. `range` are the values shown black and white in photos of more than 8 bits a pixel.
    Without it, 0 is black and 65,535 is white, or for floats the larger of 1 and the photo's largest value; DICOM files
    state the range themselves. Transparent parts become white. Raises the errors of `examine`.
    """
    # A JPEG much larger than `size` is decoded at a half, a quarter or an eighth of its size.
    with _loaded(data, "RGB", 2 * size, megapixels) as (image, *_):
        ImageOps.exif_transpose(image, in_place=True)
        rgb, method = _rgb(image, range), Image.Resampling.BICUBIC
        rgb = rgb.convert("L").convert("RGB") if grey else rgb
        if fit == "pad":
            return np.asarray(_padded(rgb, size))
        if fit == "crop":
            return np.asarray(ImageOps.fit(rgb, (size, size), method))
        return geometry.square(rgb, size, fit, method)


def whole(data: bytes, mode: str) -> NDArray[np.uint8]:
    """All pixels, uint8 [height, width, 3] of the mode `RGB`, or [height, width] of `L`; raises Unreadable."""
    with _loaded(data, mode, 2**16, MEGAPIXELS) as (image, *_):
        ImageOps.exif_transpose(image, in_place=True)
        return np.asarray(_rgb(image).convert(mode))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels uint8 [h, w] or [h, w, 1, 3 or 4] as a PNG, which is lossless."""
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(out, "PNG")
    return out.getvalue()


@contextmanager
def _loaded(data: bytes, mode: str, side: int, megapixels: float) -> Iterator[_Loaded]:
    """The photo with its pixels decoded; a large JPEG may be reduced, but not below `side`."""
    image = _open(data)
    size = image.size
    image.draft(mode, (side, side))
    # A progressive JPEG takes the memory of its full size while it is decoded, even if it is reduced.
    pixels = prod(size if image.info.get("progressive") else image.size)
    if pixels > megapixels * 1e6:
        found = f"{size[0]} x {size[1]} pixels are {prod(size) / 1e6:,.0f} megapixels"
        memory = f"about {pixels * (32 if _is_deep(image) else 8) / 1e9:.0f} GB of memory"
        raise Refused(f"{found}, more than `index.max_megapixels: {megapixels:g}` allows; it takes {memory}")
    with _one_large if pixels > LARGE else nullcontext():
        try:
            image.load()
            note = ""
        except Exception as error:  # a decoder may raise anything on broken bytes
            note = _said(error)
            image = _salvaged(image, data, (mode, (side, side)), note)
        try:
            yield _Loaded(image, size, note)
        except Exception as error:  # reading its metadata may raise anything too
            raise Unreadable(_said(error)) from error


def _open(data: bytes) -> ImageFile.ImageFile:
    """The photo, its pixels not yet decoded."""
    if not data:
        raise Unreadable("the file is empty")
    extra = _extra(data)
    try:
        if extra == "HEIF":
            importlib.import_module("pillow_heif").register_heif_opener()
        return Image.open(io.BytesIO(data), formats=(extra,) if extra else FORMATS)
    except ImportError:
        raise Refused(f"{extra} files need a package: {sys.executable} -m pip install {EXTRAS[extra]}") from None
    except UnidentifiedImageError:
        raise Unreadable("not an image") from None
    except Exception as error:  # a decoder may raise anything on broken bytes
        raise Unreadable(_said(error)) from error


def _extra(data: bytes) -> str:
    """The format in EXTRAS that a file's first bytes indicate, or an empty text."""
    if data[128:132] == b"DICM":
        return "DICOM"
    brands = data[8 : int.from_bytes(data[:4])] if data[4:8] == b"ftyp" else b""  # ISO/IEC 14496-12, the first box
    is_heif = any(brand in brands for brand in (b"hei", b"hev", b"mif1", b"msf1")) and b"avi" not in brands
    return "HEIF" if is_heif else ""


def _salvaged(
    image: ImageFile.ImageFile, data: bytes, draft: tuple[str, tuple[int, int]], fault: str
) -> ImageFile.ImageFile:
    """The part decoded before the fault; raises Unreadable if it shows nothing.

    Like Pillow's LOAD_TRUNCATED_IMAGES, but for one photo only and independent of other threads. The missing part of a
    JPEG is grey, of other formats black.
    """
    try:
        if image.format in JPEG:
            image = _open(data + END_OF_JPEG)
            image.draft(*draft)
        else:
            image.tile = []  # nothing more to decode: what has been decoded is the picture
        image.load()
        shows = np.ptp(np.asarray(image).reshape(prod(image.size), -1), axis=0).any()
    except Exception:  # still cannot be decoded: the first fault is reported
        shows = False
    if not shows:
        raise Unreadable(fault)
    return image


def _said(error: Exception) -> str:
    """In one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _padded(image: Image.Image, side: int) -> Image.Image:
    width, height = (max(1, round(each * side / max(image.size))) for each in image.size)
    padded = Image.new("RGB", (side, side), GREY)
    padded.paste(image.resize((width, height), Image.Resampling.BICUBIC), ((side - width) // 2, (side - height) // 2))
    return padded


def _is_deep(image: Image.Image) -> bool:
    """Whether it has more than 8 bits a pixel, which Pillow's own conversion would clip, not scale."""
    return image.mode.startswith(("I", "F"))


def _values(image: Image.Image) -> Values | None:
    """None for 8 bits a pixel, and if no value is finite."""
    values = np.asarray(image, np.float64) if _is_deep(image) else np.zeros(0)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    sample = values[np.random.default_rng(0).integers(0, len(values), SAMPLED)]
    kind = {"I": "32-bit", "F": "float"}.get(image.mode, "16-bit")
    if header := image.info.get(dicom.HEADER):
        kind = "" if dicom.says_how(header) else "DICOM"
    return Values(kind, *_own_range(image, values), float(values.min()), float(values.max()), sample)


def _own_range(image: Image.Image, values: NDArray[np.float64]) -> tuple[float, float]:
    """The values that are black and white if no range is given."""
    if header := image.info.get(dicom.HEADER):
        return dicom.full_range(header)
    return 0.0, float(values.max(initial=1.0, where=np.isfinite(values))) if image.mode == "F" else 65535.0


def _rgb(image: Image.Image, range: Sequence[float] | None = None) -> Image.Image:
    if _is_deep(image):
        image = _grey(image, range)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(image: Image.Image, range: Sequence[float] | None) -> Image.Image:
    values, header = np.asarray(image, np.float64), image.info.get(dicom.HEADER)
    if header and range is None:
        values, range = dicom.shown(header, values)
    least, most = range or _own_range(image, values)
    grey = (np.clip((np.nan_to_num(values) - least) / (most - least), 0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(255 - grey if header and dicom.is_negative(header) else grey)
