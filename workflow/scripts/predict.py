"""Predict, with one fold's model, the photos that it has not seen."""

import importlib
from pathlib import Path

import numpy as np

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
    fold: int,
    views: list[str],
) -> None:
    """Predict, with one fold's model, the photos that it has not seen, averaged over the views.

    `parts` are the pixels or embeddings of all parts, in the index's order. The table holds the
    probabilities of the fold left out, the validation photos where there are some, and the test photos.
    """
    photos, dealt = read_csv(index), read_csv(folds)
    unseen = (photos.split != "train").to_numpy(copy=True)
    unseen[np.flatnonzero(~unseen)] = dealt.fold == fold
    rows = np.flatnonzero(unseen)
    found = importlib.import_module(f"podium.networks.{network}").predict(model, parts, rows, views)
    Predictions(photos.loc[rows, ["split", "id"]].reset_index(drop=True), classes(photos), found).write(predictions)


if __name__ == "__main__":
    run(predict)
