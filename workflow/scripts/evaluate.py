"""Score one experiment's predictions on photos that its models were not fitted on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import JUDGES, tasks
from podium.predictions import history
from podium.predictions.evidence import crossfitted, gathered
from podium.predictions.scores import score
from podium.predictions.stored import Predictions, mean
from podium.predictions.yardsticks import Yardstick, yardsticks
from podium.step import Growing, Output, log, run
from podium.tables import read_csv, write_csv

CLASS_COLUMNS = ["label", "precision", "recall", "f1", "photos", "yardstick"]
FEW = 10  # groups; with fewer, a bootstrap is unreliable
MISTAKE_COLUMNS = ["yardstick", "id", "file", "label", "predicted", "probability"]


def evaluate(
    predictions: Path,
    calibration: Path,
    fits: list[Path],
    index: Path,
    scores: Output,
    classes: Output,
    mistakes: Output,
    scored: Growing,
    *,
    task: dict[str, Any],
    seeds: list[int],
    settings: dict[str, Any],
) -> None:
    """Score one experiment's predictions on photos that its models were not fitted on.

    The yardsticks are the training photos out of fold or a held-out fold of them, the validation table if there is one,
    and the held-out test photos if their labels are known. `task` is the task's name with its settings. Answers are
    made of probabilities as is best for other photos of the yardstick; of test photos as `calibration` says. Each
    figure has a 95 % interval. `fits` are the predictions of each fit, seed by seed: with several seeds, each is scored
    alone too. If there is no yardstick, the tables contain only their headers. `scored` keeps the figures of all
    settings that the experiment ever had; `settings` are the current settings that the figures depend on.
    """
    photos, found, target = read_csv(index), Predictions.read(predictions), tasks.task(task)
    decision, labels = json.loads(calibration.read_text())["decision"], target.taught(photos)
    figures, by_label, wrong = {}, [], []
    for yardstick in yardsticks(target, photos, found):
        own = yardstick.photos
        evidence = _evidence(target, yardstick, found, decision)
        figures[yardstick.name] = score(target, evidence, own.group.to_numpy())
        by_label.append(target.label_scores(evidence, labels).assign(yardstick=yardstick.name))
        if (groups := own.group.nunique()) < min(FEW, len(own)):
            said = "WARNING: %s: %d photos of %d groups: with so few groups the intervals are too narrow"
            log.warning(said, yardstick.name.replace("_", " "), len(own), groups)
        answered = target.mistakes(evidence, labels)
        told = own[["id", "file", "label"]].assign(yardstick=yardstick.name)
        wrong.append(pd.concat([told, answered], axis=1).loc[answered.wrong, MISTAKE_COLUMNS])
    if len(seeds) > 1:
        _add_seeds(target, figures, photos, [Predictions.read(path) for path in fits], len(seeds), decision)
    for name, each in figures.items():
        log.info("%s: %s", name.replace("_", " "), ", ".join(_said(metric, each[metric]) for metric in target.metrics))
    if not figures:
        log.warning("WARNING: no labelled photo was left out of training, so the submission's score is not estimated")
    _warn_of_leak(figures, target.metrics)
    scores.write_text(json.dumps(figures, indent=2) + "\n")
    history.add(scored, history.Scored(settings, _digest(photos), figures))
    write_csv(classes, _stacked(by_label, CLASS_COLUMNS))
    surest = _stacked(wrong, MISTAKE_COLUMNS).sort_values(["yardstick", "probability"], ascending=[True, False])
    write_csv(mistakes, surest)


def _evidence(task: tasks.Task, yardstick: Yardstick, found: Predictions, decision: tasks.Decision) -> NDArray[Any]:
    """Each photo that may judge is answered by others of its kind; test photos as in the submission."""
    if yardstick.name in JUDGES:
        return crossfitted(task, yardstick, found)
    return gathered(task, yardstick.truth, found, yardstick.rows, decision)


def _digest(photos: pd.DataFrame) -> str:
    """A digest that changes with the photos, their labels or splits, but not with parts, which only divide the work."""
    return hashlib.sha256(photos.drop(columns="part", errors="ignore").to_csv(index=False).encode()).hexdigest()[:16]


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(tables) if tables else pd.DataFrame(columns=columns)


def _add_seeds(
    task: tasks.Task,
    figures: dict[str, Any],
    photos: pd.DataFrame,
    fits: list[Predictions],
    seeds: int,
    decision: tasks.Decision,
) -> None:
    """Adds to each figure the mean and the standard deviation of the single seeds' scores."""
    alone: dict[str, list[dict[str, float]]] = {}
    each = len(fits) // seeds
    for first in range(0, len(fits), each):
        found = mean(fits[first : first + each], photos)
        for yardstick in yardsticks(task, photos, found):
            reached = task.figures(_evidence(task, yardstick, found, decision))
            alone.setdefault(yardstick.name, []).append(reached)
    for name, figures_alone in alone.items():
        for metric in task.metrics:
            values = [one[metric] for one in figures_alone]
            figures[name][metric] |= {"seeds_mean": float(np.mean(values)), "seeds_std": float(np.std(values, ddof=1))}


def _said(metric: str, figure: dict[str, float]) -> str:
    seeds = f", seeds {figure['seeds_mean']:.3f} ± {figure['seeds_std']:.3f}" if "seeds_mean" in figure else ""
    return f"{metric.replace('_', ' ')} {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}{seeds})"


def _warn_of_leak(figures: dict[str, Any], metrics: dict[str, bool]) -> None:
    """Warns if scores on other photos are lower than on the folds, as where folds share near-copies of photos."""
    first = next(iter(metrics))
    for inside in (figures[name] for name in ("out_of_fold", "held_out") if name in figures):
        for name, figure in figures.items():
            if figure[first]["high"] < inside[first]["low"]:
                log.warning(
                    "WARNING: the %s photos are harder than the folds promise; believe their figures, not the folds'",
                    name,
                )


if __name__ == "__main__":
    run(evaluate)
