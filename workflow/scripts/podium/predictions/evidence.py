"""What figures are computed from, gathered block by block, and how answers are made of probabilities. No TensorFlow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.predictions.stored import CELLS, Predictions
from podium.predictions.yardsticks import Yardstick
from podium.tasks import Decision, Task

PARTS = 5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def some(rows: Ints, outputs: int) -> Ints:
    """Numbers of rows to fit a few parameters on: all, or evenly spaced ones whose probabilities fill a block."""
    most = max(1, CELLS // max(outputs, 1))
    return np.arange(len(rows)) if len(rows) <= most else np.linspace(0, len(rows) - 1, most).round().astype(np.int64)


def decision(task: Task, truth: NDArray[Any], predictions: Predictions, rows: Ints) -> Decision:
    """How an answer is best made of these predictions' probabilities, by photos whose label the model can know."""
    known = np.flatnonzero(task.known(truth))
    chosen = known[some(known, predictions.outputs)]
    return task.decision(truth[chosen], predictions[rows[chosen]]) if len(chosen) else {}


def gathered(task: Task, truth: NDArray[Any], predictions: Predictions, rows: Ints, how: Decision) -> NDArray[Any]:
    """The evidence of these rows, which have this truth, if answers are made in this way."""
    return np.concatenate([task.evidence(truth[own], block, how) for own, block in predictions.blocks(rows)])


def crossfitted(task: Task, yardstick: Yardstick, predictions: Predictions) -> NDArray[Any]:
    """The evidence of a yardstick's photos, each answered in the way that is best for other parts of them."""
    parts, found = yardstick.parts(PARTS), list[NDArray[Any]]()
    own = [np.flatnonzero(parts == part) for part in np.unique(parts)]
    for places in own:
        others = np.setdiff1d(np.arange(len(parts)), places)
        how = decision(task, yardstick.truth[others], predictions, yardstick.rows[others])
        found.append(gathered(task, yardstick.truth[places], predictions, yardstick.rows[places], how))
    return np.concatenate(found)[np.argsort(np.concatenate(own))]
