"""The figures by which predictions are judged, each with an interval. No TensorFlow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

METRICS = ("accuracy", "macro_f1", "log_loss")
RESAMPLES = 1000
CONFIDENCE = 0.95
CALIBRATION_BINS = 15
LEAST = 1e-15  # probabilities are clipped at it, as on Kaggle: a mistake made with certainty costs 34.5


def score(
    truth: NDArray[np.int64], probabilities: NDArray[np.float32], groups: NDArray[np.int64], seed: int = 0
) -> dict[str, Any]:
    """Accuracy, macro F1 and log loss, each with its percentile-bootstrap interval.

    `truth` int [n] are class numbers, -1 for a label that the model cannot know (always wrong);
    `probabilities` float [n, classes]; `groups` int [n]. Macro F1 is the mean over the classes that occur in the
    truth or among the predictions, as in scikit-learn. Intervals: Efron and Tibshirani, 1993, chapter 13. Photos of one
    group are similar, so whole groups are drawn, as many as there are: Davison and Hinkley, 1997, section 3.8. Where no
    photo, or each, is wrong all resamples agree, so accuracy and macro F1 then have Wilson's interval of as many trials
    as there are groups: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    predicted = probabilities.argmax(1)
    losses = log_losses(truth, probabilities)
    replicates = []
    for rows in _resamples(groups, np.random.default_rng(seed)):
        replicates.append(
            (
                np.mean(truth[rows] == predicted[rows]),
                _macro_f1(truth[rows], predicted[rows], probabilities.shape[1]),
                losses[rows].mean(),
            )
        )
    low, high = np.quantile(replicates, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    values = point_scores(truth, probabilities)
    if values["accuracy"] in (0, 1):
        count = len(np.unique(groups))
        low[:2], high[:2] = binomtest(round(values["accuracy"] * count), count).proportion_ci(CONFIDENCE, "wilson")
    return {
        "photos": len(truth),
        **{
            metric: {"value": values[metric], "low": float(a), "high": float(b)}
            for metric, a, b in zip(METRICS, low, high, strict=True)
        },
    }


def _resamples(groups: NDArray[np.int64], random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The rows of each resample, group by group."""
    number = pd.factorize(groups)[0]
    rows, sizes = np.argsort(number, kind="stable"), np.bincount(number)
    starts = np.cumsum(sizes) - sizes
    for _ in range(RESAMPLES):
        drawn = random.integers(0, len(sizes), len(sizes))
        ends = np.cumsum(sizes[drawn])
        yield rows[np.repeat(starts[drawn] - ends + sizes[drawn], sizes[drawn]) + np.arange(ends[-1])]


def point_scores(truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[str, float]:
    """The figures of `score` without their intervals."""
    predicted = probabilities.argmax(1)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0)),
        "log_loss": float(log_losses(truth, probabilities).mean()),
    }


def calibration_error(truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """The expected calibration error: the mean gap between confidence and accuracy over 15 bins of confidence.

    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015; bins as in Guo et al., 2017.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, confidence - right, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def class_scores(truth: NDArray[np.int64], probabilities: NDArray[np.float32], labels: list[str]) -> pd.DataFrame:
    """Precision, recall, F1 and the number of photos of each class."""
    figures = precision_recall_fscore_support(
        truth, probabilities.argmax(1), labels=range(len(labels)), zero_division=0
    )
    return pd.DataFrame({"label": labels, **dict(zip(["precision", "recall", "f1", "photos"], figures, strict=True))})


def log_losses(truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The log loss of each photo, float [n]: minus the logarithm of its true class's probability."""
    return charged(given(truth, probabilities))


def given(truth: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The probability that each row, scaled to sum to 1, gives the true class; 0 where `truth` is -1."""
    exact = probabilities.astype(np.float64)
    return np.where(truth >= 0, exact[np.arange(len(truth)), truth] / exact.sum(1), 0.0)


def charged(chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log loss, 0 to 34.5, of probabilities given to the true class.

    They are clipped at 1e-15 in float64, as on Kaggle; clipped at float32's precision, a mistake made with certainty
    would cost half as much.
    """
    return -np.log(np.clip(chosen, LEAST, 1 - LEAST))


def _macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64], count: int) -> float:
    """scikit-learn's macro F1 without its checks, which take a second for a thousand resamples."""
    true, guessed = np.bincount(truth + 1, minlength=count + 1)[1:], np.bincount(predicted, minlength=count)
    hits = np.bincount(truth[truth == predicted], minlength=count)
    occurs = true + guessed > 0
    unknown = int((truth < 0).any())
    return float((2 * hits[occurs] / (true + guessed)[occurs]).sum() / (occurs.sum() + unknown))
