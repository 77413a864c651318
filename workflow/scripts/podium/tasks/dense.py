"""What tasks share that answer each pixel. No TensorFlow.

The truth is the name of the file of a photo's target, str [n]; empty if it has none. Targets are kept as PNG files at
the photo's own size. Predictions, [n, side * side * channels], are of a square that the photo was made; they are
brought back to the photo's size and place before anything is answered.
"""

import io
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from podium import tasks
from podium.photos import geometry
from podium.step import BadInput
from podium.tasks import Decision
from podium.tasks.cells import Form
from podium.tasks.dense_links import LinkOfPixels

Floats = NDArray[np.float32]
Names = NDArray[np.str_]
Target = NDArray[np.uint8]


class DenseTask(tasks.Task):
    """The questions that only such tasks answer, in the order of the way of the data."""

    calibrates, stored = False, "u1"
    resampling: Image.Resampling  # of targets that are resized
    link: LinkOfPixels

    def __init__(self, side: int, folder: str, fit: str) -> None:
        """`side` is that of predictions, `folder` has the targets' files, and `fit` made the photos square."""
        self.side, self._folder, self._fit = side, Path(folder), fit

    @property
    @abstractmethod
    def channels(self) -> int:
        """How many numbers a prediction has of each pixel."""

    # The target

    def read_columns(self, cells: dict[str, str]) -> str:
        raise ValueError(f"a target stands in one column, not in {', '.join(cells)}")

    @abstractmethod
    def read_file(self, name: str) -> str:
        """The label as the index stores it before it is drawn, where it is a file of the archive."""

    @abstractmethod
    def drawn(self, stored: str, read: Callable[[str], bytes], width: int, height: int) -> bytes:
        """The PNG file to keep of a label, of a photo of this size; raises ValueError, which says why not."""

    def doubts(self, stored: "pd.Series[str]", column: str) -> list[str]:  # noqa: ARG002
        return []

    def truth(self, stored: Iterable[str], labels: list[str]) -> Names:  # noqa: ARG002
        return np.array([*stored], np.str_)

    def known(self, truth: Names) -> NDArray[np.bool_]:
        return truth != ""

    def outputs(self, labels: list[str]) -> int:  # noqa: ARG002
        return self.side**2 * self.channels

    def target(self, name: str, side: int | None = None) -> Target:
        """What such a file says of each pixel, uint8: of the photo's own size, or of the square that it was made."""
        with Image.open(io.BytesIO((self._folder / name).read_bytes())) as image:
            image.load()
        return np.asarray(image) if side is None else geometry.square(image, side, self._fit, self.resampling)

    @abstractmethod
    def pseudo_target(self, prediction: Floats, side: int) -> Target:
        """What a teacher's prediction says of each pixel of the square, as `target`."""

    # Predictions

    def shaped(self, prediction: Floats) -> Floats:
        """One photo's prediction as [side, side, channels]."""
        side = math.isqrt(prediction.size // self.channels)
        return np.asarray(prediction, np.float32).reshape(side, side, self.channels)

    def sized(self, prediction: Floats, width: int, height: int) -> Floats:
        """The same at the photo's size: [height, width, channels]."""
        return geometry.unsquared(self.shaped(prediction), width, height, self._fit)

    def photo(self, pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        """A stored photo, [size, size, 3], at its own size."""
        found = geometry.unsquared(pixels.astype(np.float32), width, height, self._fit)
        return np.rint(found).astype(np.uint8)

    @abstractmethod
    def answered(self, sized: Floats, decision: Decision) -> NDArray[Any]:
        """The answer to each pixel, [height, width] or [height, width, channels], of such predictions."""

    # Pictures and submissions

    @abstractmethod
    def pictures(self, photo: Target, truth: Target, answer: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What people are shown of a photo, in colours, by what each is called."""

    @abstractmethod
    def legend(self, labels: list[str]) -> dict[str, NDArray[Any]]:
        """The colours in these pictures by what they mean."""

    def columns(self, form: str, labels: list[str]) -> list[str] | None:  # noqa: ARG002
        return None

    def cells(
        self, predictions: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        """Of photos that are as large as predictions."""
        del labels, columns, form
        return [[self.cell(each, decision, self.side, self.side)] for each in predictions]

    def cell(self, prediction: Floats, decision: Decision, width: int, height: int) -> str:  # noqa: ARG002
        """The cell of a submission for a photo of this size."""
        raise ValueError(f"the task {self.name} has no answer that stands in a cell")

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:  # noqa: ARG002
        raise ValueError(f"{where}: the task {self.name} has no answer that stands in a cell")

    @abstractmethod
    def file(self, prediction: Floats, decision: Decision, width: int, height: int) -> bytes:
        """The same in a form that is a file for each photo."""

    @abstractmethod
    def check_file(self, where: str, data: bytes, width: int, height: int) -> None:
        """Raises BadInput, which begins with `where`, unless a photo's file is such as `file` gives."""

    @staticmethod
    def check_size(where: str, pixels: NDArray[Any], width: int, height: int) -> None:
        """Raises BadInput unless these are the pixels of a photo of this size."""
        if pixels.shape[:2] != (height, width):
            found = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise BadInput(f"{where}: {found} pixels, but the photo has {width} x {height}")
