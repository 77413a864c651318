"""Calibrate the probabilities by temperature scaling."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.predictions.evidence import PARTS, gathered
from podium.predictions.stored import Predictions, Scaled, mean, some
from podium.predictions.temperature import as_sure, fitted
from podium.predictions.yardsticks import Yardstick, judge, yardsticks
from podium.step import Output, log, run
from podium.tables import answered, read_csv
from podium.tasks.measures import charged

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Task = tasks.Task


def calibrate(
    pooled: Path,
    fits: list[Path],
    one_view: list[Path],
    index: Path,
    predictions: Output,
    calibration: Output,
    *,
    task: dict[str, Any],
    seeds: list[int],
    views: list[str],
) -> None:
    """Calibrate the probabilities by temperature scaling on the yardstick's predictions.

    `task` is the task's name with its settings. Where it predicts numbers they stay as they are.

    `fits` are the predictions of each fit, seed by seed, `one_view` theirs of photos that judge from one view alone;
    an ensemble has neither. A temperature goes to the kind of prediction that it was fitted on. Where the folds judge,
    what is judged is the mean of one fold's fits, and a test photo's row the mean of all folds': its temperature is
    lowered until these rows are as sure, on average, as the folds' own predictions of the test photos once calibrated.
    `fits` and `one_view` give the temperatures of one fit by itself.

    The yardstick photos themselves get temperatures fitted on others of them, so that figures on them stay honest;
    where that does not lower their log loss the temperature stays 1, and so it does where no photo judges. Rows of
    photos that could not be read stay as they are. The order of a photo's classes never changes.
    """
    photos, before, target = read_csv(index), Predictions.read(pooled), tasks.task(task)
    tables = [Predictions.read(path) for path in fits]
    submitted = [path.parent.name for path, own in zip(fits, tables, strict=True) if len(own.of("test"))]
    yardstick = judge(target, photos, before) if target.calibrates else None
    if yardstick is None:
        why = "no photo judges this experiment" if target.calibrates else "numbers have no confidence to calibrate"
        why = f"left as they are: {why}"
        log.info(why)
        after, found = before, dict[str, Any]({"yardstick": None, "photos": 0, "temperature": 1.0, "why": why})
        found |= dict.fromkeys(("test_temperature", "fit_temperature", "model_temperature"), 1.0)
    else:
        after, found = _calibrated(target, before, yardstick, photos, tables, len(seeds))
        found["fit_temperature"] = _alone(target, tables, yardstick)
        found["model_temperature"] = _alone(target, [Predictions.read(path) for path in one_view], yardstick)
    after.write(predictions)
    calibration.write_text(json.dumps({**found, "fits": submitted, "views": views}, indent=2) + "\n")


def _calibrated(
    task: Task, before: Predictions, yardstick: Yardstick, photos: pd.DataFrame, fits: list[Predictions], seeds: int
) -> tuple[Predictions, dict[str, Any]]:
    """The probabilities after scaling, and the content of calibration.json."""
    judged, truth = before.rows(yardstick.rows), yardstick.truth
    temperature, own = _crossfitted(task, judged, truth, yardstick.parts(PARTS))
    calibrated = Predictions(judged.keys, Scaled(task, judged, own))
    figures = {
        name: {"before": measure(task, truth, judged), "after": measure(task, truth, calibrated)}
        for name, measure in (("calibration_error", _calibration_error), ("log_loss", _log_loss))
    }
    log.info(why := _why(yardstick.name.replace("_", " "), temperature, figures))
    test_temperature = temperature
    if yardstick.name == "out_of_fold" and fits:
        test_temperature = _of_means(task, before, fits, seeds, temperature, photos)
    there = answered(photos)
    read = Predictions(there, np.zeros((len(there), 0))).places(before.keys) >= 0
    temperatures = np.where(read, test_temperature, 1).astype(np.float32)
    if yardstick.name == "validation":
        # What was predicted out of fold is another kind again.
        for inside in yardsticks(task, photos[photos.split == "train"], before):
            mine = before.rows(inside.rows)
            temperatures[inside.rows] = _crossfitted(task, mine, inside.truth, inside.parts(PARTS))[1]
    temperatures[yardstick.rows] = own
    found = {"yardstick": yardstick.name, "photos": len(truth), "temperature": temperature, **figures, "why": why}
    after = Predictions(before.keys, Scaled(task, before, temperatures))
    return after, {**found, "test_temperature": test_temperature}


def _crossfitted(task: Task, before: Predictions, truth: NDArray[Any], parts: Ints) -> tuple[float, Floats]:
    """The temperature of these predictions, and for each of them one, float32 [n], fitted on the other parts.

    All are 1 where these do not lower the log loss.
    """
    own = np.ones(len(truth), np.float32)
    for part in np.unique(parts):
        own[parts == part] = _fitted(task, before, truth, np.flatnonzero(parts != part))
    after = Predictions(before.keys, Scaled(task, before, own))
    if _log_loss(task, truth, after) < _log_loss(task, truth, before):
        return _fitted(task, before, truth, np.arange(len(truth))), own
    return 1.0, np.ones(len(truth), np.float32)


def _fitted(task: Task, before: Predictions, truth: NDArray[Any], rows: Ints) -> float:
    chosen = rows[some(rows, before.outputs)]
    return fitted(task, truth[chosen], before[chosen])


def _of_means(
    task: Task, before: Predictions, fits: list[Predictions], seeds: int, temperature: float, photos: pd.DataFrame
) -> float:
    """The temperature of the test photos, whose rows are the mean of folds that have this one."""
    folds, tests = len(fits) // seeds, [table.of("test") for table in fits]
    rows = np.arange(len(tests[0]))
    keys = tests[0].keys.take(some(rows, before.outputs))
    each = [mean(tests[fold::folds], photos).at(keys)[:] for fold in range(folds)]
    found = as_sure(task, before.at(keys)[:], each, temperature)
    log.info(
        "test photos, the mean of %d folds' fits: divided the logits by %.3f, at which the mean is at least as sure of "
        "them, on average, as these fits are once calibrated",
        folds,
        found,
    )
    return found


def _alone(task: Task, tables: list[Predictions], yardstick: Yardstick) -> float | None:
    """The temperature of one fit's predictions, fitted on those of all fits on the photos that judge."""
    if not tables:
        return None
    judged = Predictions(yardstick.photos, np.zeros((len(yardstick.photos), 0)))
    places = np.concatenate([judged.places(table.keys) for table in tables])
    counted = np.flatnonzero(places >= 0)
    counted = counted[some(counted, tables[0].outputs)]
    starts = np.cumsum([0, *(len(table) for table in tables)])
    own = np.concatenate(
        [
            table[counted[(counted >= start) & (counted < start + len(table))] - start]
            for table, start in zip(tables, starts, strict=False)
        ]
    )
    at = places[counted]
    found = Predictions(yardstick.photos.take(at), own)
    return _crossfitted(task, found, yardstick.truth[at], yardstick.parts(PARTS)[at])[0]


