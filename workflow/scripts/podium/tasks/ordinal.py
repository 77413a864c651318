"""Grades in their order. The truth is a grade's place among those of the training photos, int [n]; -1 if it has none.

A network predicts, for each place but the last, the probability that the grade is beyond it (`fit: cumulative`), or
the place as a number (`fit: regression`): either way the sum of its outputs is the expected place, and cuts between
places, chosen by the metric, make grades of it. Sources: Frank and Hall, "A simple approach to ordinal classification",
2001; Li and Lin, "Ordinal regression by extended binary classification", 2006.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.step import BadInput
from podium.tasks import Decision, metrics
from podium.tasks.cells import Form, Sample, check_labels, check_list, marked
from podium.tasks.links import Identity, Link, Sigmoid
from podium.tasks.measures import as_rows, binned_gaps, class_scores

MANY = 20  # grades; more of them are rather numbers

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def _as_numbers(*places: Ints) -> list[NDArray[np.float64]]:
    return [each[:, None].astype(np.float64) for each in places]


# Each of truth, answers and the number in its name.
FIGURES: dict[str, Callable[[Ints, Ints, float], float]] = {
    "quadratic_kappa": lambda truth, answers, _: metrics.quadratic_kappa(truth, answers),
    "accuracy": lambda truth, answers, _: metrics.accuracy(truth, answers),
    "macro_f#": lambda truth, answers, beta: metrics.f_classes(truth, answers, beta, "macro"),
    "mae": lambda truth, answers, _: metrics.mae(*_as_numbers(truth, answers)),
    "rmse": lambda truth, answers, _: metrics.rmse(*_as_numbers(truth, answers)),
}


class Task(tasks.Task):
    """The expected grade, cut where the metric is best."""

    unit, fewest = "grades", 2

    def __init__(self, fit: str) -> None:
        self._cumulative = fit == "cumulative"

    @property
    def link(self) -> Link:  # type: ignore[override]
        return Sigmoid() if self._cumulative else Identity(robust=self.metric == "mae")

    @property
    def calibrates(self) -> bool:  # type: ignore[override]
        return self._cumulative

    @property
    def measure(self) -> str:  # type: ignore[override]
        return "grade_accuracy" if self._cumulative else "mean_absolute_error"

    @property
    def decided_by(self) -> str:
        return self.title

    def read(self, cell: str) -> str:
        try:
            grade = float(cell)
        except ValueError:
            grade = np.nan
        if not grade.is_integer():
            raise ValueError(f"'{cell}' is not a grade, a whole number")
        return str(int(grade))

    def read_columns(self, cells: dict[str, str]) -> str:
        """The name, a whole number, of the one column that is 1."""
        if len(names := marked(cells)) != 1:
            raise ValueError(f"{len(names)} of {len(cells)} columns are 1, but each photo has one grade")
        return self.read(names[0])

    def names(self, stored: str) -> list[str]:
        return [stored]

    def labels(self, stored: Iterable[str]) -> list[str]:
        return sorted({*stored}, key=int)

    def outputs(self, labels: list[str]) -> int:
        return len(labels) - 1 if self._cumulative else 1

    def output_names(self, labels: list[str]) -> list[str]:
        return [f"beyond {label}" for label in labels[:-1]] if self._cumulative else ["place"]

    def doubts(self, stored: "pd.Series[str]", column: str) -> list[str]:
        if (count := stored.nunique()) <= MANY:
            return []
        return [f"{column} has {count} different grades: a number to predict (`task: regression`)?"]

    def truth(self, stored: Iterable[str], labels: list[str]) -> Ints:
        place = {label: place for place, label in enumerate(labels)}
        return np.fromiter((place.get(label, -1) for label in stored), np.int64)

    def known(self, truth: Ints) -> NDArray[np.bool_]:
        return truth >= 0

    def strata(self, truth: Ints) -> Ints:
        return truth

    def targets(self, truth: Ints, outputs: int) -> Floats:
        beyond = truth[:, None] > np.arange(outputs)
        return (beyond if self._cumulative else truth[:, None]).astype(np.float32)

    def measured(self) -> Any:
        """The share of photos whose grade is right if each probability is cut at one half, or the mean error."""
        if not self._cumulative:
            return self.measure
        import keras

        def grade_accuracy(targets: Any, logits: Any) -> Any:
            true, said = (keras.ops.sum(keras.ops.cast(each, "int32"), -1) for each in (targets > 0.5, logits > 0))
            return keras.ops.cast(true == said, "float32")

        return grade_accuracy

    def guide(self, truth: Ints, predictions: Floats) -> float:
        """How far the expected place is off: by its square, unless the metric is the mean absolute error."""
        error = np.abs(predictions.sum(1, dtype=np.float64) - truth)
        return float((error if self.metric == "mae" else error**2).mean())

    def decision(self, truth: Ints, predictions: Floats) -> Decision:
        """`cuts` of the expected place, up to the highest grade of these photos."""
        from podium.tasks import deciding

        known = self.known(truth)
        truth, expected = truth[known], predictions[known].sum(1)
        return {"cuts": deciding.cuts(truth, expected, lambda answers: self._worth(truth, answers))}

    def _worth(self, truth: Ints, answers: Ints) -> float:
        if self.own:
            return self.own(truth, answers, answers) * (1 if self.own.more_is_better else -1)
        name, number = tasks.general(self.metric)
        return FIGURES[name](truth, answers, number) * (1 if self.metrics[self.metric] else -1)

    def limits(self, truth: Ints) -> Decision:
        """The last place."""
        return {"last": int(truth.max())}

    def answers(self, predictions: Floats, decision: Decision) -> Ints:
        """The places; where there is no cut the nearest whole number is the place."""
        cuts, chosen = np.arange(decision["last"], dtype=np.float32) + 0.5, decision.get("cuts", [])
        cuts[: len(chosen)] = chosen
        return np.searchsorted(np.maximum.accumulate(cuts), predictions.sum(1), side="right")

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        """The expected place, counted from 0, and the grade."""
        said = np.array(labels, object)[self.answers(predictions, decision)]
        return pd.DataFrame({"expected_place": predictions.sum(1), "answer": said})

    def given(self, truth: Ints, predictions: Floats) -> NDArray[np.float64]:
        """Of being beyond each place or not, whichever is true: float [n, outputs]."""
        exact = predictions.astype(np.float64)
        return np.where(truth[:, None] > np.arange(predictions.shape[1]), exact, 1 - exact)

    def confidence(self, predictions: Floats) -> Floats:
        """The mean over the places of how sure it is of being beyond it or not."""
        return np.maximum(predictions, 1 - predictions).mean(1)

    def calibration_error(self, evidence: NDArray[Any]) -> float:
        """Over all photos and places."""
        predictions = evidence["predictions"]
        beyond = evidence["truth"][:, None] > np.arange(predictions.shape[1])
        return binned_gaps(predictions.ravel(), beyond.ravel())

    def evidence(self, truth: Ints, predictions: Floats, decision: Decision) -> NDArray[Any]:
        return as_rows({"truth": truth, "answer": self.answers(predictions, decision), "predictions": predictions})

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        """Of places, which are the grades where these are 0, 1, 2 and so on."""
        return {name: self._figure(name, evidence) for name in self.metrics}

    def _figure(self, metric: str, evidence: NDArray[Any]) -> float:
        (name, number), truth, answer = tasks.general(metric), evidence["truth"], evidence["answer"]
        return FIGURES[name](truth, answer, number) if name in FIGURES else self.own(truth, answer, answer)

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        return class_scores(evidence["truth"], evidence["answer"], labels)

    gravity = "error"

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        """By how many places the expected one is off."""
        error = np.abs(evidence["predictions"].sum(1) - evidence["truth"])
        said = np.array(labels, object)[evidence["answer"]]
        return pd.DataFrame({"wrong": evidence["truth"] != evidence["answer"], "predicted": said, "error": error})

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        check_list(sample, form, labels)

    def cells(
        self,
        predictions: Floats,
        decision: Decision,
        labels: list[str],
        columns: list[str],  # noqa: ARG002
        form: Form,  # noqa: ARG002
    ) -> list[list[str]]:
        return [[labels[place]] for place in self.answers(predictions, decision)]

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:  # noqa: ARG002
        if len(cells) != 1:
            raise BadInput(f"{where}: {len(cells)} grades, but one is required")
        check_labels(where, list(cells.values()), set(labels))
