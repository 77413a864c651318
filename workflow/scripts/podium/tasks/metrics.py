"""The figures that answers and probabilities are judged by, each a function of arrays. No TensorFlow.

As scikit-learn computes them, which is the second way in the tests. Each is computed for a thousand resamples, which
scikit-learn's checks would slow down tenfold.
"""

import math
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.step import BadInput, escaped

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
Average = Literal["macro", "micro"]

# Classes: the truth and the answers are their numbers, int [n]; -1, none of the classes, is one more of them.


def accuracy(truth: Ints, answer: Ints) -> float:
    """The share of photos whose answer is true."""
    return float(np.mean(truth == answer))


def balanced_accuracy(truth: Ints, answer: Ints) -> float:
    """The mean recall of the classes that occur in the truth."""
    hits, true, _ = _counts(truth, answer)
    return float((hits[true > 0] / true[true > 0]).mean())


def f_classes(truth: Ints, answer: Ints, beta: float, average: Average) -> float:
    """F-beta of the classes that occur in the truth or among the answers: their mean, or that of all their photos."""
    hits, true, said = _counts(truth, answer)
    return _averaged_f(hits, true, said, beta, average)


def f_positive(truth: Bools, answer: Bools, beta: float) -> float:
    """F-beta of what is True, bool [n]; 0 if nothing is, neither in the truth nor among the answers."""
    return float(_f(np.sum(truth & answer), np.sum(truth), np.sum(answer), beta))


# Ranking


def map_at(place: Ints, k: int) -> float:
    """The mean of 1 / (place + 1), where `place`, int [n], is that of the true label among the answers, from 0.

    A place of `k` or more counts 0, and so does -1, for a label that was not given.
    """
    return float(np.where((place >= 0) & (place < k), 1 / (np.maximum(place, 0) + 1), 0.0).mean())


def map_at_labels(truth: Bools, probabilities: Floats, k: int) -> float:
    """The mean average precision of the `k` likeliest labels: truth [n, labels or more], probabilities [n, labels].

    As on Kaggle: a photo's sum of the precisions at its true labels is divided by their number, or by `k` if that is
    less. Photos without labels are left out; 0 if all are. Further columns of the truth are labels that nobody gives.
    """
    true = truth.sum(1)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(truth, order, 1)
    precision = hits.cumsum(1) / np.arange(1, order.shape[1] + 1)
    each = (hits * precision).sum(1)[true > 0] / np.minimum(true[true > 0], k)
    return float(each.mean()) if len(each) else 0.0


# Areas: truth and probabilities are [n], or [n, labels] for the mean over the labels.


def roc_auc(truth: Bools, probabilities: Floats) -> float:
    """The area under the ROC curve, without columns that have one value only; 0.5 if none is left."""

    def area(hits: Ints, misses: Ints) -> float:
        return np.trapezoid(np.append(0, hits), np.append(0, misses)) / (hits[-1] * misses[-1])

    return _mean_of_columns(area, truth, probabilities, ~truth.all(0) & truth.any(0), 0.5)


def average_precision(truth: Bools, probabilities: Floats) -> float:
    """The mean precision at each true photo, without columns that have none; 0 if none is left."""

    def area(hits: Ints, misses: Ints) -> float:
        return (np.diff(hits, prepend=0) * hits / (hits + misses)).sum() / hits[-1]

    return _mean_of_columns(area, truth, probabilities, truth.any(0), 0.0)


# Several labels: truth and answers are bool [n, labels]. Further columns of the truth are labels that nobody gives.


def f_samples(truth: Bools, answer: Bools, beta: float) -> float:
    """The mean F-beta over photos; 1 for a photo without labels that is given none."""
    hits, true, said = (truth[:, : answer.shape[1]] & answer).sum(1), truth.sum(1), answer.sum(1)
    return float(np.where(true + said > 0, _f(hits, true, said, beta), 1.0).mean())


def f_labels(truth: Bools, answer: Bools, beta: float, average: Average) -> float:
    """F-beta of the labels that occur in the truth or among the answers: their mean, or that of all cells.

    In scikit-learn's words, `zero_division` is NaN.
    """
    hits, said = np.zeros((2, truth.shape[1]), np.int64)
    labels = answer.shape[1]
    hits[:labels], said[:labels] = (truth[:, :labels] & answer).sum(0), answer.sum(0)
    return _averaged_f(hits, truth.sum(0), said, beta, average)


# Grades and numbers


