"""Calibrate the probabilities by temperature scaling."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.predictions.scores import calibration_error, log_losses
from podium.predictions.temperature import as_sure, fitted, scaled
from podium.predictions.yardsticks import Yardstick, judge, yardsticks
from podium.step import Output, log, run
from podium.tables import Predictions, mean, read_csv

PARTS = 5

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def calibrate(
    pooled: Path,
    fits: list[Path],
    one_view: list[Path],
    index: Path,
    predictions: Output,
    calibration: Output,
    *,
    seeds: list[int],
    views: list[str],
) -> None:
    """Calibrate the probabilities by temperature scaling on the yardstick's predictions.

    `fits` are the predictions of each fit, seed by seed, `one_view` theirs of photos that judge from one view alone;
    an ensemble has neither. A temperature goes to the kind of prediction that it was fitted on. Where the folds judge,
    what is judged is the mean of one fold's fits, and a test photo's row the mean of all folds': its temperature is
    lowered until these rows are as sure, on average, as the folds' own predictions of the test photos once calibrated.
    `fits` and `one_view` give the temperatures of one fit by itself.

    The yardstick photos themselves get temperatures fitted on others of them, so that figures on them stay honest;
    where that does not lower their log loss the temperature stays 1, and so it does where no photo judges. Rows of
    photos that could not be read stay as they are. The order of a photo's classes never changes.
    """
    photos, before = read_csv(index), Predictions.read(pooled)
    tables = [Predictions.read(path) for path in fits]
    submitted = [path.parent.name for path, table in zip(fits, tables, strict=True) if len(table.of("test").keys)]
    yardstick = judge(photos, before)
    if yardstick is None:
        why = "left as they are: no photo judges this experiment"
        log.info(why)
        after, found = before.probabilities, {"yardstick": None, "photos": 0, "temperature": 1.0, "why": why}
        found |= dict.fromkeys(("test_temperature", "fit_temperature", "model_temperature"), 1.0)
    else:
        after, found = _calibrated(before, yardstick, photos, tables, len(seeds))
        found["fit_temperature"] = _alone(tables, yardstick)
        found["model_temperature"] = _alone([Predictions.read(path) for path in one_view], yardstick)
    Predictions(before.keys, before.labels, after).write(predictions)
    calibration.write_text(json.dumps({**found, "fits": submitted, "views": views}, indent=2) + "\n")


def _calibrated(
    before: Predictions, yardstick: Yardstick, photos: pd.DataFrame, fits: list[Predictions], seeds: int
) -> tuple[Floats, dict[str, Any]]:
    """The probabilities after scaling, and the content of calibration.json."""
    own, truth = before.probabilities[yardstick.rows], yardstick.truth
    temperature, calibrated = _crossfitted(own, truth, yardstick.parts(PARTS))
    figures = {
        name: {"before": measure(truth, own), "after": measure(truth, calibrated)}
        for name, measure in (("calibration_error", calibration_error), ("log_loss", _log_loss))
    }
    log.info(why := _why(yardstick.name.replace("_", " "), temperature, figures))
    test_temperature = temperature
    if yardstick.name == "out_of_fold" and fits:
        test_temperature = _of_means(before, fits, seeds, temperature, photos)
    read = pd.MultiIndex.from_frame(before.keys).isin(pd.MultiIndex.from_frame(photos[["split", "id"]]))
    after = np.where(read[:, None], scaled(before.probabilities, test_temperature), before.probabilities)
    if yardstick.name == "validation":
        # What was predicted out of fold is another kind again.
        for inside in yardsticks(photos[photos.split == "train"], before):
            mine = before.probabilities[inside.rows]
            _, after[inside.rows] = _crossfitted(mine, inside.truth, inside.parts(PARTS))
    after[yardstick.rows] = calibrated
    found = {"yardstick": yardstick.name, "photos": len(truth), "temperature": temperature, **figures, "why": why}
    return after, {**found, "test_temperature": test_temperature}


def _crossfitted(before: Floats, truth: Ints, parts: Ints) -> tuple[float, Floats]:
    """The temperature of these predictions, and each of them scaled by one that was fitted on the other parts.

    They stay as they are, and the temperature is 1, where these do not lower the log loss.
    """
    after = before.copy()
    for part in np.unique(parts):
        others = parts != part
        after[~others] = scaled(before[~others], fitted(before[others], truth[others]))
    if _log_loss(truth, after) < _log_loss(truth, before):
        return fitted(before, truth), after
    return 1.0, before


def _of_means(
    before: Predictions, fits: list[Predictions], seeds: int, temperature: float, photos: pd.DataFrame
) -> float:
    """The temperature of the test photos, whose rows are the mean of folds that have this one."""
    folds, tests = len(fits) // seeds, [table.of("test") for table in fits]
    keys = tests[0].keys
    each = [mean(tests[fold::folds], photos).at(keys).probabilities for fold in range(folds)]
    found = as_sure(before.at(keys).probabilities, each, temperature)
    log.info(
        "test photos, the mean of %d folds' fits: divided the logits by %.3f, at which the mean is at least as sure of "
        "them, on average, as these fits are once calibrated",
        folds,
        found,
    )
    return found


def _alone(tables: list[Predictions], yardstick: Yardstick) -> float | None:
    """The temperature of one fit's predictions, fitted on those of all fits on the photos that judge."""
    keys = pd.MultiIndex.from_frame(yardstick.photos[["split", "id"]])
    places = [keys.get_indexer(pd.MultiIndex.from_frame(table.keys)) for table in tables]
    if not tables:
        return None
    own = np.concatenate([table.probabilities[at >= 0] for table, at in zip(tables, places, strict=True)])
    at = np.concatenate([each[each >= 0] for each in places])
    return _crossfitted(own, yardstick.truth[at], yardstick.parts(PARTS)[at])[0]


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
            "probability, where the error counts that of the most likely class only"
        )
    return said


def _log_loss(truth: Ints, probabilities: Floats) -> float:
    return float(log_losses(truth, probabilities).mean())


if __name__ == "__main__":
    run(calibrate)
