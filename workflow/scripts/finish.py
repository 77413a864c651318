"""Store the calibration in one fit's model."""

import json
from pathlib import Path

from podium.models.writing import calibrated
from podium.step import Output, log, run


def finish(fitted: Path, calibration: Path, decision: Path, model: Output) -> None:
    """Store calibration and decision in one fit's model, which then gives calibrated probabilities by itself.

    Its `metadata.json` contains the `temperature` that its logits are divided by, the experiment's `views`,
    `views_temperature`, the temperature of one fit's mean over them, and how an answer is made of predictions.
    """
    found = json.loads(calibration.read_text())
    temperature = found["model_temperature"]
    calibrated(
        fitted,
        model,
        temperature,
        views=found["views"],
        views_temperature=found["fit_temperature"],
        decision=json.loads(decision.read_text())["decision"],
    )
    log.info("divided the logits by %.3f", temperature)


if __name__ == "__main__":
    run(finish)
