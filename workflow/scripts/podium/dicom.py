"""DICOM files as images of Pillow, read with pydicom where it is installed. No TensorFlow.

Grey ones are floats: the values after the modality's own scale, such as Hounsfield units. Of several frames the first
counts.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from pydicom import Dataset

HEADER = "dicom"  # where an image's `info` keeps the file's header
ANY = np.array([-1e9, 1e9])  # beyond all values, where a window has its darkest and its brightest


class DicomImageFile(ImageFile.ImageFile):
    """Raises ImportError where pydicom, or what it decodes this file's compression with, is not installed."""

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
            raise OSError("a DICOM file without an image")
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
    """Of the first frame: float32 [h, w] of grey, uint8 [h, w, 3] of colour."""
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
    """What is left out of a file of several frames."""
    frames = int(header.get("NumberOfFrames") or 1)
    return f"the first of {frames} frames" if frames > 1 else ""


def says_how(header: "Dataset") -> bool:
    """Whether the file has a window, or a table, to be shown with."""
    return bool(header.get("VOILUTSequence")) or None not in (header.get("WindowCenter"), header.get("WindowWidth"))


def is_negative(header: "Dataset") -> bool:
    """Whether its least value is white, as on X-ray film."""
    return header.PhotometricInterpretation == "MONOCHROME1"


def full_range(header: "Dataset") -> tuple[float, float]:
    """The least and the most value that its bits can hold, on the modality's scale."""
    from pydicom.pixels.processing import apply_modality_lut

    signed, bits = header.PixelRepresentation, header.BitsStored
    ends = np.array([-(1 << bits - 1), (1 << bits - 1) - 1] if signed else [0, (1 << bits) - 1])
    least, most = sorted(apply_modality_lut(ends, header).tolist())
    return float(least), float(most)


def shown(header: "Dataset", values: NDArray[np.float64]) -> tuple[NDArray[Any], tuple[float, float]]:
    """The values as the file wants them shown, by its first table or window if any, and which are black and white.

    Source: DICOM PS3.3, C.11.2.
    """
    from pydicom.pixels.processing import apply_windowing

    if header.get("VOILUTSequence"):
        item = header.VOILUTSequence[0]  # pydicom's own look-up takes a table of 8 bits for one of 256 entries
        data, (_, first, bits) = item.LUTData, item.LUTDescriptor
        table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
        return table[np.clip(values - first, 0, len(table) - 1).astype(int)], (0.0, float((1 << bits) - 1))
    if not says_how(header):
        return values, full_range(header)
    with np.errstate(over="ignore"):
        least, most = apply_windowing(ANY, header).tolist()
        return apply_windowing(values, header), (least, most)


Image.register_open(DicomImageFile.format, DicomImageFile)
