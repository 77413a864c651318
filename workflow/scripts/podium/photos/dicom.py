"""DICOM files as Pillow images, read with pydicom if it is installed. No TensorFlow.

Grey images are floats: the values on the modality's scale, such as Hounsfield units. Of several frames the first is
used.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from pydicom import Dataset

HEADER = "dicom"  # the key of the file's header in an image's `info`
ANY = np.array([-1e9, 1e9])  # beyond all values, where a window is darkest and brightest


class DicomImageFile(ImageFile.ImageFile):
    """Raises ImportError if pydicom, or the package that decodes this file's compression, is not installed."""

    format, format_description = "DICOM", "Digital Imaging and Communications in Medicine"

    def _open(self) -> None:
        assert self.fp
        if self.fp.read(132)[128:] != b"DICM":
            raise SyntaxError("not a DICOM file")  # so that Pillow tries its other readers

        from pydicom import dcmread
        from pydicom.pixels.decoders.base import get_decoder

        self.fp.seek(0)
        header = dcmread(self.fp)
        if "PixelData" not in header:
            raise OSError("the DICOM file contains no image")
        if not get_decoder(header.file_meta.TransferSyntaxUID).is_available:
            raise ImportError
        grey = header.PhotometricInterpretation.startswith("MONOCHROME")
        self._size, self._mode = (header.Columns, header.Rows), "F" if grey else "RGB"
        self.info[HEADER], self.tile = header, [ImageFile._Tile("dicom", (0, 0, *self._size))]

    def load(self) -> Any:
        if self.tile:
            self.im, self.tile = Image.fromarray(_pixels(self.info[HEADER])).im, []
        return Image.Image.load(self)


def _pixels(header: "Dataset") -> NDArray[Any]:
    """The first frame: float32 [h, w] if grey, uint8 [h, w, 3] if in colour."""
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    stored = pixel_array(header, index=0)
    if header.PhotometricInterpretation.startswith("MONOCHROME"):
        return apply_modality_lut(stored, header).astype(np.float32)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        colours = apply_color_lut(stored, header)
        return (colours >> 8 * (colours.itemsize - 1)).astype(np.uint8)
    return (stored >> max(0, header.BitsStored - 8)).astype(np.uint8)


def note(header: "Dataset") -> str:
    """States which frame of several is used; empty for a single frame."""
    frames = int(header.get("NumberOfFrames") or 1)
    return f"the first of {frames} frames" if frames > 1 else ""


def says_how(header: "Dataset") -> bool:
    """Whether the file contains a window or a table that defines how it is shown."""
    return bool(header.get("VOILUTSequence")) or None not in (header.get("WindowCenter"), header.get("WindowWidth"))


def is_negative(header: "Dataset") -> bool:
    """Whether the least value is white, as on X-ray film."""
    return header.PhotometricInterpretation == "MONOCHROME1"


def full_range(header: "Dataset") -> tuple[float, float]:
    """The least and the largest value that its bits can store, on the modality's scale."""
    from pydicom.pixels.processing import apply_modality_lut

    signed, bits = header.PixelRepresentation, header.BitsStored
    ends = np.array([-(1 << bits - 1), (1 << bits - 1) - 1] if signed else [0, (1 << bits) - 1])
    least, most = sorted(apply_modality_lut(ends, header).tolist())
    return float(least), float(most)


def shown(header: "Dataset", values: NDArray[np.float64]) -> tuple[NDArray[Any], tuple[float, float]]:
    """The values after the file's first table or window, if any, and the values that are then black and white.

    Source: DICOM PS3.3, C.11.2.
    """
    from pydicom.pixels.processing import apply_windowing

    if header.get("VOILUTSequence"):
        item = header.VOILUTSequence[0]  # pydicom's own look-up assumes that a table of 8 bits has 256 entries
        data, (_, first, bits) = item.LUTData, item.LUTDescriptor
        table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
        return table[np.clip(values - first, 0, len(table) - 1).astype(int)], (0.0, float((1 << bits) - 1))
    if not says_how(header):
        return values, full_range(header)
    with np.errstate(over="ignore"):
        least, most = apply_windowing(ANY, header).tolist()
        return apply_windowing(values, header), (least, most)


Image.register_open(DicomImageFile.format, DicomImageFile)
