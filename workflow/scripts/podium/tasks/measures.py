"""How far probabilities are from the truth, as far as tasks share it. No TensorFlow."""

from typing import Any

import numpy as np
import pandas as pd
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


def as_rows(fields: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Arrays with a row for each photo as one structured array."""
    length = len(next(iter(fields.values())))
    found = np.empty(length, [(name, each.dtype, each.shape[1:]) for name, each in fields.items()])
    for name, each in fields.items():
        found[name] = each
    return found


def class_scores(truth: NDArray[np.int64], answer: NDArray[np.int64], labels: list[str]) -> pd.DataFrame:
    """Precision, recall, F1 and the number of photos of each class."""
    from sklearn.metrics import precision_recall_fscore_support  # 60 MB, which `index` of a million photos needs

    figures = precision_recall_fscore_support(truth, answer, labels=range(len(labels)), zero_division=0)
    return pd.DataFrame({"label": labels, **dict(zip(["precision", "recall", "f1", "photos"], figures, strict=True))})
