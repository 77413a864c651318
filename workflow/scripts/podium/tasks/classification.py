"""One label a photo, of two or more classes. The truth is the class's number, int [n]; -1 if it was not taught.

Of two classes the last one is the positive one. Photos of the label `unknown` are of no class: they teach nothing, and
their truth is -1.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.step import BadInput
from podium.tasks import Decision, metrics
from podium.tasks.cells import (
    Form,
    Sample,
    check_columns,
    check_labels,
    check_list,
    check_probabilities,
    in_columns,
    in_lists,
    likeliest,
    likeliest_table,
    list_mark,
    marked,
)
from podium.tasks.links import Softmax
from podium.tasks.measures import as_rows, binned_gaps, charged, class_scores

FEWEST_NUMBERS, PHOTOS_A_NUMBER = 20, 3  # at least so many numbers, each with fewer photos, are hardly classes
PHOTOS_A_CLASS = 1.5  # on average; with fewer there is nothing to learn
SHOWN = 5  # pairs of labels in a warning
SUM_TOLERANCE = 1e-6  # how far from 1 the sum of a row's probabilities may be
BALANCE = 1.0  # where the metric counts classes alike: the best with decided answers in benchmarks/contests.md

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
# The metrics of answers, each of truth, answers and the number in its name; and those of predictions of columns.
ANSWERED: dict[str, Callable[[Ints, Ints, float], float]] = {
    "accuracy": lambda truth, answers, _: metrics.accuracy(truth, answers),
    "balanced_accuracy": lambda truth, answers, _: metrics.balanced_accuracy(truth, answers),
    "macro_f#": lambda truth, answers, beta: metrics.f_classes(truth, answers, beta, "macro"),
    "micro_f#": lambda truth, answers, beta: metrics.f_classes(truth, answers, beta, "micro"),
    "f#": lambda truth, answers, beta: metrics.f_positive(truth == 1, answers == 1, beta),
}
AREAS = {"roc_auc": metrics.roc_auc, "average_precision": metrics.average_precision}


class Task(tasks.Task):
    """Softmax and cross-entropy; the answer is the most likely class, as far as the metric decides nothing else."""

    unit, fewest, link, measure = "classes", 2, Softmax(), "accuracy"

    def __init__(self, positive: str | None = None, unknown: str | None = None) -> None:
        self._positive, self._unknown = positive, unknown

    @property
    def balance(self) -> float:  # type: ignore[override]
        return BALANCE if self._counts_alike else 0.0

    @property
    def _counts_alike(self) -> bool:
        """Whether the metric counts each class alike, whatever its number of photos."""
        return tasks.general(self.metric)[0] in ("macro_f#", "balanced_accuracy")

    @property
    def decided_by(self) -> str:
        return self.title if self.own or tasks.general(self.metric)[0] in ANSWERED else "accuracy"

    def read(self, cell: str) -> str:
        if not cell.strip():
            raise ValueError("the label is empty")
        return cell

    def read_columns(self, cells: dict[str, str]) -> str:
        """The name of the one column that is 1."""
        if len(names := marked(cells)) != 1:
            found = f"{', '.join(names)} are" if names else f"none of {', '.join(cells)} is"
            raise ValueError(f"{found} 1, but each photo has one label")
        return names[0]

    def names(self, stored: str) -> list[str]:
        return [] if stored == self._unknown else [stored]

    def labels(self, stored: Iterable[str]) -> list[str]:
        """The positive class is the last one."""
        return sorted(super().labels(stored), key=lambda name: name == self._positive)

    def doubts(self, stored: "pd.Series[str]", column: str) -> list[str]:
        counts = Counter(stored)
        doubts = [doubt] if (doubt := _other_task(counts, column)) else []
        return doubts + _written_alike(counts)

    def truth(self, stored: Iterable[str], labels: list[str]) -> Ints:
        number = {label: place for place, label in enumerate(labels)}
        return np.fromiter((number.get(label, -1) for label in stored), np.int64)

    def known(self, truth: Ints) -> NDArray[np.bool_]:
        return truth >= 0

    def strata(self, truth: Ints) -> Ints:
        return truth

    def targets(self, truth: Ints, outputs: int) -> Floats:
        """One-hot."""
        return (truth[:, None] == np.arange(outputs)).astype(np.float32)

    def measured(self) -> Any:
        return self.measure

    def guide(self, truth: Ints, predictions: Floats) -> float:
        name, _ = tasks.general(self.metric)
        if name in ("roc_auc", "average_precision", "map_at_#"):
            return -self.figures(self.evidence(truth, predictions, {}))[self.metric]
        losses = charged(self.given(truth, predictions))
        if not self._counts_alike:
            return float(losses.mean())
        _, classes, counts = np.unique(truth, return_inverse=True, return_counts=True)
        return float((np.bincount(classes, losses) / counts).mean())

    def decision(self, truth: Ints, predictions: Floats) -> Decision:
        """`offsets` of the classes' log-probabilities where each class counts alike, a `threshold` of the positive
        class for its F, and `least`: below this probability a photo is of no class."""
        from podium.tasks import deciding

        name, known = tasks.general(self.metric)[0], truth >= 0

        def worth(answers: Ints, of: Ints = truth, own: Floats = predictions) -> float:
            return self._worth(of, answers, own)

        found: Decision = {}
        if self._counts_alike or self.own:
            taught, own = truth[known], predictions[known]
            found["offsets"] = deciding.offsets(taught, own, lambda answers: worth(answers, taught, own))
        elif name == "f#":
            found["threshold"] = deciding.threshold(truth == 1, predictions[:, 1], lambda said: worth(said.astype(int)))
        if self._unknown:
            found["least"] = deciding.least(truth, self._weighted(predictions, found), worth)
        return found

    def _worth(self, truth: Ints, answers: Ints, predictions: Floats) -> float:
        """How good answers are by the metric, or by their accuracy where it judges no answers: more is better."""
        if self.own:
            return self.own(truth, answers, predictions) * (1 if self.own.more_is_better else -1)
        name, number = tasks.general(self.metric)
        return ANSWERED.get(name, ANSWERED["accuracy"])(truth, answers, number)

    def answers(self, predictions: Floats, decision: Decision) -> Ints:
        """The classes' numbers; -1 for none of them."""
        if "threshold" in decision:
            return (predictions[:, 1] > decision["threshold"]).astype(np.int64)
        weighted = self._weighted(predictions, decision)
        best = weighted.argmax(1)
        return np.where(weighted.max(1) < decision.get("least", 0.0), -1, best)

    def _weighted(self, predictions: Floats, decision: Decision) -> Floats:
        """The predictions times what `offsets` says, so that each row adds up to 1."""
        if "offsets" not in decision:
            return predictions
        weighted = predictions * np.exp(np.array(decision["offsets"], np.float32))
        return weighted / weighted.sum(1, keepdims=True)

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        said = self._named(labels)[self.answers(predictions, decision)]
        return likeliest_table(predictions, labels).assign(answer=said)

    def _named(self, labels: list[str]) -> NDArray[np.object_]:
        """The name of each answer; the last one, which -1 is, that of no class."""
        return np.array([*labels, self._unknown], object)

    def given(self, truth: Ints, predictions: Floats) -> NDArray[np.float64]:
        """Of the true class, of rows scaled to sum to 1; 0 for a class that was not taught. float [n]."""
        chosen = predictions[np.arange(len(truth)), truth].astype(np.float64)
        return np.where(truth >= 0, chosen / predictions.sum(1, dtype=np.float64), 0.0)

    def confidence(self, predictions: Floats) -> Floats:
        return predictions.max(1)

    def evidence(self, truth: Ints, predictions: Floats, decision: Decision) -> NDArray[Any]:
        """Only metrics that need all predictions keep them."""
        fields: dict[str, NDArray[Any]] = {
            "truth": truth,
            "answer": self.answers(predictions, decision),
            "confidence": self.confidence(predictions),
            "given": self.given(truth, predictions),
        }
        name = tasks.general(self.metric)[0]
        if name == "map_at_#":
            fields["place"] = self._places(truth, predictions, decision)
        elif name in ("roc_auc", "average_precision") or self.own:
            fields["predictions"] = predictions
        return as_rows(fields)

    def _places(self, truth: Ints, predictions: Floats, decision: Decision) -> Ints:
        """The place of the true class among all, the most likely first; no class stands before the unlikely ones."""
        least, given = decision.get("least", 0.0), np.take_along_axis(predictions, np.maximum(truth, 0)[:, None], 1)
        before = (predictions > given) | ((predictions == given) & (np.arange(predictions.shape[1]) < truth[:, None]))
        places = before.sum(1) + (given[:, 0] < least)
        return np.where(truth < 0, (predictions >= least).sum(1) if least else predictions.shape[1], places)

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        return {name: self._figure(name, evidence) for name in self.metrics}

    def _figure(self, metric: str, evidence: NDArray[Any]) -> float:
        name, number = tasks.general(metric)
        if name in ANSWERED:
            return ANSWERED[name](evidence["truth"], evidence["answer"], number)
        if name == "log_loss":
            return float(charged(evidence["given"]).mean())
        if name == "map_at_#":
            return metrics.map_at(evidence["place"], int(number))
        if name not in AREAS:
            return self.own(evidence["truth"], evidence["answer"], evidence["predictions"])
        predictions = evidence["predictions"]
        of = slice(1, None) if predictions.shape[1] == 2 else slice(None)  # of two classes the positive one
        is_of = evidence["truth"][:, None] == np.arange(predictions.shape[1])
        return AREAS[name](is_of[:, of], predictions[:, of])

    def calibration_error(self, evidence: NDArray[Any]) -> float:
        return binned_gaps(evidence["confidence"], evidence["answer"] == evidence["truth"])

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        return class_scores(evidence["truth"], evidence["answer"], labels)

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "wrong": evidence["truth"] != evidence["answer"],
                "predicted": self._named(labels)[evidence["answer"]],
                "probability": evidence["confidence"],
            }
        )

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Probabilities need a column for each class, in any order, and may have more; labels need one column, or for
        `top` one column or one for each label; one probability needs one column, and two classes."""
        if tasks.general(self.metric)[0] == "f#" and len(labels) != 2:
            raise BadInput(f"metric: {self.metric} is of the positive one of two classes, but there are {len(labels)}")
        if self._positive is not None and self._positive not in labels:
            raise BadInput(f"classification.positive: no training photo has the label '{self._positive}'")
        if form.kind == "probability" and len(labels) != 2:
            raise BadInput(f"submission.form: one probability is of two classes, but there are {len(labels)}")
        if form.kind == "probabilities":
            check_columns(sample, labels)
        else:
            check_list(sample, form, [*labels, *([self._unknown] if self._unknown else [])])

    def cells(
        self, predictions: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        """A class of the sample without training photos has the probability 0, so that rows still sum to 1."""
        if form.kind == "probability":
            return in_columns(predictions[:, 1:], columns, columns, form.decimals)
        if form.kind == "probabilities":
            exact = predictions.astype(np.float64)
            return in_columns(exact / exact.sum(1, keepdims=True), labels, columns, form.decimals, whole=True)
        if form.kind == "top":
            return in_lists(self._ranked(predictions, decision, labels, form.top), columns, form)
        return [[label] for label in self._named(labels)[self.answers(predictions, decision)]]

    def _ranked(self, predictions: Floats, decision: Decision, labels: list[str], count: int) -> list[list[str]]:
        """The most likely labels; that of no class stands before those that are less likely than the threshold."""
        if self._unknown:
            least = np.full(len(predictions), decision.get("least", 0.0), np.float32)
            predictions, labels = np.column_stack([predictions, least]), [*labels, self._unknown]
        return likeliest(predictions, labels, count)

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:
        if form.kind in ("probability", "probabilities"):
            total = check_probabilities(where, cells)
            if form.kind == "probabilities" and abs(total - 1) > SUM_TOLERANCE:
                raise BadInput(f"{where}: the probabilities sum to {total:.9g}, not to 1")
            return
        said = form.listed(list(cells.values())) if len(cells) < form.labels else list(cells.values())
        if len(said) != form.labels:
            raise BadInput(f"{where}: {len(said)} labels, but {form.labels} are required")
        check_labels(where, said, {*labels, *([self._unknown] if self._unknown else [])})


def _other_task(counts: Counter[str], column: str) -> str:
    """Why these labels look like those of another task; empty if they do not."""
    total = counts.total()
    if len(counts) >= FEWEST_NUMBERS and total < PHOTOS_A_NUMBER * len(counts) and all(map(_is_number, counts)):
        return (
            f"{column} contains {len(counts)} different numbers in {total} rows: a number to predict (regression)? "
            "Each number is a class of its own here"
        )
    if mark := list_mark(list(counts)):
        example = next(label for label, _ in counts.most_common() if mark in label)
        return (
            f"{column} looks like several labels per photo (`task: multilabel`), such as '{example}'. Each list is a "
            "class of its own here"
        )
    if len(counts) >= FEWEST_NUMBERS and total < PHOTOS_A_CLASS * len(counts):
        return (
            f"{column} has {len(counts)} different labels in {total} rows, too few of each to learn from: "
            "is it the column of labels?"
        )
    return ""


def _written_alike(counts: Counter[str]) -> list[str]:
    """A doubt about classes that are written in several ways, if there are any."""
    alike: dict[str, list[str]] = {}
    for label in sorted(counts):
        alike.setdefault(" ".join(label.split()).casefold(), []).append(f"'{label}' ({counts[label]} photos)")
    # Except for single letters, which case may tell apart.
    pairs = [" and ".join(written) for key, written in alike.items() if len(written) > 1 and len(key) > 1]
    said = ", ".join(pairs[:SHOWN]) + ", …" * (len(pairs) > SHOWN)
    return [f"labels that differ only in case or spaces are classes of their own: {said}"] if pairs else []


def _is_number(label: str) -> bool:
    try:
        return math.isfinite(float(label))
    except ValueError:
        return False
