"""DICOM files as pydicom ships them, and changed ones; what a viewer would show is worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.photos.images import Unreadable, decode, examine

pydicom = pytest.importorskip("pydicom")
from pydicom.data import get_testdata_file  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


def shipped(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


def changed(name: str, folder: Path, **elements: Any) -> bytes:
    """The bytes of a shipped file with other elements; None takes one out."""
    header = pydicom.dcmread(shipped(name))
    for key, value in elements.items():
        if value is None:
            delattr(header, key)
        else:
            setattr(header, key, value)
    header.save_as(folder / "changed.dcm")
    return (folder / "changed.dcm").read_bytes()


def stored(name: str) -> NDArray[np.float64]:
    return pydicom.dcmread(shipped(name)).pixel_array.astype(float)


def levels(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(share, 0, 1) * 255


def test_the_window_of_the_file_is_shown() -> None:
    data, header = shipped("MR_small.dcm").read_bytes(), pydicom.dcmread(shipped("MR_small.dcm"))
    centre, width = float(header.WindowCenter) - 0.5, float(header.WindowWidth) - 1
    expected = levels((stored("MR_small.dcm") - centre) / width + 0.5)
    assert examine(data)[:4] == (64, 64, "DICOM", "")
    assert np.abs(decode(data, 64)[:, :, 1] - expected).max() <= 1


def test_a_range_is_one_of_hounsfield_units_and_goes_before_the_window(tmp_path: Path) -> None:
    header = pydicom.dcmread(shipped("CT_small.dcm"))
    units = stored("CT_small.dcm") * header.RescaleSlope + header.RescaleIntercept
    for data in (
        shipped("CT_small.dcm").read_bytes(),
        changed("CT_small.dcm", tmp_path, WindowCenter=0, WindowWidth=10),
    ):
        found = decode(data, 128, range=[-200, 600])[:, :, 0]
        assert np.abs(found - levels((units + 200) / 800)).max() <= 1
    depth = examine(shipped("CT_small.dcm").read_bytes()).depth
    assert depth is not None
    assert depth[:-1] == ("DICOM", -32768 - 1024, 32767 - 1024, units.min(), units.max())
    windowed = examine(data).depth
    assert windowed is not None
    assert windowed.kind == ""  # nothing to warn of


def test_a_table_of_the_file_is_shown(tmp_path: Path) -> None:
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 8])
    table.add_new("LUTData", "US", [255 - number // 16 for number in range(4096)])
    data = changed("MR_small.dcm", tmp_path, VOILUTSequence=[table])
    assert np.array_equal(decode(data, 64)[:, :, 0], 255 - stored("MR_small.dcm") // 16)


@pytest.mark.parametrize("shown", [None, [0, 2000]])
def test_a_negative_is_turned(shown: list[float] | None, tmp_path: Path) -> None:
    negative = changed("MR_small.dcm", tmp_path, PhotometricInterpretation="MONOCHROME1")
    plain = decode(shipped("MR_small.dcm").read_bytes(), 64, range=shown)
    assert np.array_equal(decode(negative, 64, range=shown), 255 - plain)


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_compressed_files_give_the_same(name: str) -> None:
    data, plain = (shipped(each).read_bytes() for each in (name, "MR_small.dcm"))
    assert np.array_equal(decode(data, 64), decode(plain, 64))


@pytest.mark.parametrize("name", ["examples_palette.dcm", "SC_rgb_rle_16bit.dcm", "SC_ybr_full_422_uncompressed.dcm"])
def test_colours_are_those_of_pydicom(name: str) -> None:
    header = pydicom.dcmread(shipped(name))
    colours = header.pixel_array
    if "palette" in name:
        colours = pydicom.pixels.apply_color_lut(colours, header)
    if colours.dtype == np.uint16:
        colours = colours >> 8
    side = min(colours.shape[:2])
    top, left = ((each - side) // 2 for each in colours.shape[:2])
    found = decode(shipped(name).read_bytes(), side)
    assert np.abs(found.astype(int) - colours[top : top + side, left : left + side]).max() <= 1
    assert np.ptp(found) > 100


def test_of_several_frames_the_first_is_used_and_that_is_said() -> None:
    data = shipped("SC_rgb_rle_2frame.dcm").read_bytes()
    assert examine(data).note == "the first of 2 frames"
    assert np.array_equal(decode(data, 100), pydicom.dcmread(shipped("SC_rgb_rle_2frame.dcm")).pixel_array[0])


@pytest.mark.parametrize("read", [examine, lambda data: decode(data, 8)], ids=["examine", "decode"])
def test_what_shows_nothing_is_unreadable_for_a_reason(read: Any, tmp_path: Path) -> None:
    for data, reason in [
        (shipped("rtplan.dcm").read_bytes(), "the DICOM file contains no image"),
        (shipped("MR_truncated.dcm").read_bytes(), "less than expected"),
        (changed("MR_small.dcm", tmp_path, WindowWidth=0), "Window Width"),
    ]:
        with pytest.raises(Unreadable, match=reason):
            read(data)
