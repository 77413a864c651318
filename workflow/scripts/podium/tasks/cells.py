"""What stands in the cells of a submission, as far as tasks share it. No TensorFlow."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.archives.delimited import format_table
from podium.step import BadInput


class Form(NamedTuple):
    """What each row contains next to its id: `labels`, `probabilities`, or the `top` labels, the most likely first."""

    kind: str
    top: int
    separator: str

    @property
    def labels(self) -> int:
        """The number of labels in a row."""
        return self.top if self.kind == "top" else 1

    def listed(self, cells: list[str]) -> list[str]:
        """The labels of a row: in a column each, or all in one cell."""
        return cells if len(cells) > 1 else cells[0].split(self.separator) if cells[0] else []


class Sample(NamedTuple):
    """What a submission must look like."""

    name: str
    header: list[str]
    ids: list[str]
    id_column: int
    delimiter: str
    newline: str
    encoding: str

    @property
    def columns(self) -> list[str]:
        """The header without the column of ids."""
        return self.header[: self.id_column] + self.header[self.id_column + 1 :]

    def format(self, cells: list[list[str]]) -> bytes:
        """The submission with these cells next to each id, in the sample's order, form and encoding."""
        at = self.id_column
        rows = [[*row[:at], key, *row[at:]] for key, row in zip(self.ids, cells, strict=True)]
        return format_table(self.header, rows, self.delimiter, self.newline).encode(self.encoding)


def check_columns(sample: Sample, labels: list[str]) -> None:
    """Raises BadInput unless the sample has a column for each of the labels."""
    for label in labels:
        if label not in sample.columns:
            there = ", ".join(f"'{column}'" for column in sample.columns[:3])
            raise BadInput(f"{sample.name}: line 1: no column for the label '{label}' (first columns: {there})")


def check_list(sample: Sample, form: Form, labels: list[str], several: bool = False) -> None:
    """Raises BadInput unless the sample has one column, or one for each of the labels that the form requires.

    Where one cell contains several labels, always or because there is no column for each, none may contain the
    separator.
    """
    if form.labels > len(labels):
        raise BadInput(f"submission.top: {form.labels} is more than the {len(labels)} that there are")
    if len(sample.columns) not in {1, form.labels}:
        wanted = "one" if form.labels == 1 else f"one or {form.labels}"
        found = f"{len(sample.columns)} columns next to the id ({', '.join(sample.columns)})"
        raise BadInput(f"{sample.name}: line 1: {found}, but `form: {form.kind}` requires {wanted}")
    for label in labels if several or len(sample.columns) < form.labels else []:
        if form.separator in label:
            raise BadInput(f"submission.separator: {form.separator!r} occurs in the label '{label}'; choose another")


def check_probabilities(where: str, cells: dict[str, str]) -> float:
    """The sum of a row's probabilities; raises BadInput, naming the column, unless each is from 0 to 1."""
    total = 0.0
    for column, cell in cells.items():
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:  # nor is NaN
            raise BadInput(f"{where}: '{cell}' in column '{column}' is not a probability")
        total += value
    return total


def check_labels(where: str, said: list[str], known: set[str]) -> None:
    """Raises BadInput unless these labels are known and none occurs twice."""
    for place, label in enumerate(said):
        if label not in known:
            raise BadInput(f"{where}: '{label}' is not a label of the training photos")
        if label in said[:place]:
            raise BadInput(f"{where}: '{label}' occurs twice")


def likeliest(probabilities: NDArray[np.float32], labels: list[str], count: int) -> list[list[str]]:
    """The `count` most likely labels of each row, the most likely first; of equal ones the first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return [[labels[place] for place in row] for row in order]


def in_lists(named: list[list[str]], columns: list[str], form: Form) -> list[list[str]]:
    """Cells with a label in each, or one cell with all of them if there are fewer columns."""
    return named if len(columns) == form.labels else [[form.separator.join(row)] for row in named]


def in_columns(probabilities: NDArray[np.float32], labels: list[str], columns: list[str]) -> list[list[str]]:
    """A cell for each column, with the probability of the label that it is named after; 0 if there is none."""
    known = np.pad(probabilities, [(0, 0), (0, 1)])
    number = {label: place for place, label in enumerate(labels)}
    order = [number.get(column, len(labels)) for column in columns]
    return [[f"{value:.9g}" for value in row] for row in known[:, order]]
