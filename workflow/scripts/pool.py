"""Join the folds' predictions: out of fold side by side, the rest averaged."""

from pathlib import Path

import numpy as np
import pandas as pd

from podium.step import Output, log, run
from podium.tables import Predictions, classes, read_csv


def pool(folds: list[Path], index: Path, quarantine: Path, predictions: Output) -> None:
    """Join the folds' predictions: out of fold side by side, the rest averaged; one row for each photo.

    Test photos that could not be read get the share of each class among the training photos.
    """
    photos, unread = read_csv(index), read_csv(quarantine)
    tables = [Predictions.read(path) for path in folds]
    labels = classes(photos)
    keys = pd.concat([table.keys for table in tables], ignore_index=True)
    stacked = np.concatenate([table.probabilities for table in tables])
    means = pd.DataFrame(stacked).groupby([keys.split, keys.id]).mean()
    rows = pd.MultiIndex.from_frame(photos[["split", "id"]])
    pooled = means.loc[rows].to_numpy(np.float32)
    unread = unread[unread.split == "test"]
    if len(unread):
        prior = photos.label[photos.split == "train"].value_counts(normalize=True)[labels].to_numpy(np.float32)
        pooled = np.concatenate([pooled, np.tile(prior, (len(unread), 1))])
        log.warning(
            "WARNING: %d test photos could not be read and get the training prior; the first is %s",
            len(unread),
            unread.id.iloc[0],
        )
    keys = pd.concat([photos[["split", "id"]], unread[["split", "id"]]], ignore_index=True)
    Predictions(keys, labels, pooled).write(predictions)


if __name__ == "__main__":
    run(pool)
