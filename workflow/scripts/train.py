"""Fit one network, on all training photos or leaving one fold out."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.models.writing import save
from podium.step import Output, Resume, log, run
from podium.tables import Predictions, classes, mean, read_csv, write_csv

# How many of the photos that a fit leaves out are measured in each epoch: at most so many, and one to so many that it
# trains on, so that measuring costs less than 3 % of a fit; of few photos at least so many, which costs a second.
MEASURED, SHARE, LEAST = 1000, 25, 32

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def train(
    parts: list[Path],
    index: Path,
    folds: Path,
    teachers: list[Path],
    depth: Path,
    model: Output,
    history: Output,
    events: Output,
    *,
    network: str,
    fold: int | None,
    seed: int,
    sharpness: float,
    deterministic: bool,
    options: dict[str, Any],
    resume: Resume,
) -> None:
    """Fit one network, on all training photos or leaving one fold out.

    `parts` are the training photos' pixels, or embeddings where the network is `head`; `depth` says which range of
    values the photos show, for the saved model to keep; `options` are the network's own settings. `history` is a table
    of how the fit went, `events` the same for TensorBoard. On a CPU two fits of one seed are the same anyway; on a GPU
    with `deterministic` only.

    Networks on pixels also measure photos that the fit leaves out: those of its fold, or with none left out those of
    the validation table, which then follow the training photos in `parts`. Nothing is tuned on them.

    `teachers` are predictions whose mean, to the power of `sharpness`, labels the photos that stand in them, which
    are trained on too; `parts` then contain their splits after the training photos. Source: Lee, "Pseudo-label", 2013.
    """
    if deterministic:
        from podium import device

        device.compute_deterministically()
    photos = (index_ := read_csv(index))[index_.split == "train"]
    labels, dealt = classes(index_), read_csv(folds)
    rows = np.flatnonzero(dealt.fold != fold)  # all of them where no fold is left out
    targets = np.eye(len(labels), dtype=np.float32)[np.searchsorted(labels, photos.label.to_numpy(str)[rows])]
    groups = dealt.group.to_numpy()[rows]
    if teachers:
        taught, soft = _taught(teachers, index_, sharpness)
        log.info("also trains on %d photos with its teachers' pseudo-labels", len(taught))
        rows, targets = np.concatenate([rows, taught]), np.concatenate([targets, soft])
        groups = np.concatenate([groups, np.full(len(taught), -1)])
    left_out = _left_out(index_, dealt.fold.to_numpy(), fold, min(MEASURED, max(len(rows) // SHARE, LEAST)))
    fit = importlib.import_module(f"podium.networks.{network}").fit
    settings = {**options, "seed": _number(seed, fold), "resume": resume, "left_out": left_out}
    fitted, progress = fit(parts, rows, targets, groups, **settings)
    from podium.networks import events as tensorboard  # only now, since networks without TensorFlow need the memory

    save(fitted, labels, model, size=options["size"], fit=options["fit"], **json.loads(depth.read_text()))
    write_csv(history, progress)
    tensorboard.write(events, progress)


def _number(seed: int, fold: int | None) -> int:
    """The number that everything a fit draws depends on: the seed, or if a fold is left out one derived from both."""
    return seed if fold is None else int(np.random.SeedSequence([seed, fold + 1]).generate_state(1)[0])


def _left_out(index: pd.DataFrame, folds: Ints, fold: int | None, most: int) -> tuple[Ints, Floats]:
    """Rows and targets of photos to measure: of the fold left out, or where it leaves none out of the validation table.

    Of each class as large a share; none that `yardsticks` would not count either: copies of training photos, and photos
    of other classes.
    """
    rows, labels, train = np.flatnonzero(folds == fold), classes(index), index[index.split == "train"]
    if fold is None:
        fresh = index.label.isin(labels) & ~index.digest.isin(train.digest)
        rows = np.flatnonzero((index.split == "validation") & fresh)
    numbers = np.searchsorted(labels, index.label.to_numpy(str)[rows])
    chosen = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    chosen = np.argsort(numbers, kind="stable")[chosen]
    return rows[chosen], np.eye(len(labels), dtype=np.float32)[numbers[chosen]]


def _taught(teachers: list[Path], index: pd.DataFrame, sharpness: float) -> tuple[Ints, Floats]:
    """Rows of the index that the teachers have predicted, and their pseudo-labels: float32 [n, classes]."""
    found = mean([Predictions.read(path) for path in teachers], index)
    keys = pd.MultiIndex.from_frame(index[["split", "id"]])
    powers = found.probabilities ** np.float32(sharpness)
    return keys.get_indexer(pd.MultiIndex.from_frame(found.keys)), powers / powers.sum(1, keepdims=True)


if __name__ == "__main__":
    run(train)
