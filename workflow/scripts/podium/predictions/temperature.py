"""Temperature scaling, which makes confidence match accuracy. No TensorFlow.

Source: Guo et al., "On calibration of modern neural networks", 2017.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from podium.tasks import Task
from podium.tasks.measures import charged

RANGE, LESS = (0.2, 5.0), 5.0  # LESS: a mean's temperature is at least its parts' divided by this

Floats = NDArray[np.float32]


def fitted(task: Task, truth: NDArray[Any], probabilities: Floats) -> float:
    """The temperature with the least log loss, 0.2 to 5; 1 if there are no photos to fit on."""
    if not len(truth):
        return 1.0
    found = minimize_scalar(
        lambda power: charged(task.given(truth, task.link.tempered(probabilities, float(np.exp(power))))).mean(),
        bounds=tuple(np.log(RANGE)),
        method="bounded",
    )
    return float(np.exp(found.x))


def as_sure(task: Task, mean: Floats, each: Sequence[Floats], temperature: float) -> float:
    """The temperature of a mean whose parts have this one: the same, or less, so that it is as confident as its parts.

    A mean is right at least as often as its parts, so it should be at least as confident, on average; where the parts
    disagree, their mean is less confident. Source: Wu and Gales, "Should ensemble members be calibrated?", 2021.
    """

    def confidence(probabilities: Floats, temperature: float) -> float:
        return float(task.confidence(task.link.tempered(probabilities, temperature)).mean())

    sure = np.mean([confidence(one, temperature) for one in each])
    if confidence(mean, temperature) >= sure:
        return temperature
    found = minimize_scalar(
        lambda power: (confidence(mean, float(np.exp(power))) - sure) ** 2,
        bounds=(np.log(temperature / LESS), np.log(temperature)),
        method="bounded",
    )
    return float(np.exp(found.x))
