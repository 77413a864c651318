"""Fit one network, leaving one fold out."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from podium.networks import save
from podium.step import Output, run
from podium.tables import classes, read_csv, write_csv


def train(
    parts: list[Path],
    index: Path,
    folds: Path,
    model: Output,
    history: Output,
    *,
    network: str,
    fold: int,
    seed: int,
    options: dict[str, Any],
) -> None:
    """Fit one network, leaving one fold out.

    `parts` are the training photos' pixels, or embeddings where the network is `head`; `options` are
    the network's own settings. `history` is a table of how the fit went.
    """
    photos = (index_ := read_csv(index))[index_.split == "train"]
    labels, dealt = classes(index_), read_csv(folds)
    rows = np.flatnonzero(dealt.fold != fold)
    truth = np.searchsorted(labels, photos.label.to_numpy(str)[rows])
    fit = importlib.import_module(f"podium.networks.{network}").fit
    fitted, progress = fit(parts, rows, truth, dealt.group.to_numpy()[rows], len(labels), seed=seed + fold, **options)
    save(fitted, labels, model)
    write_csv(history, progress)


if __name__ == "__main__":
    run(train)
