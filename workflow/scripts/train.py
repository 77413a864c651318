"""Fit one network, on all training photos or leaving one fold out."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.networks import save
from podium.step import Output, Resume, log, run
from podium.tables import Predictions, classes, mean, read_csv, write_csv

Floats = NDArray[np.float32]


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

    `teachers` are predictions whose mean, to the power of `sharpness`, labels the photos that stand in them, which
    are trained on too; `parts` then hold their splits behind the training photos. Source: Lee, "Pseudo-label", 2013.
    """
    from podium import events as tensorboard

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
        log.info("trains also on %d photos that its teachers label", len(taught))
        rows, targets = np.concatenate([rows, taught]), np.concatenate([targets, soft])
        groups = np.concatenate([groups, np.full(len(taught), -1)])
    fit = importlib.import_module(f"podium.networks.{network}").fit
    fitted, progress = fit(parts, rows, targets, groups, seed=_number(seed, fold), resume=resume, **options)
    save(fitted, labels, model, size=options["size"], fit=options["fit"], **json.loads(depth.read_text()))
    write_csv(history, progress)
    tensorboard.write(events, progress)


def _number(seed: int, fold: int | None) -> int:
    """What all that a fit draws depends on: the seed itself, or where a fold is left out a number that both give."""
    return seed if fold is None else int(np.random.SeedSequence([seed, fold + 1]).generate_state(1)[0])


def _taught(teachers: list[Path], index: pd.DataFrame, sharpness: float) -> tuple[NDArray[np.int64], Floats]:
    """Rows of the index that the teachers have predicted, and what they say: float32 [n, classes]."""
    found = mean([Predictions.read(path) for path in teachers], index)
    keys = pd.MultiIndex.from_frame(index[["split", "id"]])
    powers = found.probabilities ** np.float32(sharpness)
    return keys.get_indexer(pd.MultiIndex.from_frame(found.keys)), powers / powers.sum(1, keepdims=True)


if __name__ == "__main__":
    run(train)
