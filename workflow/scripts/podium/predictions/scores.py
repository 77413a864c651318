"""The figures by which predictions are judged, each with an interval. No TensorFlow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.tasks import Task

RESAMPLES, FEWEST = 1000, 100  # so many at most, and at least
WORK = 4 << 30  # bytes of evidence that all resamples read
CONFIDENCE = 0.95


def score(task: Task, evidence: NDArray[Any], groups: NDArray[np.int64], seed: int = 0) -> dict[str, Any]:
    """Each of the task's figures with its percentile-bootstrap interval, and the number of photos.

    `evidence` has a row for each photo, and `groups`, int [n], names its group. Intervals: Efron and Tibshirani, 1993,
    chapter 13. Photos of one group are similar, so whole groups are drawn, as many as there are: Davison and Hinkley,
    1997, section 3.8. Where a figure is 0 or 1 in all resamples, it has Wilson's interval of as many trials as there
    are groups: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    from scipy.stats import binomtest  # half a second, for which no step but `evaluate` should wait

    values = task.figures(evidence)
    times = min(RESAMPLES, max(FEWEST, WORK // evidence.nbytes))
    resamples = _resamples(groups, times, np.random.default_rng(seed))
    drawn = [list(task.figures(evidence[rows]).values()) for rows in resamples]
    ends = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    count = len(np.unique(groups))
    found: dict[str, Any] = {"photos": len(evidence)}
    for (metric, value), own in zip(values.items(), ends.T.tolist(), strict=True):
        agreed = own == [value, value] and value in (0, 1)
        wilson = binomtest(round(value * count), count).proportion_ci(CONFIDENCE, "wilson") if agreed else own
        found[metric] = {"value": value, "low": float(wilson[0]), "high": float(wilson[1])}
    return found


def _resamples(groups: NDArray[np.int64], count: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The rows of each resample, group by group."""
    number = pd.factorize(groups)[0]
    rows, sizes = np.argsort(number, kind="stable"), np.bincount(number)
    starts = np.cumsum(sizes) - sizes
    for _ in range(count):
        drawn = random.integers(0, len(sizes), len(sizes))
        ends = np.cumsum(sizes[drawn])
        yield rows[np.repeat(starts[drawn] - ends + sizes[drawn], sizes[drawn]) + np.arange(ends[-1])]
