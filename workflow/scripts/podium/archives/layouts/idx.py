"""IDX files, as used by MNIST and similar sets: one of images and one of labels for each split, gzipped or not.

The format, from http://yann.lecun.com/exdb/mnist: two zero bytes, the type, the number of dimensions, the size of each
as a big-endian uint32, then the values, the last dimension varying fastest.
"""

import struct
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import SPLITS
from podium.archives.layouts import Labels, class_names, listed, numbered
from podium.archives.opening import Archive
from podium.photos import images
from podium.step import BadInput

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, **_: Any) -> pd.DataFrame:
    """The photos of each split in the order of its files; their ids are their numbers."""
    found = []
    for split in SPLITS:
        if files := spec.get(split):
            count = len(_pixels(archive, files["images"]))
            names = _names(archive, files, spec.get("classes"), count) if "labels" in files else []
            found.append(listed(split, files["images"], list(map(labels.read, names)) or [""] * count, 0))
    return pd.concat(found, ignore_index=True)


def reader(archive: Archive, _: dict[str, Any]) -> Callable[[str], bytes]:
    def opened(member: str) -> Callable[[int], bytes]:
        pixels = _pixels(archive, member)
        return lambda number: images.png(pixels[number])

    return numbered(opened)


def _names(archive: Archive, files: dict[str, str], classes: list[str] | None, count: int) -> list[str]:
    values = _values(member := files["labels"], archive.unpacked(member))
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise BadInput(f"{member}: labels must be whole numbers of one dimension, not {_said(values)}")
    if len(values) != count:
        raise BadInput(f"{member}: {len(values)} labels, but {files['images']} contains {count} images")
    return class_names(values.tolist(), classes, member)


def _pixels(archive: Archive, member: str) -> NDArray[np.uint8]:
    """Pixels uint8 [n, h, w] or [n, h, w, c]."""
    values = _values(member, archive.unpacked(member))
    if values.dtype != np.uint8 or not (values.ndim == 3 or (values.ndim == 4 and values.shape[3] in (1, 3, 4))):
        raise BadInput(f"{member}: images must be bytes of 3 dimensions, or 4 with the colours, not {_said(values)}")
    return values


def _said(values: NDArray[Any]) -> str:
    return f"{values.dtype.name} of shape {' x '.join(map(str, values.shape))}"


def _values(member: str, data: bytes) -> NDArray[Any]:
    """The array in an IDX file; raises BadInput if its header is not that of an IDX file or its size is wrong."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or not data[3]:
        raise BadInput(f"{member}: not an IDX file (it begins with {data[:4].hex(' ') or 'nothing'})")
    start, kind = 4 + 4 * data[3], np.dtype(TYPES[data[2]])
    if len(data) < start:
        raise BadInput(f"{member}: the IDX file is cut off in its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != (size := prod(shape) * kind.itemsize):
        wanted = f"{' x '.join(map(str, shape))} values of {kind.itemsize} bytes are {size}"
        raise BadInput(f"{member}: {len(data) - start} bytes after the header, but {wanted}")
    return np.frombuffer(data, kind, offset=start).reshape(shape)
