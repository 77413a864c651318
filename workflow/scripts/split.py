"""Deal the training photos into folds."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.step import BadInput, Output, log, run
from podium.tables import read_csv, write_csv


def split(index: Path, folds: Output, *, task: dict[str, Any], count: int, seed: int) -> None:
    """Deal the training photos into `count` folds: seeded, stratified as the task asks, photos of one group together.

    `task` is the task's name with its settings. A photo counts once, however many copies of it there are. Raises
    BadInput if all photos belong to one group.
    """
    train = (photos := read_csv(index))[photos.split == "train"]
    if train.group.nunique() == 1:
        raise BadInput(f"{index}: all training photos belong to one group, so no fold can be left out")
    target = tasks.task(task)
    train = train.assign(stratum=target.strata(target.truth(train.label, target.taught(train))))
    distinct = train.drop_duplicates("digest")
    fold = deal(distinct.stratum.to_numpy(), distinct.group.to_numpy(), count, seed)
    dealt, group = train.digest.map(dict(zip(distinct.digest, fold, strict=True))), train.group.factorize()[0]
    write_csv(folds, pd.DataFrame({"id": train.id, "fold": dealt, "group": group}))
    labelled = train[["label", "group"]].drop_duplicates()
    rare = labelled.assign(label=labelled.label.map(target.names)).explode("label").groupby("label").group.nunique()
    if rare.min() < count:
        said = "%d %s have fewer than %d photos or groups, so some folds contain none of their photos"
        log.warning(said, (rare < count).sum(), target.unit, count)


def deal(strata: NDArray[np.int64], groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Folds int [n] in 0..count-1 of photos of these strata, such as classes; a group stays together.

    Groups are shuffled, sorted by size (the largest first) and by the class of their first member, and dealt one by
    one: each goes to the fold in which its classes are scarcest, measured as shares of each class, and on a tie to the
    smallest fold. If each group has one class, the folds' counts of a class differ by at most the size of its largest
    group; if each group is a single photo, all counts differ by at most one. scikit-learn's StratifiedGroupKFold uses
    the same shares, but refuses classes rarer than the fold count and distributes single photos less evenly.
    """
    random = np.random.default_rng(seed)
    _, first, member, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    number = np.unique(strata, return_inverse=True)[1]
    weight = 1 / np.bincount(number) ** 2
    members = np.split(np.argsort(member, kind="stable"), np.cumsum(sizes)[:-1])
    shuffled = random.permutation(len(first))
    held, fold = np.zeros((count, len(weight)), np.int64), np.empty(len(first), np.int64)
    for group in shuffled[np.lexsort((number[first][shuffled], -sizes[shuffled]))]:
        classes, own = np.unique(number[members[group]], return_counts=True)
        # What this group adds to the sum of squared shares, without the terms that are the same for all folds.
        crowded = (held[:, classes] * (own * weight[classes])).sum(1)
        fold[group] = np.lexsort((held.sum(1), crowded))[0]
        held[fold[group], classes] += own
    return fold[member]


if __name__ == "__main__":
    run(split)
