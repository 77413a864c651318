"""Predict, with one fit's model, the photos that it has not seen."""

import importlib
from pathlib import Path

import numpy as np

from podium.networks import check_classes
from podium.step import Output, run
from podium.tables import Predictions, classes, read_csv


def predict(
    model: Path,
    parts: list[Path],
    index: Path,
    folds: Path,
    predictions: Output,
    *,
    network: str,
    fold: int | None,
    splits: list[str],
    views: list[str],
    saved_model: str | None,
) -> None:
    """Predict, with one fit's model, the photos of some splits that it has not seen, averaged over the views.

    `parts` are the pixels or embeddings of these splits, in the index's order. Of the training photos the
    table holds the fold left out. `saved_model` is the folder or handle of the SavedModel that the model is built on,
    if on any: a model that is built on one which is not named raises BadInput.
    """
    index_, dealt = read_csv(index), read_csv(folds)
    check_classes(model, labels := classes(index_), index)
    photos = index_[index_.split.isin(splits)]
    unseen = (photos.split != "train").to_numpy(copy=True)
    if "train" in splits:
        unseen[np.flatnonzero(~unseen)] = dealt.fold == fold
    rows = np.flatnonzero(unseen)
    found = importlib.import_module(f"podium.networks.{network}").predict(model, parts, rows, views, saved_model)
    keys = photos.iloc[rows][["split", "id"]].reset_index(drop=True)
    Predictions(keys, labels, found).write(predictions)


if __name__ == "__main__":
    run(predict)
