"""Combine the predictions of an experiment's fits: out-of-fold ones are joined, all others averaged."""

from pathlib import Path

import numpy as np
import pandas as pd

from podium.step import BadInput, Output, log, run
from podium.tables import Predictions, classes, mean, read_csv


def pool(fits: list[Path], index: Path, quarantine: Path, pooled: Output) -> None:
    """Combine the predictions of an experiment's fits: out-of-fold ones are joined, all others averaged.

    One row for each photo that a fit predicted. Test photos that cannot be read get the training photos' class
    frequencies (the prior). Raises BadInput if a readable test photo has no prediction.
    """
    photos, unread = read_csv(index), read_csv(quarantine)
    found = mean([Predictions.read(path) for path in fits], photos)
    wanted = pd.MultiIndex.from_frame(photos.loc[photos.split == "test", ["split", "id"]])
    if len(lost := wanted[~wanted.isin(pd.MultiIndex.from_frame(found.keys))]):
        raise BadInput(f"{fits[0]}: no prediction for the test photo {lost[0][1]}")
    unread = unread[unread.split == "test"]
    if len(unread):
        labels = classes(photos)
        prior = photos.label[photos.split == "train"].value_counts(normalize=True)[labels].to_numpy(np.float32)
        keys = pd.concat([found.keys, unread[["split", "id"]]], ignore_index=True)
        found = Predictions(keys, labels, np.concatenate([found.probabilities, np.tile(prior, (len(unread), 1))]))
        log.warning(
            "WARNING: %d test photos cannot be read and get the training photos' class frequencies; the first is %s",
            len(unread),
            unread.id.iloc[0],
        )
    found.write(pooled)


if __name__ == "__main__":
    run(pool)
