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
from podium.predictions.evidence import gathered, in_parts
from podium.predictions.scores import score
from podium.predictions.stored import Predictions, mean
from podium.predictions.yardsticks import Yardstick, yardsticks
from podium.step import Growing, Output, log, run
from podium.tables import answered, read_csv, write_csv

FEW = 10  # groups; with fewer, a bootstrap is unreliable
MISTAKE_COLUMNS = ["yardstick", "id", "file", "label", "predicted"]


def evaluate(
    predictions: Path,
    decision: Path,
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
    and the held-out test photos if their labels are known. `task` is the task's name with its settings and the metric.
    Answers are made of predictions as `decision` says: as is best for other photos of the yardstick, or of test photos
    as in the submission. Each figure has a 95 % interval, and beside it the figure of plain answers where it differs.
    `fits` are the predictions of each fit, seed by seed: with several seeds, each is scored alone too. If there is no
    yardstick, the tables contain only their headers. `scored` keeps the figures of all settings that the experiment
    ever had; `settings` are the current settings that the figures depend on.
    """
    photos, found, target = read_csv(index), Predictions.read(predictions), tasks.task(task)
    decided, labels = json.loads(decision.read_text()), target.taught(photos)
    figures, by_label, wrong = {}, [], []
    for yardstick in yardsticks(target, photos, found):
        own = yardstick.photos
        evidence = _evidence(target, yardstick, found, decided)
        figures[yardstick.name] = score(target, evidence, own.group.to_numpy())
        _add_plain(target, figures[yardstick.name], yardstick, found, decided)
        _add_trivial(target, figures[yardstick.name], yardstick, evidence, decided["decision"])
        if yardstick.name in JUDGES and (tests := len(answered(photos[photos.split == "test"]))):
            _promise(figures[yardstick.name], target.metrics, own.group.nunique(), tests)
        by_label.append(target.label_scores(evidence, labels).assign(yardstick=yardstick.name))
        if (groups := own.group.nunique()) < min(FEW, len(own)):
            said = "WARNING: %s: %d photos of %d groups: with so few groups the intervals are too narrow"
            log.warning(said, yardstick.name.replace("_", " "), len(own), groups)
        listed = target.mistakes(evidence, labels)
        told = own[["id", "file", "label"]].assign(yardstick=yardstick.name)
        wrong.append(pd.concat([told, listed], axis=1).loc[listed.wrong, [*MISTAKE_COLUMNS, target.gravity]])
    if len(seeds) > 1:
        _add_seeds(target, figures, photos, [Predictions.read(path) for path in fits], len(seeds), decided)
    for name, each in figures.items():
        log.info("%s: %s", name.replace("_", " "), ", ".join(_said(metric, each[metric]) for metric in target.metrics))
    if not figures:
        log.warning("WARNING: no labelled photo was left out of training, so the submission's score is not estimated")
    _warn_of_leak(figures, target.metrics)
    scores.write_text(json.dumps(figures, indent=2) + "\n")
    history.add(scored, history.Scored(settings, _digest(photos), figures))
    write_csv(classes, _stacked(by_label, ["label", *target.label_figures, "photos", "yardstick"]))
    gravest = _stacked(wrong, [*MISTAKE_COLUMNS, target.gravity])
    write_csv(mistakes, gravest.sort_values(["yardstick", target.gravity], ascending=[True, False]))


def _evidence(task: tasks.Task, yardstick: Yardstick, found: Predictions, decided: dict[str, Any]) -> NDArray[Any]:
    """Each photo that may judge is answered by others of its kind; test photos as in the submission."""
    if parts := decided["parts"].get(yardstick.name):
        return in_parts(task, yardstick, found, parts)
    return gathered(task, yardstick.truth, found, yardstick.rows, decided["decision"])


def _promise(figures: dict[str, Any], metrics: dict[str, bool], groups: int, tests: int) -> None:
    """Adds to the figure that decides where it will be on so many test photos, in 95 of 100 cases, if they are alike.

    As many photos make an estimate of the same error, so the squares of both add up: the interval of a prediction, as
    in Hahn and Meeker, "Statistical intervals", 1991.
    """
    metric, more_is_better = next(iter(metrics.items()))
    figure, wider = figures[metric], (1 + groups / tests) ** 0.5
    low, high = (figure["value"] + (figure[end] - figure["value"]) * wider for end in ("low", "high"))
    if more_is_better and figure["high"] <= 1:
        high = min(high, 1.0)
    elif not more_is_better and figure["low"] >= 0:
        low = max(low, 0.0)
    figure |= {"test_low": low, "test_high": high}
    log.info("to be expected of the %d test photos: %s from %.3f to %.3f", tests, metric.replace("_", " "), low, high)


def _add_plain(
    task: tasks.Task, figures: dict[str, Any], yardstick: Yardstick, found: Predictions, decided: dict[str, Any]
) -> None:
    """Adds the value with plain answers to each figure, if answers are decided otherwise."""
    if decided["decision"] != decided["plain"]:
        plain = gathered(task, yardstick.truth, found, yardstick.rows, decided["plain"])
        for metric, value in task.figures(plain).items():
            figures[metric]["plain"] = value


def _add_trivial(
    task: tasks.Task, figures: dict[str, Any], yardstick: Yardstick, evidence: NDArray[Any], how: tasks.Decision
) -> None:
    """Adds to each figure that of the best of the task's trivial answers, and which one it is."""
    found = {name: task.figures(own) for name, own in task.trivial(yardstick.truth, evidence, how).items()}
    for metric, more_is_better in task.metrics.items() if found else ():
        values = {name: own[metric] for name, own in found.items()}
        best = (max if more_is_better else min)(values, key=values.__getitem__)
        figures[metric] |= {"trivial": values[best], "trivial_answer": best}


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
    decided: dict[str, Any],
) -> None:
    """Adds to each figure the mean and the standard deviation of the single seeds' scores."""
    alone: dict[str, list[dict[str, float]]] = {}
    each = len(fits) // seeds
    for first in range(0, len(fits), each):
        found = mean(fits[first : first + each], photos)
        for yardstick in yardsticks(task, photos, found):
            reached = task.figures(_evidence(task, yardstick, found, decided))
            alone.setdefault(yardstick.name, []).append(reached)
    for name, figures_alone in alone.items():
        for metric in task.metrics:
            values = [one[metric] for one in figures_alone]
            figures[name][metric] |= {"seeds_mean": float(np.mean(values)), "seeds_std": float(np.std(values, ddof=1))}


