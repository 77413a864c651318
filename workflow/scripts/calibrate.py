"""Let the probabilities mean what they say: temperature scaling."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from podium.scores import calibration_error, log_losses
from podium.step import Output, log, run
from podium.tables import Predictions, read_csv
from podium.yardsticks import Yardstick, judge

PARTS = 5
TEMPERATURES = (0.2, 5.0)

Floats = NDArray[np.float32]


def calibrate(pooled: Path, index: Path, predictions: Output, calibration: Output) -> None:
    """Let the probabilities mean what they say: temperature scaling on the yardstick's predictions.

    Guo et al., "On calibration of modern neural networks", 2017. The yardstick photos themselves get
    temperatures fitted on others of them, so that figures on them stay honest; where that does not lower their
    log loss the temperature stays 1, and so it does where no photo judges. The order of a photo's classes never
    changes.
    """
    before = Predictions.read(pooled)
    yardstick = judge(read_csv(index), before)
    if yardstick is None:
        log.info("no photo judges this experiment, so its probabilities stay as they are")
        after, found = before.probabilities, {"yardstick": None, "photos": 0, "temperature": 1.0}
    else:
        after, found = _calibrated(before.probabilities, yardstick)
    Predictions(before.keys, before.labels, after).write(predictions)
    calibration.write_text(json.dumps(found, indent=2) + "\n")


def _calibrated(before: Floats, yardstick: Yardstick) -> tuple[Floats, dict[str, Any]]:
    """The probabilities after scaling, and what calibration.json says of it."""
    own, truth = before[yardstick.rows], yardstick.truth
    scaled, parts = own.copy(), yardstick.parts(PARTS)
    for part in np.unique(parts):
        others = parts != part
        scaled[~others] = _scaled(own[~others], _temperature(own[others], truth[others]))
    temperature, after = 1.0, before
    if _log_loss(truth, scaled) < _log_loss(truth, own):
        temperature = _temperature(own, truth)
        after = _scaled(before, temperature)
        after[yardstick.rows] = scaled
    scaled = after[yardstick.rows]
    figures = {
        name: {"before": measure(truth, own), "after": measure(truth, scaled)}
        for name, measure in (("calibration_error", calibration_error), ("log_loss", _log_loss))
    }
    log.info(
        "temperature %.2f; %s: calibration error %.3f before, %.3f after",
        temperature,
        yardstick.name.replace("_", " "),
        *figures["calibration_error"].values(),
    )
    return after, {"yardstick": yardstick.name, "photos": len(truth), "temperature": temperature, **figures}


def _temperature(probabilities: Floats, truth: NDArray[np.int64]) -> float:
    """The one with the least log loss; 1 where there is nothing to fit on."""
    if not len(truth):
        return 1.0
    found = minimize_scalar(
        lambda power: _log_loss(truth, _scaled(probabilities, float(np.exp(power)))),
        bounds=tuple(np.log(TEMPERATURES)),
        method="bounded",
    )
    return float(np.exp(found.x))


def _scaled(probabilities: Floats, temperature: float) -> Floats:
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _log_loss(truth: NDArray[np.int64], probabilities: Floats) -> float:
    return float(log_losses(truth, probabilities).mean())


if __name__ == "__main__":
    run(calibrate)
