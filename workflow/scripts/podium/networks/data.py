"""What a fit is given: its photos and what they are to be taken for. No TensorFlow."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.predictions.stored import Predictions
from podium.tasks import Task
from podium.tasks.dense import DenseTask

LEAST_SPREAD = 1e-6  # of numbers that are all the same

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
    features: Floats | None = None  # numbers beside all of these photos, float32 [n + measured, features]
    balance: float = 0.0  # to which power the photos of a class count less the more of them there are

    @property
    def count(self) -> int:
        """The number of photos to train on."""
        return len(self.groups)

    @property
    def measured(self) -> int:
        return len(self.rows) - self.count

    @property
    def outputs(self) -> int:
        return self.task.outputs(self.labels)

    @property
    def _own_truth(self) -> NDArray[Any]:
        """That of the photos to train on which have one."""
        return self.truth[: self.count - len(self.taught)]

    @cached_property
    def scale(self) -> tuple[Floats, Floats]:
        """What numbers are centred on and divided by, to be fitted: each float32 [outputs]. 0 and 1 for
        probabilities."""
        if not self.task.link.scaled_targets:
            return np.zeros(self._weighed, np.float32), np.ones(self._weighed, np.float32)
        own = self.task.targets(self._own_truth, self.outputs).astype(np.float64)
        return own.mean(0).astype(np.float32), np.maximum(own.std(0), LEAST_SPREAD).astype(np.float32)

    @property
    def _weighed(self) -> int:
        """How many outputs are told apart: all, or the channels of each pixel."""
        return self.task.link.channels if isinstance(self.task, DenseTask) else self.outputs

    @cached_property
    def weights(self) -> Floats:
        """How much a photo, or a pixel, of each class counts in the loss, float32: one on average over them.

        By the share of the class to the power -`balance`: at 1 all classes count alike, at 0 all photos do.
        """
        if not self.balance or not (self.task.link.exclusive or self.task.link.classes_of_pixels):
            return np.ones(self._weighed, np.float32)
        counts = self.task.frequencies(self._own_truth, self.labels)
        weights = np.maximum(counts, 1.0) ** -self.balance
        return (weights * counts.sum() / (weights * counts).sum()).astype(np.float32)

    def targets(self, some: Ints) -> Floats:
        """What a network is fitted to, float32 [k, outputs]; numbers are scaled."""
        first = self.count - len(self.taught)
        soft = (some >= first) & (some < self.count)
        own = np.where(some < first, some, some - len(self.taught))
        found = np.empty((len(some), self.outputs), np.float32)
        found[~soft] = self.task.targets(self.truth[own[~soft]], self.outputs)
        found[soft] = self.taught[some[soft] - first] if soft.any() else 0
        centre, spread = self.scale
        return (found - centre) / spread if self.task.link.scaled_targets else found

    def target(self, number: int, side: int) -> NDArray[np.uint8]:
        """What a dense task says of each pixel of the square that a photo was made."""
        assert isinstance(self.task, DenseTask)
        first = self.count - len(self.taught)
        if first <= number < self.count:
            return self.task.pseudo_target(self.taught[np.array([number - first])][0], side)
        return self.task.target(self.truth[number if number < first else number - len(self.taught)], side)

    def guide(self, some: Ints, scaled: Floats) -> float:
        """What the task's `guide` says of predictions of these photos, none of them taught, as they were fitted."""
        first = self.count - len(self.taught)
        centre, spread = self.scale
        own = np.where(some < first, some, some - len(self.taught))
        return self.task.guide(self.truth[own], scaled * spread + centre)

    def strata(self) -> Ints:
        """What the photos to train on are stratified by, int [n]; -1 for taught ones."""
        return np.concatenate([self.task.strata(self._own_truth), np.full(len(self.taught), -1)])
