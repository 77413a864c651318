"""Combine the predictions of an experiment's fits: out-of-fold ones are joined, all others averaged."""

from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.predictions.stored import Predictions, mean, write
from podium.step import BadInput, Output, log, run
from podium.tables import answered, read_csv

BLOCK = 256  # labels whose targets are made at a time


def pool(fits: list[Path], index: Path, quarantine: Path, pooled: Output, *, task: dict[str, Any]) -> None:
    """Combine the predictions of an experiment's fits: out-of-fold ones are joined, all others averaged.

    One row for each id that a fit predicted. `task` is the task's name with its settings. Test photos that cannot be
    read, and no other photo of their id either, get the training photos' label frequencies (the prior). Raises BadInput
    if a readable test photo has no prediction.
    """
    photos, unread = answered(read_csv(index)), read_csv(quarantine)
    found = mean([Predictions.read(path) for path in fits], photos)
    tests = photos[photos.split == "test"]
    if len(lost := tests[found.places(tests) < 0]):
        raise BadInput(f"{fits[0]}: no prediction for the test photo {lost.id.iloc[0]}")
    unread = answered(unread[(unread.split == "test") & (found.places(unread) < 0)])
    prior = _prior(tasks.task(task), photos)[None] if len(unread) else np.zeros((1, found.outputs), np.float32)
    keys = pd.concat([found.keys, unread[["split", "id"]]], ignore_index=True)
    blocks = chain((block for _, block in found.blocks()), repeat(prior, len(unread)))
    write(pooled, keys, found.outputs, blocks, found.kind)
    if len(unread):
        log.warning(
            "WARNING: %d test photos cannot be read and get the training photos' label frequencies; the first is %s",
            len(unread),
            unread.id.iloc[0],
        )


def _prior(task: tasks.Task, photos: pd.DataFrame) -> NDArray[np.float32]:
    """The mean of the training photos' targets, float32 [outputs], such as the share that has each label."""
    train, labels = photos.label[photos.split == "train"], task.taught(photos)
    counts = train.value_counts()
    outputs = task.outputs(labels)
    total, count = np.zeros(outputs), 0
    for start in range(0, len(counts), BLOCK):
        some = counts.iloc[start : start + BLOCK]
        known = task.known(truth := task.truth(some.index, labels))
        total += some[known].to_numpy() @ task.targets(truth[known], outputs)
        count += some[known].sum()
    return (total / count).astype(np.float32)


if __name__ == "__main__":
    run(pool)
