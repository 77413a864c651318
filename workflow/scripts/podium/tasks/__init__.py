"""What a competition asks for: one file for each task, named as in the competition file. Imports no TensorFlow.

`Task` lists the questions that all steps ask; each file answers them in a class of this name. No step asks which task
it is. Three forms of a label occur: the text that the index stores, the truth (an array with a row for each photo, as
compact as the task can make it), and targets (float32 [n, outputs], what a network is fitted to), made batch by batch.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # the plan reads TASKS, and need not wait for these
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from podium.tasks.cells import Form, Sample
    from podium.tasks.links import Link

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Array = NDArray[Any]

Decision = dict[str, Any]


class Facts(NamedTuple):
    """What the config needs to know of a task."""

    metrics: dict[str, bool]  # the figures that can decide, and whether more is better; `#` stands for a number
    shown: tuple[str, ...]  # those that are always shown
    forms: dict[str, str]  # of a submission, the usual one first, and the metric that usually goes with each
    lists: tuple[str, ...] = ()  # the forms of which a cell may list several labels
    decimals: tuple[str, ...] = ()  # the forms that consist of numbers with decimals
    idle: tuple[tuple[str, str], ...] = ()  # a setting of the task, and a form in which it has no effect
    named_by_columns: bool = False  # its labels are the names of the columns that contain them
    files: tuple[str, ...] = ()  # the forms that are a zip with a file for each photo
    dense: bool = False  # there is an answer for each pixel
    unvaried: tuple[str, ...] = ()  # kinds of augmentation that would change photos and not their targets
    chosen: tuple[str, ...] = ()  # settings of the task that an experiment has, since only its fits depend on them
    grey: tuple[str, str] | None = None  # a setting, and its value with which photos are shown in grey


TASKS = {
    "classification": Facts(
        metrics={
            **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f#", "micro_f#", "f#", "roc_auc"), True),
            **{"average_precision": True, "map_at_#": True, "log_loss": False},
        },
        shown=("accuracy", "macro_f1", "log_loss"),
        forms={"labels": "accuracy", "probabilities": "log_loss", "probability": "roc_auc", "top": "map_at_5"},
        lists=("top",),
        decimals=("probability", "probabilities"),
        idle=(("unknown", "probability"), ("unknown", "probabilities")),
    ),
    "multilabel": Facts(
        metrics={
            **dict.fromkeys(("macro_auc", "samples_f#", "micro_f#", "macro_f#", "average_precision", "map_at_#"), True),
            "log_loss": False,
        },
        shown=("macro_auc", "samples_f1", "log_loss"),
        forms={"labels": "samples_f1", "probabilities": "macro_auc", "top": "map_at_5"},
        lists=("labels", "top"),
        decimals=("probabilities",),
    ),
    "ordinal": Facts(
        metrics={"quadratic_kappa": True, "accuracy": True, "macro_f#": True, "mae": False, "rmse": False},
        shown=("quadratic_kappa", "accuracy", "mae"),
        forms={"labels": "quadratic_kappa"},
    ),
    "regression": Facts(
        metrics={"rmse": False, "mae": False, "r2": True},
        shown=("rmse", "mae", "r2"),
        forms={"labels": "rmse"},
        decimals=("labels",),
        named_by_columns=True,
    ),
    "segmentation": Facts(
        metrics=dict.fromkeys(("mean_iou", "mean_dice", "pixel_accuracy", "boundary_f#", "iou", "iou_precision"), True),
        shown=("mean_iou", "pixel_accuracy"),
        forms={"labels": "mean_iou", "runs": "iou"},
        files=("labels",),
        dense=True,
        unvaried=("mixup", "cutmix"),
    ),
    "image_to_image": Facts(
        metrics={"psnr": True, "ssim": True, "rmse": False, "mae": False, "lab_mae": False, "colourfulness": True},
        shown=("psnr", "ssim", "rmse", "mae"),
        forms={"labels": "psnr", "pixels": "rmse"},
        files=("labels",),
        dense=True,
        unvaried=("light", "colour", "mixup", "cutmix"),
        chosen=("colours",),
        grey=("input", "grey"),
    ),
}
OWN = ".py"  # the end of the name of an own metric's file


def general(metric: str) -> tuple[str, float]:
    """The name under which the menu lists a metric, and the number in it: `map_at_5` is `map_at_#` and 5."""
    found = re.fullmatch(r"((?:.+_)?f|map_at_(?!\d+\.))([1-9]\d*|\d+\.\d*[1-9])", metric)
    return (f"{found[1]}#", float(found[2])) if found else (metric, 1.0)


def title(metric: str) -> str:
    """What a metric is called in tables: an own one by the name of its file."""
    return Path(metric).stem if metric.endswith(OWN) else metric


def task(spec: dict[str, dict[str, Any]]) -> Task:
    """The task of this name with its settings, such as `{"multilabel": {"separator": " "}}`.

    Steps that the competition's metric decides in are also given a setting `metric`.
    """
    ((name, settings),) = spec.items()
    own = {key: value for key, value in settings.items() if key != "metric"}
    made: Task = importlib.import_module(f"podium.tasks.{name}").Task(**own)
    made.spec, made.metric = spec, settings.get("metric") or next(iter(TASKS[name].shown))
    return made


class Task(ABC):
    """The questions of the steps, in the order of the way of the data."""

    spec: dict[str, dict[str, Any]]
    metric: str  # what decides: one of the menu's names, with its number, or the path of a Python file
    separator: str = " "  # of labels in one cell
    unit: str  # what the model tells apart, in the plural
    fewest: int  # of these the training photos must have at least so many
    link: Link
    measure: str  # the figure beside the loss in a fit's history
    gravity = "probability"  # the column of `mistakes` that says how bad each is
    label_figures: tuple[str, ...] = ("precision", "recall", "f1")  # the figures of `label_scores`
    calibrates = True  # predictions are probabilities, which can be made as sure as they are right
    balance = 0.0  # what the metric recommends for the setting `balance`
    itself = False  # whether photos are shown in grey, and those to train on are their own labels
    stored = "f4"  # the dtype that predictions are stored in: float32, or uint8 of 0 to 1

    @property
    def name(self) -> str:
        return next(iter(self.spec))

    @cached_property
    def metrics(self) -> dict[str, bool]:
        """The figures that predictions are judged by, the one that decides first, and whether more is better."""
        facts = TASKS[self.name]
        better = self.own.more_is_better if self.own else facts.metrics[general(self.metric)[0]]
        shown = {name: facts.metrics[general(name)[0]] for name in facts.shown}
        return {self.title: better} | shown

    @property
    @abstractmethod
    def decided_by(self) -> str:
        """The one of `metrics` that decisions are compared by: the metric, or another one if it judges no answers."""

    @property
    def title(self) -> str:
        """What the metric is called in tables."""
        return title(self.metric)

    @cached_property
    def own(self) -> Any:
        """The competition's own metric, loaded from its file; None for one of the menu."""
        from podium.tasks import metrics

        return metrics.own(Path(self.metric)) if self.metric.endswith(OWN) else None

    # The target

    @abstractmethod
    def read(self, cell: str) -> str:
        """The label as the index stores it, from the text in the archive; raises ValueError, which says why not."""

    def read_file(self, name: str) -> str:
        """The same of a label that is a file of the archive; raises ValueError if none can be."""
        raise ValueError(f"a label is no file here, such as {name}")

    @abstractmethod
    def read_columns(self, cells: dict[str, str]) -> str:
        """The same from the cells of several columns, by their names; raises ValueError, which says why not."""

    def joined(self, stored: list[str]) -> str:
        """The stored label of a photo that has these; raises ValueError if it can only have one of them."""
        if len(labels := list(dict.fromkeys(stored))) > 1:
            raise ValueError(f"has two labels, '{labels[0]}' and '{labels[1]}'")
        return labels[0]

    @abstractmethod
    def names(self, stored: str) -> list[str]:
        """The names in a stored label, of which photos to train on must teach each; none where it is a number."""

    def labels(self, stored: Iterable[str]) -> list[str]:
        """All names in these stored labels, in order."""
        return sorted({name for each in set(stored) for name in self.names(each)})

    def taught(self, index: pd.DataFrame) -> list[str]:
        """The labels of the index's training photos, which are what predictions are about; some may have none."""
        return self.labels(index.label[(index.split == "train") & (index.label != "")])

    def outputs(self, labels: list[str]) -> int:
        """How many outputs a network has that predicts these labels."""
        return len(labels)

    def output_names(self, labels: list[str]) -> list[str]:
        """What each of a network's outputs is called."""
        return labels

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

    def frequencies(self, truth: Array, labels: list[str]) -> Ints:
        """How many photos, or pixels, each label has, int [labels], where each has one."""
        import numpy as np

        return np.bincount(self.strata(truth), minlength=len(labels))

    @abstractmethod
    def targets(self, truth: Array, outputs: int) -> Floats:
        """What a network is fitted to, float32 [n, outputs]."""

    @abstractmethod
    def measured(self) -> Any:
        """What Keras's `compile` takes as the metric `measure` of targets and logits; needs TensorFlow."""

    # Predictions, [n, outputs]: probabilities or numbers, of which the mean is the mean

    @abstractmethod
    def guide(self, truth: Array, predictions: Floats) -> float:
        """What choices among predictions are made by: the least is best.

        Where the metric judges predictions it is the metric itself. Where it judges answers, which a few photos make
        jump, it is the loss; where each class counts alike, the mean of the classes' losses.
        """

    @abstractmethod
    def decision(self, truth: Array, predictions: Floats) -> Decision:
        """How the metric says that answers are best made of predictions, from photos whose truth is known.

        Plain types, for `answers`; empty where the plain answer is best.
        """

    def limits(self, truth: Array) -> Decision:  # noqa: ARG002
        """What bounds all answers, from the truth of the training photos: part of each decision."""
        return {}

    @abstractmethod
    def answers(self, predictions: Floats, decision: Decision) -> Array:
        """The answers, with a row for each photo; with an empty decision the plain ones."""

    @abstractmethod
    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        """The answers and what is behind them, for people: a row for each photo."""

    # Calibration, of tasks that calibrate

    def given(self, truth: Array, predictions: Floats) -> NDArray[np.float64]:
        """The probabilities given to what is true, float [n] or [n, answers]; that of a mean is the mean of theirs."""
        raise NotImplementedError

    def confidence(self, predictions: Floats) -> Floats:
        """How sure of its answer each prediction is, [n]."""
        raise NotImplementedError

    def calibration_error(self, evidence: Array) -> float:
        """The expected calibration error: the mean gap between confidence and frequency over 15 bins of confidence.

        Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", 2015; bins as in Guo et al.,
        2017.
        """
        raise NotImplementedError

    # Scores

    def trivial(self, truth: Array, evidence: Array, decision: Decision) -> dict[str, Array]:  # noqa: ARG002
        """The evidence of answers that need no model, by what these are, for the photos of such evidence."""
        return {}

    @abstractmethod
    def evidence(self, truth: Array, predictions: Floats, decision: Decision) -> Array:
        """All that figures are computed from, with a row for each photo, so that rows can be joined and drawn."""

    @abstractmethod
    def figures(self, evidence: Array) -> dict[str, float]:
        """The value of each of `metrics`."""

    @abstractmethod
    def label_scores(self, evidence: Array, labels: list[str]) -> pd.DataFrame:
        """The `label_figures` of each label by itself, between the `label` and the number of its `photos`."""

    @abstractmethod
    def mistakes(self, evidence: Array, labels: list[str]) -> pd.DataFrame:
        """Of each photo, in this order, whether the answer is `wrong`, the answer as `predicted`, and `gravity`."""

    # The submission

    def columns(self, form: str, labels: list[str]) -> list[str] | None:
        """The columns of a submission in this form, where no sample names them; None for one column of labels."""
        return labels if form == "probabilities" else None

    @abstractmethod
    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """Raises BadInput, naming the column or the label, unless this form with these labels fits the sample."""

    @abstractmethod
    def cells(
        self, predictions: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        """The cells of a submission next to each photo's id, in the order of the sample's columns."""

    @abstractmethod
    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:
        """Raises BadInput, which begins with `where`, unless a row's cells, by column, are such as `cells` writes."""
