"""Any number of labels a photo. The truth is bool [n, labels + 1]; the last column marks labels that were not taught.

A cell of a table lists labels with a separator between them, or there is a column of 0 and 1 for each label; the index
stores them as JSON, since an empty list is a label too.
"""

import json
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
    marked,
)
from podium.tasks.links import Sigmoid
from podium.tasks.measures import as_rows, binned_gaps, charged

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# The metrics of answers, bool [n, labels + 1] as the truth, and those of probabilities, [n, labels].
ANSWERED: dict[str, Callable[[Bools, Bools, float], float]] = {
    "samples_f#": metrics.f_samples,
    "micro_f#": lambda truth, answers, beta: metrics.f_labels(truth, answers, beta, "micro"),
    "macro_f#": lambda truth, answers, beta: metrics.f_labels(truth[:, :-1], answers[:, :-1], beta, "macro"),
}
PREDICTED: dict[str, Callable[[Bools, Floats, float], float]] = {
    "macro_auc": lambda truth, predictions, _: metrics.roc_auc(truth, predictions),
    "average_precision": lambda truth, predictions, _: metrics.average_precision(truth, predictions),
    "map_at_#": lambda truth, predictions, number: metrics.map_at_labels(truth, predictions, int(number)),
}


class Task(tasks.Task):
    """Sigmoid and binary cross-entropy; the answer are the labels above a threshold."""

    unit, fewest, link, measure = "labels", 1, Sigmoid(), "samples_f1"

    def __init__(self, separator: str) -> None:
        self.separator = separator

    @property
    def decided_by(self) -> str:
        return self.title if self.own or tasks.general(self.metric)[0] in ANSWERED else "samples_f1"

    def read(self, cell: str) -> str:
        return _stored(name.strip() for name in cell.split(self.separator))

    def read_columns(self, cells: dict[str, str]) -> str:
        """The names of all columns that are 1."""
        return _stored(marked(cells))

    def joined(self, stored: list[str]) -> str:
        return _stored(name for each in stored for name in self.names(each))

    def names(self, stored: str) -> list[str]:
        return json.loads(stored)

    def doubts(self, stored: "pd.Series[str]", column: str) -> list[str]:
        if stored.map(self.names).map(len).gt(1).any():
            return []
        return [
            f"{column}: no photo has several labels with {self.separator!r} between them: `task: classification`, or "
            "another `multilabel.separator`?"
        ]

    def truth(self, stored: Iterable[str], labels: list[str]) -> Bools:
        number = {label: place for place, label in enumerate(labels)}
        named = [[number.get(name, len(labels)) for name in self.names(each)] for each in stored]
        truth = np.zeros((len(named), len(labels) + 1), bool)
        for row, places in zip(truth, named, strict=True):
            row[places] = True
        return truth

    def known(self, truth: Bools) -> Bools:
        return ~truth[:, -1]

    def strata(self, truth: Bools) -> Ints:
        """The rarest label of each photo; one more for photos without any."""
        taught = truth[:, :-1]
        order = np.append(np.argsort(taught.sum(0), kind="stable"), taught.shape[1])
        with_none = np.column_stack([taught, np.ones(len(truth), bool)])
        return order[with_none[:, order].argmax(1)].astype(np.int64)

    def targets(self, truth: Bools, outputs: int) -> Floats:  # noqa: ARG002
        return truth[:, :-1].astype(np.float32)

    def measured(self) -> Any:
        """The mean F1 over photos of the labels with a probability above one half."""
        import keras

        def samples_f1(targets: Any, logits: Any) -> Any:
            true, answer = (keras.ops.cast(each, "float32") for each in (targets > 0.5, logits > 0))
            hits, both = keras.ops.sum(true * answer, -1), keras.ops.sum(true + answer, -1)
            return keras.ops.where(both > 0, 2 * hits / keras.ops.maximum(both, 1), 1.0)

        return samples_f1

    def guide(self, truth: Bools, predictions: Floats) -> float:
        name, number = tasks.general(self.metric)
        if name in PREDICTED:
            return -PREDICTED[name](truth[:, :-1], predictions, number)
        return float(charged(self.given(truth, predictions)).mean())

    def decision(self, truth: Bools, predictions: Floats) -> Decision:
        """A `threshold` for all labels, and whether each photo has one `least`; for the mean of the labels' F
        `thresholds`, one for each label. Where the metric judges no answers, by the photos' mean F1."""
        from podium.tasks import deciding

        name, number = tasks.general(self.decided_by)
        if name == "macro_f#":
            return {"thresholds": deciding.label_thresholds(truth[:, :-1], predictions, number)}

        def worth(answers: Bools) -> float:
            if self.own:
                return self.own(truth[:, :-1], answers, predictions) * (1 if self.own.more_is_better else -1)
            return ANSWERED[name](truth, _padded(answers), number)

        threshold, least = deciding.common_threshold(truth[:, :-1], predictions, worth)
        return {"threshold": threshold, "least": least}

    def answers(self, predictions: Floats, decision: Decision) -> Bools:
        """The labels above the threshold, one half if there is no decision; with `least`, one label or more."""
        threshold = decision.get("thresholds", decision.get("threshold", 0.5))
        above = predictions > np.array(threshold, np.float32)
        if decision.get("least"):
            above[np.arange(len(above)), predictions.argmax(1)] = True
        return above

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        said = _listed(self.answers(predictions, decision), labels)
        return likeliest_table(predictions, labels).assign(answer=said)

    def given(self, truth: Bools, predictions: Floats) -> NDArray[np.float64]:
        """Of having each label or not, whichever is true: float [n, labels]."""
        exact = predictions.astype(np.float64)
        return np.where(truth[:, :-1], exact, 1 - exact)

    def confidence(self, predictions: Floats) -> Floats:
        """The mean over the labels of how sure it is of having it or not."""
        return np.maximum(predictions, 1 - predictions).mean(1)

    def evidence(self, truth: Bools, predictions: Floats, decision: Decision) -> NDArray[Any]:
        return as_rows({"truth": truth, "answer": self.answers(predictions, decision), "probability": predictions})

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        return {name: self._figure(name, evidence) for name in self.metrics}

    def _figure(self, metric: str, evidence: NDArray[Any]) -> float:
        """A label that was not taught is one more that is missed, where labels of a photo are counted."""
        (name, number), truth, predictions = tasks.general(metric), evidence["truth"], evidence["probability"]
        if name in ANSWERED:
            return ANSWERED[name](truth, _padded(evidence["answer"]), number)
        if name in PREDICTED:
            return PREDICTED[name](truth[:, :-1], predictions, number)
        if name == "log_loss":
            return float(charged(self.given(truth, predictions)).mean())
        return self.own(truth[:, :-1], evidence["answer"], predictions)

    def calibration_error(self, evidence: NDArray[Any]) -> float:
        """Over all photos and labels."""
        return binned_gaps(evidence["probability"].ravel(), evidence["truth"][:, :-1].ravel())

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        truth, answer = evidence["truth"][:, :-1], evidence["answer"]
        hits, given, photos = (truth & answer).sum(0), answer.sum(0), truth.sum(0)
        figures = {"precision": hits / np.maximum(given, 1), "recall": hits / np.maximum(photos, 1)}
        figures["f1"] = 2 * hits / np.maximum(given + photos, 1)
        return pd.DataFrame({"label": labels, **figures, "photos": photos})

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        """The probability is that of the answer: of having its labels and no others."""
        answer = evidence["answer"]
        given = np.where(answer, evidence["probability"], 1 - evidence["probability"]).prod(1)
        wrong = (evidence["truth"][:, :-1] != answer).any(1) | evidence["truth"][:, -1]
        return pd.DataFrame({"wrong": wrong, "predicted": _listed(answer, labels), "probability": given})

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Probabilities need a column for each label, in any order, and may have more; lists need one column."""
        if form.kind == "probabilities":
            check_columns(sample, labels)
        else:
            check_list(sample, form, labels, several=True)

    def cells(
        self, predictions: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        if form.kind == "probabilities":
            return in_columns(predictions, labels, columns, form.decimals)
        if form.kind == "top":
            return in_lists(likeliest(predictions, labels, form.top), columns, form)
        named = np.array(labels, object)
        return [[form.separator.join(named[row])] for row in self.answers(predictions, decision)]

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:
        if form.kind == "probabilities":
            check_probabilities(where, cells)
            return
        said = form.listed(list(cells.values()))
        if form.kind == "top" and len(said) != form.labels:
            raise BadInput(f"{where}: {len(said)} labels, but {form.labels} are required")
        check_labels(where, said, set(labels))


def _stored(names: Iterable[str]) -> str:
    return json.dumps(sorted({name for name in names if name}), ensure_ascii=False)


def _listed(answers: Bools, labels: list[str]) -> list[str]:
    """The names of each photo's labels, as JSON."""
    named = np.array(labels, object)
    return [json.dumps(list(named[row]), ensure_ascii=False) for row in answers]


def _padded(answers: Bools) -> Bools:
    """With a column for labels that were not taught, which no answer has."""
    return np.pad(answers, [(0, 0), (0, 1)])
