"""The sample submission and the form of a submission, which is checked against it. No TensorFlow."""

import json
import math
import posixpath
from pathlib import Path
from typing import NamedTuple

from podium.archives.delimited import Table, format_table, parse_table
from podium.step import BadInput, log

SUM_TOLERANCE = 1e-4  # how far from 1 the sum of a row's probabilities may be


class Form(NamedTuple):
    """What each row contains next to its id: `labels`, `probabilities`, or the `top` labels, the most likely first."""

    kind: str
    top: int
    separator: str

    @property
    def labels(self) -> int:
        """The number of labels in a row."""
        return self.top if self.kind == "top" else 1


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


def write_asked(path: Path, sample: Sample, form: Form) -> None:
    """Writes what a submission must look like, as JSON."""
    path.write_text(json.dumps([sample, form], ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def read_asked(path: Path) -> tuple[Sample, Form]:
    sample, form = json.loads(path.read_text(encoding="utf-8"))
    return Sample(*sample), Form(*form)


def check_form(sample: Sample, form: Form, labels: list[str]) -> None:
    """Raises BadInput, naming the column or the label, unless this form with these labels fits the sample's columns.

    Probabilities need a column for each class, in any order, and may have more; labels need one column, or for `top`
    one column or one for each label.
    """
    if form.kind == "probabilities":
        for label in labels:
            if label not in sample.columns:
                there = ", ".join(f"'{column}'" for column in sample.columns[:3])
                raise BadInput(f"{sample.name}: line 1: no column for the label '{label}' (first columns: {there})")
        return
    if form.labels > len(labels):
        raise BadInput(f"submission.top: {form.labels} is more than the {len(labels)} classes")
    if len(sample.columns) not in {1, form.labels}:
        wanted = "one" if form.labels == 1 else f"one or {form.labels}"
        found = f"{len(sample.columns)} columns next to the id ({', '.join(sample.columns)})"
        raise BadInput(f"{sample.name}: line 1: {found}, but `form: {form.kind}` requires {wanted}")
    for label in labels if len(sample.columns) < form.labels else []:
        if form.separator in label:
            raise BadInput(f"submission.separator: {form.separator!r} occurs in the label '{label}'; choose another")


def check_submission(name: str, data: bytes, sample: Sample, labels: list[str], form: Form) -> None:
    """Raises BadInput, naming the first wrong row, unless the submission matches the sample and the form.

    It must have the same header, delimiter, ids, order and count; known labels, none twice in a row, or probabilities
    that sum to 1.
    """
    table = parse_table(name, data, sample.encoding)
    if table.header != sample.header or table.delimiter != sample.delimiter:
        found, wanted = table.delimiter.join(table.header), sample.delimiter.join(sample.header)
        raise BadInput(f"{name}: line 1: the header is {found!r}, but that of {sample.name} is {wanted!r}")
    check_form(sample, form, labels)
    known = set(labels)
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True)):
        where, key = f"{name}: line {line}", row.pop(sample.id_column)
        if number >= len(sample.ids):
            raise BadInput(f"{where}: '{key}' is one row more than in {sample.name}")
        if key != sample.ids[number]:
            raise BadInput(f"{where}: the id is '{key}', but in {sample.name} it is '{sample.ids[number]}'")
        if form.kind == "probabilities":
            _check_probabilities(where, dict(zip(sample.columns, row, strict=True)))
        else:
            _check_labels(where, row, form, known)
    if len(table.rows) < len(sample.ids):
        raise BadInput(f"{name}: '{sample.ids[len(table.rows)]}' is missing after line {table.lines[-1]}")


def _check_probabilities(where: str, cells: dict[str, str]) -> None:
    total = 0.0
    for column, cell in cells.items():
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value <= 1:  # nor is NaN
            raise BadInput(f"{where}: '{cell}' in column '{column}' is not a probability")
        total += value
    if abs(total - 1) > SUM_TOLERANCE:
        raise BadInput(f"{where}: the probabilities sum to {total:.6g}, not to 1")


def _check_labels(where: str, cells: list[str], form: Form, known: set[str]) -> None:
    said = cells[0].split(form.separator) if len(cells) < form.labels else cells
    if len(said) != form.labels:
        raise BadInput(f"{where}: {len(said)} labels, but {form.labels} are required")
    for place, label in enumerate(said):
        if label not in known:
            raise BadInput(f"{where}: '{label}' is not a label of the training photos")
        if label in said[:place]:
            raise BadInput(f"{where}: '{label}' occurs twice")
