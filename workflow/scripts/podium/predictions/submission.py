"""The sample submission, and a submission checked against it. No TensorFlow."""

import json
import posixpath
from pathlib import Path

from podium.archives.delimited import Table, parse_table
from podium.step import BadInput, log
from podium.tasks import Task
from podium.tasks.cells import Form, PixelIds, Sample


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
    said, form, labels = json.loads(path.read_text(encoding="utf-8"))
    sample = Sample(*said)
    sizes = tuple((width, height) for width, height in sample.sizes)
    return sample._replace(sizes=sizes, pixels=sample.pixels and PixelIds(*sample.pixels)), Form(*form), labels


def check_submission(name: str, data: bytes, sample: Sample, task: Task, labels: list[str], form: Form) -> None:
    """Raises BadInput, naming the first wrong row, unless the submission matches the sample and the form.

    It must have the same header, delimiter, ids, order and count, and in each row what the task requires.
    """
    table = parse_table(name, data, sample.encoding)
    if table.header != sample.header or table.delimiter != sample.delimiter:
        found, wanted = table.delimiter.join(table.header), sample.delimiter.join(sample.header)
        raise BadInput(f"{name}: line 1: the header is {found!r}, but that of {sample.name} is {wanted!r}")
    task.check_form(sample, form, labels)
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True)):
        where, key = f"{name}: line {line}", row.pop(sample.id_column)
        if number >= len(sample.ids):
            raise BadInput(f"{where}: '{key}' is one row more than in {sample.name}")
        if key != sample.ids[number]:
            raise BadInput(f"{where}: the id is '{key}', but in {sample.name} it is '{sample.ids[number]}'")
        task.check_cells(where, dict(zip(sample.columns, row, strict=True)), form, labels)
    if len(table.rows) < len(sample.ids):
        raise BadInput(f"{name}: '{sample.ids[len(table.rows)]}' is missing after line {table.lines[-1]}")
