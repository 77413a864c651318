"""Temperature scaling, which makes confidence match accuracy. No TensorFlow.

Source: Guo et al., "On calibration of modern neural networks", 2017. The order of a photo's classes never changes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from podium.predictions.scores import log_losses

RANGE, LESS = (0.2, 5.0), 5.0  # LESS: a mean's temperature is at least its parts' divided by this

Floats = NDArray[np.float32]


def scaled(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities [n, classes] with their logits divided by the temperature: above 1 they become less confident."""
    if temperature == 1:
        return probabilities
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / np.float32(temperature)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fitted(probabilities: Floats, truth: NDArray[np.int64]) -> float:
    """The temperature with the least log loss, 0.2 to 5; 1 if there are no photos to fit on."""
    if not len(truth):
        return 1.0
    found = minimize_scalar(
        lambda power: log_losses(truth, scaled(probabilities, float(np.exp(power)))).mean(),
        bounds=tuple(np.log(RANGE)),
        method="bounded",
    )
    return float(np.exp(found.x))


def as_sure(mean: Floats, each: Sequence[Floats], temperature: float) -> float:
    """The temperature of a mean whose parts have this one: the same, or less, so that it is as confident as its parts.

    A mean is right at least as often as its parts, so it should be at least as confident, on average; where the parts
    disagree, their mean is less confident. Source: Wu and Gales, "Should ensemble members be calibrated?", 2021.
    """
    sure = np.mean([scaled(one, temperature).max(1).mean() for one in each])
    if scaled(mean, temperature).max(1).mean() >= sure:
        return temperature
    found = minimize_scalar(
        lambda power: (scaled(mean, float(np.exp(power))).max(1).mean() - sure) ** 2,
        bounds=(np.log(temperature / LESS), np.log(temperature)),
        method="bounded",
    )
    return float(np.exp(found.x))