def _why(judged: str, temperature: float, figures: dict[str, dict[str, float]]) -> str:
    """What was done to the probabilities, and why, in a sentence."""
    error, loss = figures["calibration_error"], figures["log_loss"]
    if temperature == 1:
        return (
            "left as they are: no temperature lowers the log loss on photos that it was not fitted on "
            f"({judged}: log loss {loss['before']:.4f}, calibration error {error['before']:.3f})"
        )
    said = (
        f"probabilities were {'too sure' if temperature > 1 else 'not sure enough'}: divided the logits by "
        f"{temperature:.3f}; {judged}, log loss {loss['before']:.4f} -> {loss['after']:.4f}, "
        f"calibration error {error['before']:.3f} -> {error['after']:.3f} (lower is better)"
    )
    if error["after"] > error["before"]:
        said += (
            "; kept although the calibration error rose: the temperature is chosen by log loss, which counts every "
            "probability, where the error counts how sure answers are"
        )
    return said


def _log_loss(task: Task, truth: NDArray[Any], predictions: Predictions) -> float:
    losses = [charged(task.given(truth[own], block)).mean() * len(own) for own, block in predictions.blocks()]
    return float(sum(losses) / len(predictions))


def _calibration_error(task: Task, truth: NDArray[Any], predictions: Predictions) -> float:
    return task.calibration_error(gathered(task, truth, predictions, np.arange(len(predictions)), task.limits(truth)))


if __name__ == "__main__":
    run(calibrate)
