"""Any number of labels a photo. The truth is bool [n, labels + 1]; the last column marks labels that were not taught.

A cell of a table lists labels with a separator between them; the index stores them as JSON, since an empty list is a
label too.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from podium import tasks
from podium.step import BadInput
from podium.tasks import Decision
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
)
from podium.tasks.measures import binned_gaps, charged

if TYPE_CHECKING:
    import keras

THRESHOLDS = [number / 50 for number in range(1, 50)]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Task(tasks.Task):
    """Sigmoid and binary cross-entropy; the answer are the labels above a threshold."""

    unit, fewest, exclusive = "labels", 1, False
    activation, measure = "sigmoid", "samples_f1"

    def __init__(self, separator: str) -> None:
        self.separator = separator

    def read(self, cell: str) -> str:
        names = (name.strip() for name in cell.split(self.separator))
        return json.dumps(sorted({name for name in names if name}), ensure_ascii=False)

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

    def loss(self, label_smoothing: float) -> "keras.losses.Loss":
        import keras

        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def measured(self) -> Any:
        """The mean F1 over photos of the labels with a probability above one half."""
        import keras

        def samples_f1(targets: Any, logits: Any) -> Any:
            true, answer = (keras.ops.cast(each, "float32") for each in (targets > 0.5, logits > 0))
            hits, both = keras.ops.sum(true * answer, -1), keras.ops.sum(true + answer, -1)
            return keras.ops.where(both > 0, 2 * hits / keras.ops.maximum(both, 1), 1.0)

        return samples_f1

    def probabilities(self, logits: Floats) -> Floats:
        return expit(logits)

    def cross_entropy(self, targets: Floats, logits: Floats) -> Floats:
        return (np.logaddexp(0, logits) - targets * logits).sum(1)

    def given(self, truth: Bools, probabilities: Floats) -> NDArray[np.float64]:
        """Of having each label or not, whichever is true: float [n, labels]."""
        exact = probabilities.astype(np.float64)
        return np.where(truth[:, :-1], exact, 1 - exact)

    def scaled(self, probabilities: Floats, temperature: float | Floats) -> Floats:
        """The order of a photo's labels is never reversed."""
        limits = np.finfo(np.float32)
        logits = logit(np.clip(probabilities, limits.tiny, 1 - limits.epsneg))
        scaled = expit(np.divide(logits, temperature, dtype=np.float32))
        return np.where(np.equal(temperature, 1), probabilities, scaled)

    def confidence(self, probabilities: Floats) -> Floats:
        """The mean over the labels of how sure it is of having it or not."""
        return np.maximum(probabilities, 1 - probabilities).mean(1)

    def decision(self, truth: Bools, probabilities: Floats) -> Decision:
        """The threshold with the best mean F1 over photos, and whether each photo has a label at least.

        Of equally good ones it is the one nearest to one half.
        """
        tried = [{"threshold": each, "least": least} for least in (0, 1) for each in THRESHOLDS]

        def worth(how: Decision) -> tuple[float, float]:
            return _samples_f1(truth, self.answers(probabilities, how)), -abs(how["threshold"] - 0.5)

        return max(tried, key=worth)

    def answers(self, probabilities: Floats, decision: Decision) -> Bools:
        """The labels above the threshold, one half if there is no decision; with `least`, one label or more."""
        above = probabilities > decision.get("threshold", 0.5)
        if decision.get("least"):
            above[np.arange(len(above)), probabilities.argmax(1)] = True
        return above

    def evidence(self, truth: Bools, probabilities: Floats, decision: Decision) -> NDArray[Any]:
        parts = {"truth": truth, "answer": self.answers(probabilities, decision), "probability": probabilities}
        found = np.empty(len(truth), [(name, part.dtype, part.shape[1:]) for name, part in parts.items()])
        for name, part in parts.items():
            found[name] = part
        return found

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        """The mean of the labels' areas under the ROC curve, without labels that all photos or none have; the mean F1
        over photos; the mean log loss of all photos and labels. As in scikit-learn's `roc_auc_score(average="macro")`
        and `f1_score(average="samples", zero_division=1)`."""
        truth, probabilities = evidence["truth"], evidence["probability"]
        return {
            "macro_auc": _macro_auc(truth[:, :-1], probabilities),
            "samples_f1": _samples_f1(truth, evidence["answer"]),
            "log_loss": float(charged(self.given(truth, probabilities)).mean()),
        }

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
        answer, named = evidence["answer"], np.array(labels, object)
        given = np.where(answer, evidence["probability"], 1 - evidence["probability"]).prod(1)
        said = [json.dumps(list(named[row]), ensure_ascii=False) for row in answer]
        wrong = (evidence["truth"][:, :-1] != answer).any(1) | evidence["truth"][:, -1]
        return pd.DataFrame({"wrong": wrong, "predicted": said, "probability": given})

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Probabilities need a column for each label, in any order, and may have more; lists need one column."""
        if form.kind == "probabilities":
            check_columns(sample, labels)
        else:
            check_list(sample, form, labels, several=True)

    def cells(
        self, probabilities: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        if form.kind == "probabilities":
            return in_columns(probabilities, labels, columns)
        if form.kind == "top":
            return in_lists(likeliest(probabilities, labels, form.top), columns, form)
        named = np.array(labels, object)
        return [[form.separator.join(named[row])] for row in self.answers(probabilities, decision)]

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: set[str]) -> None:
        if form.kind == "probabilities":
            check_probabilities(where, cells)
            return
        said = form.listed(list(cells.values()))
        if form.kind == "top" and len(said) != form.labels:
            raise BadInput(f"{where}: {len(said)} labels, but {form.labels} are required")
        check_labels(where, said, labels)


def _macro_auc(truth: Bools, probabilities: Floats) -> float:
    """By the ranks of the photos that have a label; as by chance where no label tells photos apart."""
    from scipy.stats import rankdata  # half a second, for which no step but `evaluate` should wait

    has = truth.sum(0)
    told = (has > 0) & (has < len(truth))
    if not told.any():
        return 0.5
    ranks = rankdata(probabilities[:, told], axis=0)
    above = np.where(truth[:, told], ranks, 0).sum(0) - has[told] * (has[told] + 1) / 2
    return float((above / (has[told] * (len(truth) - has[told]))).mean())


def _samples_f1(truth: Bools, answer: Bools) -> float:
    """1 for a photo without labels that is given none; labels that were not taught are missed, and count as one."""
    both = truth.sum(1) + answer.sum(1)
    return float(np.where(both > 0, 2 * (truth[:, :-1] & answer).sum(1) / np.maximum(both, 1), 1.0).mean())
