"""The binary version of CIFAR: files of alternating labels and pixels.

From https://www.cs.toronto.edu/~kriz/cifar.html: for each photo one label byte (two in CIFAR-100, the second is the
finer class), then 32 x 32 bytes of red, as many of green and of blue, row by row. The Python version is not read: it is
a pickle, which can run any program when it is opened.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import SPLITS
from podium.archives.layouts import Labels, class_names, listed, numbered
from podium.archives.opening import Archive
from podium.photos import images
from podium.step import BadInput

SHAPE = (3, 32, 32)


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, **_: Any) -> pd.DataFrame:
    """The photos of each split, file by file; their ids are their numbers in the split."""
    found = []
    for split in SPLITS:
        first = 0
        for member in spec.get(split, []):
            numbers = _rows(archive, member, spec["label_bytes"])[:, spec["label_bytes"] - 1].tolist()
            names = class_names(numbers, spec.get("classes"), member)
            found.append(listed(split, member, list(map(labels.read, names)), first))
            first += len(numbers)
    return pd.concat(found, ignore_index=True)


def reader(archive: Archive, spec: dict[str, Any]) -> Callable[[str], bytes]:
    def opened(member: str) -> Callable[[int], bytes]:
        pixels = _rows(archive, member, spec["label_bytes"])[:, spec["label_bytes"] :].reshape(-1, *SHAPE)
        return lambda number: images.png(np.ascontiguousarray(pixels[number].transpose(1, 2, 0)))

    return numbered(opened)


def _rows(archive: Archive, member: str, label_bytes: int) -> NDArray[np.uint8]:
    """Labels and pixels as stored, uint8 [n, label_bytes + 3072]; raises BadInput if the size is wrong."""
    data, size = archive.unpacked(member), label_bytes + int(np.prod(SHAPE))
    if len(data) % size or not data:
        raise BadInput(f"{member}: {len(data)} bytes are not a whole number of photos of {size} bytes each")
    return np.frombuffer(data, np.uint8).reshape(-1, size)
