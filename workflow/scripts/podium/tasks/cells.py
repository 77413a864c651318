"""What stands in the cells of tables and of a submission, as far as tasks share it. No TensorFlow."""

import math
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.archives.delimited import format_table
from podium.step import BadInput

SHOWN = 5  # labels of a photo in a table for people
MARKS, SURE_MARKS = (";", "|", ",", " "), (";", "|")  # separators of lists of labels; the others occur in names too
FEWEST_LISTS, RECURRING = 3, 0.9  # RECURRING: the share of the parts of such lists that occur in other labels too


class Form(NamedTuple):
    """What each row contains next to its id: `labels`, `probability` of the positive class, `probabilities`, or the
    `top` labels, the most likely first. Numbers have at most so many `decimals`, or as many as float32 needs."""

    kind: str
    top: int
    separator: str
    decimals: int | None = None

    @property
    def labels(self) -> int:
        """The number of labels in a row."""
        return self.top if self.kind == "top" else 1

    def listed(self, cells: list[str]) -> list[str]:
        """The labels of a row: in a column each, or all in one cell."""
        return cells if len(cells) > 1 else cells[0].split(self.separator) if cells[0] else []


class PixelIds(NamedTuple):
    """How pixels are called, such as `{id}_{row}_{column}`, whether they go along the rows, and the first number."""

    template: str
    by_rows: bool
    first: int


class Sample(NamedTuple):
    """What a submission must look like; `sizes` are the widths and heights of its photos, if each pixel is answered,
    and `pixels` says how these are called if each has a row."""

    name: str
    header: list[str]
    ids: list[str]
    id_column: int
    delimiter: str
    newline: str
    encoding: str
    sizes: tuple[tuple[int, int], ...] = ()
    pixels: PixelIds | None = None

    @property
    def columns(self) -> list[str]:
        """The header without the column of ids."""
        return self.header[: self.id_column] + self.header[self.id_column + 1 :]

    def format(self, cells: list[list[str]]) -> bytes:
        """The submission with these cells next to each id, in the sample's order, form and encoding."""
        at = self.id_column
        rows = [[*row[:at], key, *row[at:]] for key, row in zip(self.ids, cells, strict=True)]
        return format_table(self.header, rows, self.delimiter, self.newline).encode(self.encoding)


def marked(cells: dict[str, str]) -> list[str]:
    """The columns whose cell is 1; raises ValueError, naming the column, unless each is 0 or 1."""
    found = []
    for column, cell in cells.items():
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if value not in (0, 1):
            raise ValueError(f"'{cell}' in column '{column}' is neither 0 nor 1")
        if value:
            found.append(column)
    return found


def list_mark(labels: list[str]) -> str | None:
    """The separator of the parts of most of these labels, if the parts recur as in lists; else None."""
    for mark in MARKS:
        parts = [{part.strip(" []{}()'\"") for part in label.split(mark)} for label in labels]
        lists = [each for each in parts if len(each) > 1]
        found = Counter(part for each in parts for part in each)
        recurring = [found[part] > 1 for each in lists for part in each]
        varied = mark in SURE_MARKS or len(set(map(len, parts))) > 1
        many = len(lists) >= max(FEWEST_LISTS, len(labels) / 3)
        if many and varied and sum(recurring) >= RECURRING * len(recurring):
            return mark
    return None


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


def likeliest_table(probabilities: NDArray[np.float32], labels: list[str]) -> pd.DataFrame:
    """The most likely labels of each row, each with its probability, as `label_1`, `probability_1` and so on."""
    named, count, columns = np.array(labels, object), min(SHOWN, probabilities.shape[1]), dict[str, Any]()
    found = np.sort(np.argpartition(-probabilities, count - 1, axis=1)[:, :count], axis=1)
    order = np.take_along_axis(
        found, np.argsort(-np.take_along_axis(probabilities, found, 1), axis=1, kind="stable"), 1
    )
    for place in range(count):
        columns[f"label_{place + 1}"] = named[order[:, place]]
        columns[f"probability_{place + 1}"] = probabilities[np.arange(len(order)), order[:, place]]
    return pd.DataFrame(columns)


def in_columns(
    numbers: NDArray[Any], labels: list[str], columns: list[str], decimals: int | None, *, whole: bool = False
) -> list[list[str]]:
    """A cell for each column, with the number of the label that it is named after; 0 if there is none.

    Where the numbers are a `whole`, those of a row add up to 1 when they are rounded too.
    """
    if decimals is not None:
        # 0 is added since -0.0 would keep its sign.
        numbers = _rounded(numbers, decimals) if whole else np.round(numbers.astype(np.float64), decimals) + 0.0
    known = np.pad(numbers, [(0, 0), (0, 1)])
    number = {label: place for place, label in enumerate(labels)}
    order = [number.get(column, len(labels)) for column in columns]
    form = "{:.9g}" if decimals is None else f"{{:.{decimals}f}}"
    return [[form.format(value) for value in row] for row in known[:, order]]


def _rounded(shares: NDArray[Any], decimals: int) -> NDArray[np.float64]:
    """Shares of 1, cut off, with what is missing given to those that lost most: the largest remainders."""
    units = shares.astype(np.float64) * 10**decimals
    found = np.floor(units)
    missing = np.rint(units.sum(1) - found.sum(1)).astype(int)
    order = np.argsort(found - units, axis=1, kind="stable")
    np.put_along_axis(
        found, order, np.take_along_axis(found, order, 1) + (np.arange(units.shape[1]) < missing[:, None]), 1
    )
    return found / 10**decimals
