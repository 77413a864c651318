"""One label a photo, of two or more classes. The truth is the class's number, int [n]; -1 if it was not taught."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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

FEWEST_NUMBERS, PHOTOS_A_NUMBER = 20, 3  # at least so many numbers, each with fewer photos, are hardly classes
PHOTOS_A_CLASS = 1.5  # on average; with fewer there is nothing to learn
MARKS, SURE_MARKS = (";", "|", ",", " "), (";", "|")  # separators of lists of labels; the others occur in names too
FEWEST_LISTS, RECURRING = 3, 0.9  # RECURRING: the share of the parts of such lists that occur in other labels too
SHOWN = 5  # pairs of labels in a warning
SUM_TOLERANCE = 1e-4  # how far from 1 the sum of a row's probabilities may be

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
EVIDENCE = np.dtype([("truth", np.int64), ("answer", np.int64), ("confidence", np.float32), ("given", np.float64)])


class Task(tasks.Task):
    """Softmax and cross-entropy; the answer is the most likely class."""

    unit, fewest, exclusive = "classes", 2, True
    activation, measure = "softmax", "accuracy"

    def read(self, cell: str) -> str:
        if not cell:
            raise ValueError("the label is empty")
        return cell

    def names(self, stored: str) -> list[str]:
        return [stored]

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

    def loss(self, label_smoothing: float) -> "keras.losses.Loss":
        import keras

        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)

    def measured(self) -> Any:
        return self.measure

    def probabilities(self, logits: Floats) -> Floats:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def cross_entropy(self, targets: Floats, logits: Floats) -> Floats:
        shifted = logits - logits.max(1, keepdims=True)
        chosen = np.einsum("ij,ij->i", targets, shifted)
        return np.log(np.exp(shifted, out=shifted).sum(1)) - chosen

    def given(self, truth: Ints, probabilities: Floats) -> NDArray[np.float64]:
        """Of the true class, of rows scaled to sum to 1; 0 for a class that was not taught. float [n]."""
        chosen = probabilities[np.arange(len(truth)), truth].astype(np.float64)
        return np.where(truth >= 0, chosen / probabilities.sum(1, dtype=np.float64), 0.0)

    def scaled(self, probabilities: Floats, temperature: float | Floats) -> Floats:
        """The order of a photo's classes never changes."""
        logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        scaled = self.probabilities(np.divide(logits, temperature, dtype=np.float32))
        return np.where(np.equal(temperature, 1), probabilities, scaled)

    def confidence(self, probabilities: Floats) -> Floats:
        return probabilities.max(1)

    def decision(self, truth: Ints, probabilities: Floats) -> Decision:  # noqa: ARG002
        return {}

    def answers(self, probabilities: Floats, decision: Decision) -> Ints:  # noqa: ARG002
        return probabilities.argmax(1)

    def evidence(self, truth: Ints, probabilities: Floats, decision: Decision) -> NDArray[Any]:
        found = np.empty(len(truth), EVIDENCE)
        found["truth"], found["answer"] = truth, self.answers(probabilities, decision)
        found["confidence"], found["given"] = self.confidence(probabilities), self.given(truth, probabilities)
        return found

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        """Macro F1 is the mean over the classes that occur in the truth or among the answers, as in scikit-learn."""
        return {
            "accuracy": float(np.mean(evidence["truth"] == evidence["answer"])),
            "macro_f1": _macro_f1(evidence["truth"], evidence["answer"]),
            "log_loss": float(charged(evidence["given"]).mean()),
        }

    def calibration_error(self, evidence: NDArray[Any]) -> float:
        return binned_gaps(evidence["confidence"], evidence["answer"] == evidence["truth"])

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        from sklearn.metrics import precision_recall_fscore_support  # 60 MB, which `index` of a million photos needs

        figures = precision_recall_fscore_support(
            evidence["truth"], evidence["answer"], labels=range(len(labels)), zero_division=0
        )
        names = ["precision", "recall", "f1", "photos"]
        return pd.DataFrame({"label": labels, **dict(zip(names, figures, strict=True))})

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "wrong": evidence["truth"] != evidence["answer"],
                "predicted": np.array(labels)[evidence["answer"]],
                "probability": evidence["confidence"],
            }
        )

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Probabilities need a column for each class, in any order, and may have more; labels need one column, or for
        `top` one column or one for each label."""
        if form.kind == "probabilities":
            check_columns(sample, labels)
        else:
            check_list(sample, form, labels)

    def cells(
        self, probabilities: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        """A class of the sample without training photos has the probability 0, so that rows still sum to 1."""
        if form.kind == "probabilities":
            return in_columns(probabilities, labels, columns)
        if form.kind == "top":
            return in_lists(likeliest(probabilities, labels, form.top), columns, form)
        return [[labels[answer]] for answer in self.answers(probabilities, decision)]

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: set[str]) -> None:
        if form.kind == "probabilities":
            total = check_probabilities(where, cells)
            if abs(total - 1) > SUM_TOLERANCE:
                raise BadInput(f"{where}: the probabilities sum to {total:.6g}, not to 1")
            return
        said = form.listed(list(cells.values())) if len(cells) < form.labels else list(cells.values())
        if len(said) != form.labels:
            raise BadInput(f"{where}: {len(said)} labels, but {form.labels} are required")
        check_labels(where, said, labels)


def _macro_f1(truth: Ints, answer: Ints) -> float:
    """scikit-learn's macro F1 without its checks, which take a second for a thousand resamples."""
    count = int(max(truth.max(), answer.max())) + 1
    true, guessed = np.bincount(truth + 1, minlength=count + 1)[1:], np.bincount(answer, minlength=count)
    hits = np.bincount(truth[truth == answer], minlength=count)
    occurs = true + guessed > 0
    unknown = int((truth < 0).any())
    return float((2 * hits[occurs] / (true + guessed)[occurs]).sum() / (occurs.sum() + unknown))


def _other_task(counts: Counter[str], column: str) -> str:
    """Why these labels look like those of another task; empty if they do not."""
    total = counts.total()
    if len(counts) >= FEWEST_NUMBERS and total < PHOTOS_A_NUMBER * len(counts) and all(map(_is_number, counts)):
        return (
            f"{column} contains {len(counts)} different numbers in {total} rows: a number to predict (regression)? "
            "Each number is a class of its own here"
        )
    if mark := _list_mark(list(counts)):
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


def _list_mark(labels: list[str]) -> str | None:
    """The separator of the parts of most of these labels, if the parts recur as in lists; else None."""
    for mark in MARKS:
        parts = [{part.strip(" []{}()'\"") for part in label.split(mark)} for label in labels]
        lists = [each for each in parts if len(each) > 1]
        found = Counter(part for each in parts for part in each)
        recurring = [found[part] > 1 for each in lists for part in each]
        varied = mark in SURE_MARKS or len(set(map(len, parts))) > 1
        many = len(lists) >= max(FEWEST_LISTS, len(labels) / 2)
        if many and varied and sum(recurring) >= RECURRING * len(recurring):
            return mark
    return None
