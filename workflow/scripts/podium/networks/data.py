"""What a fit is given: its photos and what they are to be taken for. No TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.predictions.stored import Predictions
from podium.tasks import Task

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Photos to train on and, behind them, photos that are only measured; `some` of them are told by their numbers.

    `rows`, int [n + measured], are their places in the files of pixels or embeddings. Of the n to train on the last
    ones may be `taught`, which have probabilities, float32 [taught, outputs], in place of a truth; `truth` has a row
    for each of the others, the measured ones last. `groups`, int [n], are those of the photos to train on, -1 for
    taught ones.
    """

    task: Task
    labels: list[str]
    files: list[Path]
    rows: Ints
    truth: NDArray[Any]
    groups: Ints
    taught: Predictions | Floats  # read as they are asked for

    @property
    def count(self) -> int:
        """The number of photos to train on."""
        return len(self.groups)

    @property
    def measured(self) -> int:
        return len(self.rows) - self.count

    @property
    def outputs(self) -> int:
        return len(self.labels)

    def targets(self, some: Ints) -> Floats:
        """What a network is fitted to, float32 [k, outputs]."""
        first = self.count - len(self.taught)
        soft = (some >= first) & (some < self.count)
        own = np.where(some < first, some, some - len(self.taught))
        found = np.empty((len(some), self.outputs), np.float32)
        found[~soft] = self.task.targets(self.truth[own[~soft]], self.outputs)
        found[soft] = self.taught[some[soft] - first] if soft.any() else 0
        return found

    def strata(self) -> Ints:
        """What the photos to train on are stratified by, int [n]; -1 for taught ones."""
        own = self.task.strata(self.truth[: self.count - len(self.taught)])
        return np.concatenate([own, np.full(len(self.taught), -1)])
