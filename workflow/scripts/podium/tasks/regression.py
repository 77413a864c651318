"""Numbers, one or several a photo. The truth is float64 [n, numbers]; the labels are the names of their columns.

Networks are fitted to numbers of mean 0 and deviation 1 and predict them as they are; answers are clipped to the range
of the training photos.
"""

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import tasks
from podium.step import BadInput
from podium.tasks import Decision, metrics
from podium.tasks.cells import Form, Sample, check_columns, in_columns
from podium.tasks.links import Identity, Link

STRATA = 10  # equally large parts of the photos, by rank
FEW = 3  # different numbers or fewer are rather classes

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Numbers = NDArray[np.float64]
FIGURES: dict[str, Callable[[Any, Any], float]] = {"rmse": metrics.rmse, "mae": metrics.mae, "r2": metrics.r2}


class Task(tasks.Task):
    """The squared error, or the absolute one where the metric is that."""

    unit, fewest, calibrates = "numbers", 1, False
    measure, gravity, label_figures = "mean_absolute_error", "error", tuple(FIGURES)

    def __init__(self, range: list[float] | None, columns: list[str]) -> None:
        self._range, self._columns = range, columns

    @property
    def link(self) -> Link:  # type: ignore[override]
        return Identity(robust=self.metric == "mae")

    @property
    def decided_by(self) -> str:
        return self.title

    def read(self, cell: str) -> str:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"'{cell}' is not a number")
        return json.dumps(number)

    def read_columns(self, cells: dict[str, str]) -> str:
        return json.dumps([json.loads(self.read(cell)) for cell in cells.values()])

    def names(self, stored: str) -> list[str]:  # noqa: ARG002
        return []

    def labels(self, stored: Iterable[str]) -> list[str]:
        return self._columns if any(True for _ in stored) else []

    def doubts(self, stored: "pd.Series[str]", column: str) -> list[str]:
        if (count := stored.nunique()) > FEW:
            return []
        return [f"{column} has only {count} different numbers: classes (`task: classification`)?"]

    def truth(self, stored: Iterable[str], labels: list[str]) -> Numbers:
        return np.array([json.loads(each) for each in stored], np.float64).reshape(-1, len(labels))

    def known(self, truth: Numbers) -> NDArray[np.bool_]:
        return np.ones(len(truth), bool)

    def strata(self, truth: Numbers) -> Ints:
        """Tenths of the photos, by the mean of their numbers' ranks."""
        ranks = truth.argsort(0, kind="stable").argsort(0, kind="stable").mean(1)
        return (ranks.argsort(kind="stable").argsort(kind="stable") * STRATA // max(len(truth), 1)).astype(np.int64)

    def targets(self, truth: Numbers, outputs: int) -> Floats:  # noqa: ARG002
        return truth.astype(np.float32)

    def measured(self) -> Any:
        """Of numbers of deviation 1."""
        return self.measure

    def guide(self, truth: Numbers, predictions: Floats) -> float:
        if self.own:
            return self.own(truth, predictions, predictions) * (-1 if self.own.more_is_better else 1)
        return FIGURES[self.metric](truth, predictions) * (-1 if self.metrics[self.metric] else 1)

    def decision(self, truth: Numbers, predictions: Floats) -> Decision:
        """For the mean absolute error, `shift`: the medians of what is missing. The other metrics want the mean."""
        from podium.tasks import deciding

        return {"shift": deciding.shift(truth, predictions)} if self.metric == "mae" else {}

    def limits(self, truth: Numbers) -> Decision:
        ends = zip(truth.min(0).tolist(), truth.max(0).tolist(), strict=True)
        return {"range": [self._range or list(each) for each in ends]}

    def answers(self, predictions: Floats, decision: Decision) -> Numbers:
        found = predictions.astype(np.float64) + np.array(decision.get("shift", 0.0))
        return np.clip(found, *np.array(decision["range"]).T) if "range" in decision else found

    def shown(self, predictions: Floats, decision: Decision, labels: list[str]) -> pd.DataFrame:
        return pd.DataFrame(self.answers(predictions, decision), columns=labels)

    def evidence(self, truth: Numbers, predictions: Floats, decision: Decision) -> NDArray[Any]:
        return np.stack([truth, self.answers(predictions, decision)], 1)

    def figures(self, evidence: NDArray[Any]) -> dict[str, float]:
        return {name: FIGURES.get(name, self._own)(evidence[:, 0], evidence[:, 1]) for name in self.metrics}

    def _own(self, truth: Numbers, answers: Numbers) -> float:
        return self.own(truth, answers, answers)

    def label_scores(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:
        columns = [evidence[:, :, [place]] for place in range(len(labels))]
        figures = [{name: FIGURES[name](each[:, 0], each[:, 1]) for name in FIGURES} for each in columns]
        return pd.DataFrame({"label": labels}).join(pd.DataFrame(figures)).assign(photos=len(evidence))

    def mistakes(self, evidence: NDArray[Any], labels: list[str]) -> pd.DataFrame:  # noqa: ARG002
        """Each photo by its error, the root of the mean square over its numbers."""
        said = [" ".join(f"{number:.6g}" for number in row) for row in evidence[:, 1]]
        error = np.sqrt(((evidence[:, 0] - evidence[:, 1]) ** 2).mean(1))
        return pd.DataFrame({"wrong": error > 0, "predicted": said, "error": error})

    def columns(self, form: str, labels: list[str]) -> list[str] | None:  # noqa: ARG002
        return labels

    def check_form(self, sample: Sample, form: Form, labels: list[str]) -> None:
        """A column for each number, by its name; a single number may stand in a column of any name. The ends of the
        range must have no more decimals than numbers are handed in with."""
        for end in self._range or []:
            if form.decimals is not None and round(end, form.decimals) != end:
                raise BadInput(
                    f"regression.range: {end:g} has more decimals than `submission.decimals: {form.decimals}`"
                )
        if len(sample.columns) != len(labels):
            said = f"{len(sample.columns)} columns next to the id, but {len(labels)} numbers are predicted"
            raise BadInput(f"{sample.name}: line 1: {said} ({', '.join(labels)})")
        if len(labels) > 1:
            check_columns(sample, labels)

    def cells(
        self, predictions: Floats, decision: Decision, labels: list[str], columns: list[str], form: Form
    ) -> list[list[str]]:
        named = labels if len(labels) > 1 else columns
        return in_columns(self.answers(predictions, decision), named, columns, form.decimals)

    def check_cells(self, where: str, cells: dict[str, str], form: Form, labels: list[str]) -> None:  # noqa: ARG002
        least, most = self._range or (-math.inf, math.inf)
        for column, cell in cells.items():
            try:
                number = float(self.read(cell))
            except ValueError as error:
                raise BadInput(f"{where}: column '{column}': {error}") from None
            if not least <= number <= most:
                raise BadInput(f"{where}: {cell} in column '{column}' is not from {least:g} to {most:g}")
