"""Encoded photos to upright RGB pixels, with Pillow. No TensorFlow."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Image.init()
# What a competition may bring; Pillow's other readers run programs or read from elsewhere.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif"}

ORIENTATION, FIRST_SIDEWAYS = 0x0112, 5  # the EXIF tag, and the first of its values that lie on their side


class Unreadable(ValueError):
    """A file that cannot be decoded; the message says why."""


def examine(data: bytes) -> tuple[int, int, str]:
    """Upright width and height in pixels, and format, of a photo that decodes to its end. Raises Unreadable."""
    image = _open(data)
    size, is_jpeg = image.size, image.format in {"JPEG", "MPO"}
    image.draft("L", (1, 1))  # a JPEG decoded to an eighth is read to its last byte at half the cost
    upright = _upright(image)
    if is_jpeg:
        width, height = size[::-1] if image.getexif().get(ORIENTATION, 1) >= FIRST_SIDEWAYS else size
    else:
        width, height = upright.size
    return width, height, str(image.format)


def decode(data: bytes, size: int) -> NDArray[np.uint8]:
    """Pixels uint8 [size, size, 3]: upright, RGB, the largest central square, resampled bicubically.

    Transparent parts become white. Raises Unreadable.
    """
    image = _open(data)
    # A JPEG much larger than asked is decoded at a half, a quarter or an eighth.
    image.draft("RGB", (2 * size, 2 * size))
    return np.asarray(ImageOps.fit(_rgb(_upright(image)), (size, size), Image.Resampling.BICUBIC))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels uint8 [h, w] or [h, w, 1, 3 or 4] as a PNG, which loses nothing."""
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels).save(out, "PNG")
    return out.getvalue()


def _open(data: bytes) -> Image.Image:
    if not data:
        raise Unreadable("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise Unreadable("not an image") from None
    except Exception as error:  # a decoder may raise anything on broken bytes
        raise Unreadable(str(error)) from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        image.load()
        return ImageOps.exif_transpose(image)
    except Exception as error:  # a decoder may raise anything on broken bytes
        raise Unreadable(str(error) or type(error).__name__) from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # more than 8 bits a pixel: Pillow's own conversion would clip, not scale
        values = np.nan_to_num(np.asarray(image, np.float64))
        full = 65535 if image.mode.startswith("I") else max(1.0, values.max())
        image = Image.fromarray((np.clip(values / full, 0, 1) * 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
