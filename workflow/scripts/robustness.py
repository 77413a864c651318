"""Score one experiment on photos that are spoilt more and more."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from podium.corruptions import corrupt
from podium.pixels import Pixels
from podium.scores import METRICS, score
from podium.step import Output, log, run
from podium.tables import Predictions, classes, mean, read_csv, write_csv
from podium.yardsticks import judge

ENDS = {"": "value", "_low": "low", "_high": "high"}


def robustness(
    models: list[Path],
    parts: list[Path],
    index: Path,
    folds: Path,
    robustness: Output,
    *,
    split: str,
    left_out: list[int],
    views: list[str],
    corruptions: dict[str, list[float]],
) -> None:
    """Score one experiment on photos that are spoilt more and more, and on them as they are.

    `parts` are the pixels of the `split` that judges. Each of the models predicts what it was not fitted on: all of
    them, or of the training photos the fold at its place in `left_out` (-1 for none); several predictions of a photo
    are averaged. `corruptions` are levels by kind, as `podium.corruptions` has them.
    """
    from podium import training
    from podium.backbones import saved_model  # noqa: F401 (where Keras finds its layer when it reads a model)

    index_, dealt, photos = read_csv(index), read_csv(folds), Pixels(parts)
    keys, labels = index_.loc[index_.split == split, ["split", "id"]].reset_index(drop=True), classes(index_)
    levels = [("none", 0.0), *((kind, level) for kind in corruptions for level in corruptions[kind])]
    found: dict[tuple[str, float], list[Predictions]] = {each: [] for each in levels}
    for model, fold in zip(models, left_out, strict=True):
        network = training.load(model)
        rows = np.flatnonzero(dealt.fold == fold) if split == "train" else np.arange(len(keys))
        for kind, level in levels:
            spoil = partial(corrupt, f"{kind}-{level}") if kind != "none" else None
            probabilities = training.average(network, photos, rows, views, spoil)
            found[kind, level].append(Predictions(keys.iloc[rows], labels, probabilities))
    lines = []
    for (kind, level), tables in found.items():
        predicted = mean(tables, index_)
        yardstick = judge(index_, predicted)
        figures = score(yardstick.truth, predicted.probabilities[yardstick.rows])
        ends = {f"{metric}{end}": figures[metric][key] for metric in METRICS for end, key in ENDS.items()}
        lines.append(
            {"corruption": kind, "level": level, "yardstick": yardstick.name, "photos": figures["photos"], **ends}
        )
        log.info("%s %g: accuracy %.3f", kind, level, figures["accuracy"]["value"])
    write_csv(robustness, pd.DataFrame(lines))


if __name__ == "__main__":
    run(robustness)
