"""Score one experiment on photos that are corrupted more and more."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.models.reading import check_classes
from podium.photos.corruptions import corrupt
from podium.photos.pixels import Pixels
from podium.predictions.evidence import gathered
from podium.predictions.scores import score
from podium.predictions.stored import Predictions, Scaled, mean, write
from podium.predictions.yardsticks import Yardstick, yardsticks
from podium.step import BadInput, Output, log, run
from podium.tables import KEYS, answered, read_csv, write_csv
from podium.tasks.dense import DenseTask

ENDS = {"": "value", "_low": "low", "_high": "high"}

Floats = NDArray[np.float32]


def robustness(
    models: list[Path],
    parts: list[Path],
    index: Path,
    folds: Path,
    features: list[Path],
    calibration: Path,
    decision: Path,
    robustness: Output,
    *,
    task: dict[str, Any],
    split: str,
    left_out: list[int],
    views: list[str],
    corruptions: dict[str, list[float]],
    saved_model: str | None,
) -> None:
    """Score one experiment on photos that are corrupted more and more, and on the uncorrupted photos.

    `task` is the task's name with its settings. `parts` are the pixels of the `split` that is scored, and `features`
    numbers beside all photos of the index, which nothing corrupts. Each model predicts the photos that it was not
    fitted on: all photos of the split, or, of the training photos, the fold at the model's place in `left_out` (-1 for
    none). Several predictions of a photo are averaged, and scaled by the temperature in `calibration`, which was fitted
    on the uncorrupted photos. `corruptions` gives the levels of each kind in `podium.photos.corruptions`. `saved_model`
    is the folder or handle of the SavedModel that the models are built on, or None. Raises BadInput if no photo of the
    split can judge, or if a model is built on a SavedModel that is not named.
    """
    index_, dealt, photos = read_csv(index), read_csv(folds), Pixels(parts)
    here = index_.split == split
    keys = index_.loc[here, KEYS].reset_index(drop=True)
    target, temperature = tasks.task(task), json.loads(calibration.read_text())["temperature"]
    labels, decided = target.taught(index_), json.loads(decision.read_text())["decision"]
    for model in models:
        check_classes(model, labels, index)

    from podium.networks import training

    rows = [np.flatnonzero(dealt.fold == fold) if split == "train" else np.arange(len(keys)) for fold in left_out]
    asked = answered(keys.iloc[np.unique(np.concatenate(rows))])
    if not (judging := yardsticks(target, index_, Predictions(asked, np.zeros((len(asked), 0))))):
        raise BadInput(f"{index}: no {split} photo can judge: each has no label or is a copy of a training photo")
    yardstick = judging[0]
    levels = [("none", 0.0), *((kind, level) for kind in corruptions for level in corruptions[kind])]
    networks, lines = [training.load(model, saved_model) for model in models], []
    side = target.side if isinstance(target, DenseTask) else None
    beside = np.load(features[0])[here.to_numpy()] if features else None
    for kind, level in levels:
        spoil = partial(corrupt, f"{kind}-{level}") if kind != "none" else None
        found = [
            (keys.iloc[own], training.average(network, photos, own, views, spoil, beside, side))
            for network, own in zip(networks, rows, strict=True)
        ]
        evidence = _evidence(target, found, index_, yardstick, temperature, decided)
        figures = score(target, evidence, yardstick.photos.group.to_numpy())
        ends = {f"{metric}{end}": figures[metric][key] for metric in target.metrics for end, key in ENDS.items()}
        lines.append(
            {"corruption": kind, "level": level, "yardstick": yardstick.name, "photos": figures["photos"], **ends}
        )
        first = next(iter(target.metrics))
        log.info("%s %g: %s %.3f", kind, level, first.replace("_", " "), figures[first]["value"])
    write_csv(robustness, pd.DataFrame(lines))


def _evidence(
    task: tasks.Task,
    found: list[tuple[pd.DataFrame, Iterator[Floats]]],
    index: pd.DataFrame,
    yardstick: Yardstick,
    temperature: float,
    decided: tasks.Decision,
) -> NDArray[Any]:
    """What the yardstick's photos are judged by: the mean of the models' predictions, each of the photos of `keys` in
    blocks, calibrated and answered as is decided."""
    with TemporaryDirectory() as folder:
        tables = []
        for number, (keys, blocks) in enumerate(found):
            write(Path(folder, str(number)), keys, task.outputs(task.taught(index)), blocks, task.stored)
            tables.append(Predictions.read(Path(folder, str(number))))
        predicted = mean(tables, index)
        temperatures = np.full(len(predicted), temperature, np.float32)
        calibrated = Predictions(predicted.keys, Scaled(task, predicted, temperatures))
        return gathered(task, yardstick.truth, calibrated, yardstick.rows, decided)


if __name__ == "__main__":
    run(robustness)
