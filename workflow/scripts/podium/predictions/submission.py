"""The sample submission and the form of a submission, which is checked against it. No TensorFlow."""

import json
import math
import posixpath
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.archives.delimited import Table, format_table, parse_table
from podium.step import BadInput, log
from podium.tasks import Task


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


def read_sample(table: Table, id_column: str, test: dict[str, str], called: str, ids: str = "sample") -> Sample:
    """The sample submission, checked to list each test photo; raises BadInput, naming the row.

    `test` gives the place in which each test photo's id is listed, and `called` the name of the list. The sample's ids
    must be these ids; with `ids` as "test" they may differ in the suffixes of files, and the test photos' ids then
    replace the sample's. A repeated row is kept, with a warning.
    """
    if len(table.header) < 2:
        raise BadInput(f"{table.name}: one column ({table.header[0]}); a submission needs an id and a prediction")
    column = table.header.index(id_column) if id_column in table.header else 0
    asked = table.column(table.header[column])
    if ids == "test":
        asked = _with_suffixes(asked, test)
    stems, seen = {_stem(key) for key in test}, dict[str, int]()
    for number, (line, key) in enumerate(zip(table.lines, asked, strict=True)):
        if key not in test:
            hint = "; only the suffix differs, see `submission.ids`" if _stem(key) in stems else ""
            wanted = f"{called}, whose first is '{next(iter(test), '')}'"
            raise BadInput(f"{table.name}: line {line}: '{key}' is not an id of {wanted}{hint}")
        if table.rows[first_row := seen.setdefault(key, number)] != table.rows[number]:
            raise BadInput(f"{table.name}: line {line}: '{key}' occurs twice")
        if first_row < number:
            again = table.lines[first_row]
            log.warning("WARNING: %s: line %d repeats line %d, and so will the submission", table.name, line, again)
    for key, where in test.items():
        if key not in seen:
            raise BadInput(f"{where}: '{key}' is not in {table.name}, whose first is '{asked[0]}'")
    return Sample(table.name, table.header, asked, column, table.delimiter, table.newline, table.encoding)


def _with_suffixes(asked: list[str], test: dict[str, str]) -> list[str]:
    """Each id replaced by that of the test photo which differs only in the suffix; other ids are unchanged."""
    by_stem: dict[str, str] = {}
    for key, where in test.items():
        if (other := by_stem.setdefault(_stem(key), key)) != key:
            raise BadInput(f"{where}: '{key}' and '{other}' differ only in the suffix")
    return [by_stem.get(_stem(key), key) for key in asked]


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def write_asked(path: Path, sample: Sample, form: Form, labels: list[str]) -> None:
    """Writes what a submission must look like, and the labels that are predicted, as JSON."""
    path.write_text(json.dumps([sample, form, labels], ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def read_asked(path: Path) -> tuple[Sample, Form, list[str]]:
    sample, form, labels = json.loads(path.read_text(encoding="utf-8"))
    return Sample(*sample), Form(*form), labels


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
        raise BadInput(f"submission.top: {form.labels} is more than the {len(labels)} classes")
    if len(sample.columns) not in {1, form.labels}:
        wanted = "one" if form.labels == 1 else f"one or {form.labels}"
        found = f"{len(sample.columns)} columns next to the id ({', '.join(sample.columns)})"
        raise BadInput(f"{sample.name}: line 1: {found}, but `form: {form.kind}` requires {wanted}")
    for label in labels if several or len(sample.columns) < form.labels else []:
        if form.separator in label:
            raise BadInput(f"submission.separator: {form.separator!r} occurs in the label '{label}'; choose another")


def check_submission(name: str, data: bytes, sample: Sample, task: Task, labels: list[str], form: Form) -> None:
    """Raises BadInput, naming the first wrong row, unless the submission matches the sample and the form.

    It must have the same header, delimiter, ids, order and count, and in each row what the task requires.
    """
    table = parse_table(name, data, sample.encoding)
    if table.header != sample.header or table.delimiter != sample.delimiter:
        found, wanted = table.delimiter.join(table.header), sample.delimiter.join(sample.header)
        raise BadInput(f"{name}: line 1: the header is {found!r}, but that of {sample.name} is {wanted!r}")
    task.check_form(sample, form, labels)
    known = set(labels)
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True)):
        where, key = f"{name}: line {line}", row.pop(sample.id_column)
        if number >= len(sample.ids):
            raise BadInput(f"{where}: '{key}' is one row more than in {sample.name}")
        if key != sample.ids[number]:
            raise BadInput(f"{where}: the id is '{key}', but in {sample.name} it is '{sample.ids[number]}'")
        task.check_cells(where, dict(zip(sample.columns, row, strict=True)), form, known)
    if len(table.rows) < len(sample.ids):
        raise BadInput(f"{name}: '{sample.ids[len(table.rows)]}' is missing after line {table.lines[-1]}")


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
