"""Deal the training photos into folds."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.step import Output, log, run
from podium.tables import read_csv, write_csv


def split(index: Path, folds: Output, *, count: int, seed: int) -> None:
    """Deal the training photos into `count` folds: seeded, stratified, copies of one photo together."""
    train = (photos := read_csv(index))[photos.split == "train"]
    group = train.groupby("digest", sort=False).ngroup().to_numpy(np.int64)
    fold = deal(train.label.to_numpy(str), np.asarray(group, np.int64), count, seed)
    write_csv(folds, pd.DataFrame({"id": train.id, "fold": fold, "group": group}))
    rare = train.label.value_counts()
    if rare.min() < count:
        log.warning(
            "%d classes have fewer than %d photos, so some folds have none of them", (rare < count).sum(), count
        )


def deal(labels: NDArray[np.str_], groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Folds int [n] in 0..count-1; a group takes the label of its first member.

    Groups are shuffled, sorted by class and dealt like cards, so that the folds' counts of each class, and
    of all photos, differ by at most one where groups are single photos. Unlike scikit-learn's
    StratifiedGroupKFold it takes classes rarer than the fold count.
    """
    random = np.random.default_rng(seed)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = random.permutation(len(first))
    dealt = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    fold = np.empty(len(first), np.int64)
    fold[dealt] = np.arange(len(first)) % count
    return fold[member]


if __name__ == "__main__":
    run(split)
