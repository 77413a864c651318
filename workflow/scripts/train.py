"""Fit one network, on all training photos or leaving one fold out."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.models.writing import save
from podium.networks.data import Dataset
from podium.predictions.stored import Predictions, Scaled, mean
from podium.step import Output, Resume, log, run
from podium.tables import read_csv, write_csv

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
    features: list[Path],
    depth: Path,
    model: Output,
    history: Output,
    events: Output,
    *,
    task: dict[str, Any],
    network: str,
    fold: int | None,
    seed: int,
    sharpness: float,
    deterministic: bool,
    balance: float | None,
    columns: list[str],
    options: dict[str, Any],
    resume: Resume,
) -> None:
    """Fit one network, on all training photos or leaving one fold out.

    `task` is the task's name with its settings and the metric, which decides the loss. `balance` is the power to which
    photos of a frequent class count less, None for what suits the metric. `parts` are the training photos' pixels, or
    embeddings where the network is `head`; `depth` says which range of values the photos show, for the saved model to
    keep; `options` are the network's own settings. `history` is a table of how the fit went, `events` the same for
    TensorBoard. On a CPU two fits of one seed are the same anyway; on a GPU with `deterministic` only.

    Networks on pixels also measure photos that the fit leaves out: those of its fold, or with none left out those of
    the validation table, which then follow the training photos in `parts`. Nothing is tuned on them.

    `features` are numbers beside the photos, of these `columns`, for a network that can use them. `teachers` are
    predictions whose mean, to the power of `sharpness`, labels the photos that stand in them, which
    are trained on too; `parts` then contain their splits after the training photos. Source: Lee, "Pseudo-label", 2013.
    """
    if deterministic:
        from podium import device

        device.compute_deterministically()
    index_, dealt = read_csv(index), read_csv(folds)
    target, seed = tasks.task(task), _number(seed, fold)
    taught = _taught(target, teachers, index_, sharpness)
    data = _dataset(target, parts, index_, dealt, fold, taught, target.balance if balance is None else balance)
    if features:
        # The files of photos begin with the training split, as the index does.
        data = replace(data, features=np.load(features[0])[data.rows])
    fit = importlib.import_module(f"podium.networks.{network}").fit
    fitted, progress = fit(data, **options, seed=seed, resume=resume)
    from podium.networks import events as tensorboard  # only now, since networks without TensorFlow need the memory

    decoding = {"size": options["size"], "fit": options["fit"], "grey": target.itself, **json.loads(depth.read_text())}
    save(fitted, target, data.labels, columns if features else [], model, **decoding)
    write_csv(history, progress)
    tensorboard.write(events, progress)


def _number(seed: int, fold: int | None) -> int:
    """The number that everything a fit draws depends on: the seed, or if a fold is left out one derived from both."""
    return seed if fold is None else int(np.random.SeedSequence([seed, fold + 1]).generate_state(1)[0])


def _dataset(
    task: tasks.Task,
    parts: list[Path],
    index: pd.DataFrame,
    dealt: pd.DataFrame,
    fold: int | None,
    taught: tuple[Ints, Predictions | Floats],
    balance: float,
) -> Dataset:
    """The training photos without the fold, those that teachers label, and those that are only measured."""
    labels, train = task.taught(index), index[index.split == "train"]
    told = task.truth(train.label, labels)
    rows = np.flatnonzero((dealt.fold != fold) & task.known(told))  # of all folds where none is left out
    count = len(rows) + len(taught[0])
    measured = _measured(task, index, dealt.fold.to_numpy(), fold, min(MEASURED, max(count // SHARE, LEAST)))
    return Dataset(
        task,
        labels,
        parts,
        rows=np.concatenate([rows, taught[0], measured]),
        truth=np.concatenate([told[rows], task.truth(index.label.iloc[measured], labels)]),
        groups=np.concatenate([dealt.group.to_numpy()[rows], np.full(len(taught[0]), -1)]),
        taught=taught[1],
        balance=balance,
    )


def _measured(task: tasks.Task, index: pd.DataFrame, folds: Ints, fold: int | None, most: int) -> Ints:
    """Rows of photos to measure: of the fold left out, or where it leaves none out of the validation table.

    Of each class as large a share; none that `yardsticks` would not count either: copies of training photos, and photos
    of other classes.
    """
    rows, labels, train = np.flatnonzero(folds == fold), task.taught(index), index[index.split == "train"]
    if fold is None:
        rows = np.flatnonzero((index.split == "validation") & ~index.digest.isin(train.digest))
    rows = rows[task.known(task.truth(index.label.iloc[rows], labels))]
    strata = task.strata(task.truth(index.label.iloc[rows], labels))
    chosen = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return rows[np.argsort(strata, kind="stable")[chosen]]


def _taught(
    task: tasks.Task, teachers: list[Path], index: pd.DataFrame, sharpness: float
) -> tuple[Ints, Predictions | Floats]:
    """Rows of the index that the teachers have predicted, and their pseudo-labels: float32 [n, outputs]."""
    if not teachers:
        return np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    found = mean([Predictions.read(path) for path in teachers], index)
    places = found.places(index)
    rows = np.flatnonzero(places >= 0)
    log.info("also trains on %d photos with its teachers' pseudo-labels", len(rows))
    sharper = Scaled(task, found, np.full(len(found), 1 / sharpness, np.float32))
    return rows, Predictions(index.iloc[rows], sharper, places[rows])


if __name__ == "__main__":
    run(train)
