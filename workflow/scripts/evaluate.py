"""Score one experiment's predictions on photos that its models were not fitted on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from podium.scores import METRICS, class_scores, score
from podium.step import Output, log, run
from podium.tables import Predictions, read_csv, write_csv

YARDSTICKS = {"train": "out_of_fold", "validation": "validation", "test": "test"}


def evaluate(predictions: Path, index: Path, scores: Output, classes: Output, mistakes: Output) -> None:
    """Score one experiment's predictions on photos that its models were not fitted on.

    The yardsticks are the training photos out of fold, the validation table where there is one, and the
    held-out test photos where their labels are known; each figure comes with its 95 % interval. Copies of
    training photos on the other two do not count.
    """
    photos, found = read_csv(index), Predictions.read(predictions)
    number = {label: place for place, label in enumerate(found.labels)}
    figures, by_class, wrong = {}, [], []
    fitted = set(photos.digest[photos.split == "train"])
    for split, yardstick in YARDSTICKS.items():
        # Quarantined test photos stand behind the others in the predictions and have no label here.
        own = photos[photos.split == split].reset_index(drop=True)
        counts = (own.label != "") & ((split == "train") | ~own.digest.isin(fitted))
        if (copies := (own.label != "").sum() - counts.sum()) > 0:
            log.warning("%d %s photos are copies of training photos and do not count", copies, yardstick)
        probabilities = found.of(split).probabilities[: len(own)][counts]
        own = own[counts]
        if own.empty:
            continue
        truth = own.label.map(lambda label: number.get(label, -1)).to_numpy(np.int64)
        figures[yardstick] = score(truth, probabilities)
        by_class.append(class_scores(truth, probabilities, found.labels).assign(yardstick=yardstick))
        guess = probabilities.argmax(1)
        wrong.append(
            pd.DataFrame(
                {
                    "yardstick": yardstick,
                    "id": own.id,
                    "file": own.file,
                    "label": own.label,
                    "predicted": np.array(found.labels)[guess],
                    "probability": probabilities.max(1),
                }
            )[truth != guess]
        )
        log.info(
            "%s: %s",
            yardstick.replace("_", " "),
            ", ".join(_said(metric, figures[yardstick][metric]) for metric in METRICS),
        )
    _warn_of_leak(figures)
    scores.write_text(json.dumps(figures, indent=2) + "\n")
    write_csv(classes, pd.concat(by_class))
    write_csv(mistakes, pd.concat(wrong).sort_values(["yardstick", "probability"], ascending=[True, False]))


def _said(metric: str, figure: dict[str, float]) -> str:
    return f"{metric.replace('_', ' ')} {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _warn_of_leak(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    """Folds that share near-copies of photos promise more than photos from elsewhere give."""
    inside = figures["out_of_fold"]["accuracy"]
    for yardstick, figure in figures.items():
        if figure["accuracy"]["high"] < inside["low"]:
            log.warning(
                "WARNING: the %s photos are harder than the folds promise; believe theirs, not the out-of-fold figures",
                yardstick,
            )


if __name__ == "__main__":
    run(evaluate)