def quadratic_kappa(truth: Ints, answer: Ints) -> float:
    """Cohen's kappa with squared weights of grades, int [n]; 1 if all photos have and are given the same grade.

    1 less the mean square of the differences over that of all pairs of a truth and an answer: Cohen, "Weighted kappa",
    1968.
    """
    observed = np.mean((truth - answer) ** 2)
    expected = truth.var() + answer.var() + (truth.mean() - answer.mean()) ** 2
    return float(1 - observed / expected) if expected else 1.0


def rmse(truth: Floats, answer: Floats) -> float:
    """The root of the mean squared error, the mean over columns: float [n, columns]."""
    return float(np.sqrt(np.mean((truth - answer) ** 2, 0)).mean())


def mae(truth: Floats, answer: Floats) -> float:
    """The mean absolute error: float [n, columns]."""
    return float(np.abs(truth - answer).mean())


def r2(truth: Floats, answer: Floats) -> float:
    """The coefficient of determination, the mean over columns: float [n, columns].

    Of a column whose truth is constant it is 1 if all answers are true, else 0.
    """
    errors, spread = ((truth - answer) ** 2).sum(0), ((truth - truth.mean(0)) ** 2).sum(0)
    varies = np.ptp(truth, 0) > 0
    each = np.where(varies, 1 - errors / np.where(varies, spread, 1), errors == 0)
    return float(each.mean())


# A user's own


class Own(NamedTuple):
    """A metric that a Python file defines."""

    path: Path
    more_is_better: bool
    score: Callable[..., Any]

    def __call__(self, truth: NDArray[Any], answers: NDArray[Any], probabilities: NDArray[Any]) -> float:
        """The figure; the file's function gets copies. Raises BadInput if that fails or is no finite number."""
        try:
            found = self.score(truth.copy(), answers.copy(), probabilities.copy())
            value = float(found)
        except Exception as error:
            raise BadInput(_failure(self.path, error)) from error
        if not math.isfinite(value):
            raise BadInput(f"{self.path}: `score` returned {value}, which is not a finite number")
        return value


def own(path: Path) -> Own:
    """The metric in a Python file, which defines `score(truth, answers, probabilities)` and may set `MORE_IS_BETTER`.

    The file is run. Raises BadInput, which names it, if that fails or it defines something else.
    """
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise BadInput(_failure(path, error)) from error
    if not callable(getattr(module, "score", None)):
        raise BadInput(f"{path}: defines no function `score(truth, answers, probabilities)`")
    more = getattr(module, "MORE_IS_BETTER", True)
    if not isinstance(more, bool):
        raise BadInput(f"{path}: `MORE_IS_BETTER` must be True or False, not {more!r}")
    return Own(path, more, module.score)


def _failure(path: Path, error: BaseException) -> str:
    """What went wrong in this file, and in which line, on one line."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    where = f": line {lines[-1]}" if lines else ""
    return escaped(f"{path}{where}: {type(error).__name__}: {error}")


def _counts(truth: Ints, answer: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each class, none of them first: photos with a true answer, of the truth, and of the answers."""
    size = int(max(truth.max(), answer.max())) + 2
    hits = np.bincount(truth[truth == answer] + 1, minlength=size)
    return hits, np.bincount(truth + 1, minlength=size), np.bincount(answer + 1, minlength=size)


def _averaged_f(hits: Ints, true: Ints, said: Ints, beta: float, average: Average) -> float:
    """F-beta from the counts of each class or label, [labels]."""
    if average == "micro":
        return float(_f(hits.sum(), true.sum(), said.sum(), beta))
    occurs = true + said > 0
    return float(_f(hits[occurs], true[occurs], said[occurs], beta).mean()) if occurs.any() else 0.0


def _f(hits: Any, true: Any, said: Any, beta: float) -> Any:
    """F-beta from counts; 0 where there is nothing to find and nothing was said."""
    weighted = beta**2 * true + said
    return (1 + beta**2) * hits / np.where(weighted > 0, weighted, 1)


def _mean_of_columns(
    area: Callable[[Ints, Ints], float], truth: Bools, probabilities: Floats, told: Any, otherwise: float
) -> float:
    """The mean over the columns that are `told` of a function of their hits and misses down to each probability."""
    columns = np.flatnonzero(told)
    truth, probabilities = truth.reshape(len(truth), -1), probabilities.reshape(len(truth), -1)
    each = [area(*_curve(truth[:, column], probabilities[:, column])) for column in columns]
    return float(np.mean(each)) if each else otherwise


def _curve(truth: Bools, probability: Floats) -> tuple[Ints, Ints]:
    """How many true and how many other photos are at or above each probability that occurs, the highest first."""
    order = np.argsort(-probability)
    ordered = probability[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    hits = truth[order].cumsum()[last]
    return hits, last + 1 - hits
