"""Predict, with one fit's model, photos that it was not trained on."""

import importlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from podium import tasks
from podium.models.reading import check_classes
from podium.predictions.stored import Predictions, write
from podium.step import Output, run
from podium.tables import read_csv


def predict(
    model: Path,
    parts: list[Path],
    index: Path,
    folds: Path,
    features: list[Path],
    predictions: Output,
    one_view: Output,
    *,
    task: dict[str, Any],
    network: str,
    fold: int | None,
    splits: list[str],
    views: list[str],
    saved_model: str | None,
) -> None:
    """Predict, with one fit's model, the photos of `splits` that it was not trained on, averaged over the views.

    `task` is the task's name with its settings. `parts` are the pixels or embeddings of these splits, in the index's
    order, and `features` numbers beside all photos of the index. Of the training photos, `predictions` contains the
    fold left out. Several photos of one id have one row, the mean of theirs. `one_view` contains the photos that may
    judge (the fold left out and the validation table), predicted from a single view as the model does when it is used
    by itself: `plain` if it is one of the views, else the first. `saved_model` is the folder or handle of the
    SavedModel that the model is built on, or None. Raises BadInput if the model is built on a SavedModel that is not
    named, or has other classes than the index.
    """
    index_, dealt = read_csv(index), read_csv(folds)
    target = tasks.task(task)
    check_classes(model, labels := target.taught(index_), index)
    photos = index_[index_.split.isin(splits)]
    unseen = (photos.split != "train").to_numpy(copy=True)
    if "train" in splits:
        unseen[np.flatnonzero(~unseen)] = dealt.fold == fold
    rows = np.flatnonzero(unseen)
    beside = {"features": np.load(features[0])[index_.split.isin(splits).to_numpy()]} if features else {}
    own = importlib.import_module(f"podium.networks.{network}").predict
    probabilities = partial(own, saved_model=saved_model, **beside)
    keys = photos.iloc[rows][["split", "id"]].reset_index(drop=True)
    write(predictions, keys, target.outputs(labels), probabilities(model, parts, rows, views), target.stored)
    judging = (keys.split != "test").to_numpy()
    if target.calibrates and judging.any() and len(views) > 1:
        alone = probabilities(model, parts, rows[judging], ["plain" if "plain" in views else views[0]])
        write(one_view, keys[judging], target.outputs(labels), alone, target.stored)
    else:
        found = Predictions.read(predictions)
        found.rows(np.flatnonzero(found.keys.split != "test")).write(one_view)


if __name__ == "__main__":
    run(predict)
