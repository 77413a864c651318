"""What a competition asks for: one file for each task, named as in the competition file. Imports no TensorFlow.

`Task` lists the questions that all steps ask; each file answers them in a class of this name. No step asks which task
it is. Three forms of a label occur: the text that the index stores, the truth (an array with a row for each photo, as
compact as the task can make it), and targets (float32 [n, outputs], what a network is fitted to), made batch by batch.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # the plan reads TASKS, and need not wait for these
    import keras
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from podium.tasks.cells import Form, Sample

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Array = NDArray[Any]

Decision = dict[str, Any]


class Facts(NamedTuple):
    """What the config needs to know of a task."""

    metrics: dict[str, bool]  # the figures that predictions are judged by, and whether more is better
    lists: tuple[str, ...]  # the forms of a submission of which a cell may list several labels


TASKS = {
    "classification": Facts({"accuracy": True, "macro_f1": True, "log_loss": False}, lists=("top",)),
    "multilabel": Facts({"macro_auc": True, "samples_f1": True, "log_loss": False}, lists=("labels", "top")),
}


def task(spec: dict[str, dict[str, Any]]) -> Task:
    """The task of this name with its settings, such as `{"multilabel": {"separator": " "}}`."""
    ((name, settings),) = spec.items()
    made: Task = importlib.import_module(f"podium.tasks.{name}").Task(**settings)
    made.spec = spec
    return made


class Task(ABC):
    """The questions of the steps, in the order of the way of the data."""

    spec: dict[str, dict[str, Any]]
    separator: str = " "  # of labels in one cell
    unit: str  # what the model tells apart, in the plural
    fewest: int  # of these the training photos must have at least so many
    exclusive: bool  # exactly one output is true of each photo
    activation: str  # Keras's name of the function from a network's logits to probabilities
    measure: str  # the figure beside the loss in a fit's history

    @property
    def metrics(self) -> dict[str, bool]:
        """The figures that predictions are judged by, and whether more is better."""
        return TASKS[next(iter(self.spec))].metrics

    # The target

    @abstractmethod
    def read(self, cell: str) -> str:
        """The label as the index stores it, from the text in the archive; raises ValueError, which says why not."""

    @abstractmethod
    def names(self, stored: str) -> list[str]:
        """The names in a stored label."""

    def labels(self, stored: Iterable[str]) -> list[str]:
        """All names in these stored labels, in the order of the network's outputs."""
        return sorted({name for each in set(stored) for name in self.names(each)})

    def taught(self, index: pd.DataFrame) -> list[str]:
        """The labels of the index's training photos, which are what a network's outputs stand for."""
        return self.labels(index.label[index.split == "train"])

    @abstractmethod
    def doubts(self, stored: pd.Series[str], column: str) -> list[str]:
        """Reasons to believe that the training photos' labels, from this column, are those of another task."""

    @abstractmethod
    def truth(self, stored: Iterable[str], labels: list[str]) -> Array:
        """The truth of photos with these stored labels."""

    @abstractmethod
    def known(self, truth: Array) -> NDArray[np.bool_]:
        """Whether the training photos could teach each of these photos' labels, bool [n]."""

    @abstractmethod
    def strata(self, truth: Array) -> Ints:
        """What photos are stratified by when they are dealt into folds or set aside: numbers, int [n]."""

    # The network

    @abstractmethod
    def targets(self, truth: Array, outputs: int) -> Floats:
        """What a network is fitted to, float32 [n, outputs]."""

    @abstractmethod
    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        """The loss of targets and logits; needs TensorFlow."""

    @abstractmethod
    def measured(self) -> Any:
        """What Keras's `compile` takes as the metric `measure` of targets and logits; needs TensorFlow."""

    @abstractmethod
    def probabilities(self, logits: Floats) -> Floats:
        """The activation's result, float32 [n, outputs]."""

    @abstractmethod
    def cross_entropy(self, targets: Floats, logits: Floats) -> Floats:
        """The loss of each row, [n], summed over the outputs; its gradient is probabilities less targets."""

    # Predictions, of which the mean is the mean of their probabilities

    @abstractmethod
    def given(self, truth: Array, probabilities: Floats) -> NDArray[np.float64]:
        """The probabilities given to what is true, float [n] or [n, answers]; that of a mean is the mean of theirs."""

    @abstractmethod
    def scaled(self, probabilities: Floats, temperature: float | Floats) -> Floats:
        """Probabilities [n, outputs] with their logits divided by the temperature, one for all or [n, 1].

        Above 1 they become less confident; at 1 they do not change.
        """

    @abstractmethod
    def confidence(self, probabilities: Floats) -> Floats:
        """How sure of its answer each prediction is, [n]."""

    @abstractmethod
    def decision(self, truth: Array, probabilities: Floats) -> Decision:
        """How an answer is best made of probabilities, from photos whose truth is known: plain types, for `answers`."""

    @abstractmethod
    def answers(self, probabilities: Floats, decision: Decision) -> Array:
        """The answers, with a row for each photo."""

    # Scores

    @abstractmethod
    def evidence(self, truth: Array, probabilities: Floats, decision: Decision) -> Array:
        """All that figures are computed from, with a row for each photo, so that rows can be joined and drawn."""

    @abstractmethod
    def figures(self, evidence: Array) -> dict[str, float]:
        """The value of each of `metrics`."""

    @abstractmethod
    def calibration_error(self, evidence: Array) -> float:
        """The expected calibration error: the mean gap between confidence and frequency over 15 bins of confidence.

        Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015; bins as in Guo et al.,
        2017.
        """

    @abstractmethod
    def label_scores(self, evidence: Array, labels: list[str]) -> pd.DataFrame:
        """Precision, recall, F1 and the number of photos of each label, as `label`, `precision` and so on."""

    @abstractmethod
    def mistakes(self, evidence: Array, labels: list[str]) -> pd.DataFrame:
        """Of each photo, in this order, whether the answer is `wrong`, the answer and its probability."""

    # The submission

    @abstractmethod
    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Raises BadInput, naming the column or the label, unless this form with these labels fits the sample."""

    @abstractmethod
    def cells(
        self, probabilities: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        """The cells of a submission next to each photo's id, in the order of the sample's columns."""

    @abstractmethod
    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: set[str]) -> None:
        """Raises BadInput, which begins with `where`, unless a row's cells, by column, are such as `cells` writes."""
