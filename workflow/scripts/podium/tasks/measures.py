"""How far probabilities are from the truth, as far as tasks share it. No TensorFlow."""

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
LEAST = 1e-15  # probabilities are clipped at it, as on Kaggle: a mistake made with certainty costs 34.5


def binned_gaps(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """The mean gap between confidence and frequency over 15 bins of confidence, weighted by their sizes."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, confidence - right, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def charged(given: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log loss, 0 to 34.5, of probabilities given to what is true.

    They are clipped at 1e-15 in float64, as on Kaggle; clipped at float32's precision, a mistake made with certainty
    would cost half as much.
    """
    return -np.log(np.clip(given, LEAST, 1 - LEAST))