def _said(metric: str, figure: dict[str, float]) -> str:
    seeds = f", seeds {figure['seeds_mean']:.3f} ± {figure['seeds_std']:.3f}" if "seeds_mean" in figure else ""
    plain = f", plain {figure['plain']:.3f}" if figure.get("plain", figure["value"]) != figure["value"] else ""
    plain += f", {figure['trivial_answer']} {figure['trivial']:.3f}" if "trivial" in figure else ""
    ends = f"{figure['low']:.3f} to {figure['high']:.3f}"
    return f"{metric.replace('_', ' ')} {figure['value']:.3f} ({ends}{plain}{seeds})"


def _warn_of_leak(figures: dict[str, Any], metrics: dict[str, bool]) -> None:
    """Warns if scores on other photos are lower than on the folds, as where folds share near-copies of photos."""
    first, more_is_better = next(iter(metrics.items()))
    for inside in (figures[name] for name in ("out_of_fold", "held_out") if name in figures):
        for name, figure in figures.items():
            worse, better = (figure, inside) if more_is_better else (inside, figure)
            if worse[first]["high"] < better[first]["low"]:
                log.warning(
                    "WARNING: the %s photos are harder than the folds promise; believe their figures, not the folds'",
                    name,
                )


if __name__ == "__main__":
    run(evaluate)
