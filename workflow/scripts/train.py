"""Fit one network, on all training photos or leaving one fold out."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from podium.networks import save
from podium.step import Output, Resume, run
from podium.tables import classes, read_csv, write_csv


def train(
    parts: list[Path],
    index: Path,
    folds: Path,
    model: Output,
    history: Output,
    *,
    network: str,
    fold: int | None,
    seed: int,
    deterministic: bool,
    options: dict[str, Any],
    resume: Resume,
) -> None:
    """Fit one network, on all training photos or leaving one fold out.

    `parts` are the training photos' pixels, or embeddings where the network is `head`; `options` are
    the network's own settings. `history` is a table of how the fit went. On a CPU two fits of one seed are the
    same anyway; on a GPU with `deterministic` only.
    """
    if deterministic:
        from podium import device

        device.compute_deterministically()
    photos = (index_ := read_csv(index))[index_.split == "train"]
    labels, dealt = classes(index_), read_csv(folds)
    rows = np.flatnonzero(dealt.fold != fold)  # all of them where no fold is left out
    truth = np.searchsorted(labels, photos.label.to_numpy(str)[rows])
    groups = dealt.group.to_numpy()[rows]
    fit = importlib.import_module(f"podium.networks.{network}").fit
    fitted, progress = fit(parts, rows, truth, groups, len(labels), seed=seed + (fold or 0), resume=resume, **options)
    save(fitted, labels, model)
    write_csv(history, progress)


if __name__ == "__main__":
    run(train)
