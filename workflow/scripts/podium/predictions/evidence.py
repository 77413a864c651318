"""What figures are computed from, gathered block by block, and how answers are made of predictions. No TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.predictions.stored import Predictions, some
from podium.predictions.yardsticks import Yardstick
from podium.tasks import Decision, Task

PARTS = 5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def decision(task: Task, truth: NDArray[Any], predictions: Predictions, rows: Ints) -> Decision:
    """How an answer is best made of these predictions, which have this truth; with many outputs, by some of them.

    Empty where no model can know the label of any.
    """
    chosen = some(rows, predictions.outputs)
    return task.decision(truth[chosen], predictions[rows[chosen]]) if task.known(truth[chosen]).any() else {}


def gathered(task: Task, truth: NDArray[Any], predictions: Predictions, rows: Ints, how: Decision) -> NDArray[Any]:
    """The evidence of these rows, which have this truth, if answers are made in this way."""
    return np.concatenate([task.evidence(truth[own], block, how) for own, block in predictions.blocks(rows)])


def in_parts(task: Task, yardstick: Yardstick, predictions: Predictions, how: Sequence[Decision]) -> NDArray[Any]:
    """The evidence of a yardstick's photos, each part of which is answered in a way of its own."""
    parts = yardstick.parts(len(how))
    places = [np.flatnonzero(parts == part) for part in range(len(how))]
    found = [
        gathered(task, yardstick.truth[own], predictions, yardstick.rows[own], each)
        for own, each in zip(places, how, strict=True)
        if len(own)
    ]
    return np.concatenate(found)[np.argsort(np.concatenate(places))]
