"""A competition's tables, its sample submission and the form of what is handed in. No TensorFlow."""

import codecs
import csv
import io
import posixpath
from typing import NamedTuple

from podium.archive import Archive
from podium.step import BadInput


class Table(NamedTuple):
    """A competition's table as it stands: every cell text, `lines` the line in the file of each row."""

    name: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    newline: str

    def column(self, name: str) -> list[str]:
        """The cells of a column; raises BadInput, naming the table and its columns, where there is none."""
        if name not in self.header:
            raise BadInput(f"{self.name}: no column '{name}' (there are: {', '.join(self.header)})")
        return [row[self.header.index(name)] for row in self.rows]


def parse_table(name: str, data: bytes) -> Table:
    """A CSV or TSV with a header; raises BadInput, naming the line, where it is ragged or not UTF-8."""
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{name}: line {line} is not UTF-8 text") from None
    first = text.partition("\n")[0]
    marks = [mark for mark in "\t,;" if mark in first] or ["\t" if name.endswith(".tsv") else ","]
    delimiter = "\t" if "\t" in marks else max(marks, key=first.count)
    header: list[str] = []
    rows, lines = [], []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if not header:
                header = row
            elif len(row) == len(header):
                rows.append(row)
                lines.append(reader.line_num)
            elif row:
                raise BadInput(f"{name}: line {reader.line_num} has {len(row)} cells, the header has {len(header)}")
    except csv.Error as error:
        raise BadInput(f"{name}: line {reader.line_num}: {error}") from None
    if not rows:
        raise BadInput(f"{name}: no rows")
    if len(set(header)) != len(header):
        raise BadInput(f"{name}: two columns of the same name in the header: {', '.join(header)}")
    return Table(name, header, rows, lines, delimiter, "\r\n" if "\r\n" in text[: len(first) + 2] else "\n")


def format_table(header: list[str], rows: list[list[str]], delimiter: str = ",", newline: str = "\n") -> str:
    """The inverse of `parse_table`; a cell is quoted where it has to be."""
    out = io.StringIO(newline="")
    # With this line end the writer quotes both of its characters wherever they stand in a cell.
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    lines = []
    for row in [header, *rows]:
        writer.writerow(row)
        lines.append(out.getvalue().removesuffix("\r\n"))
        out.seek(out.truncate(0))
    return newline.join([*lines, ""])


def archive_table(archive: Archive, name: str) -> Table:
    """A table of the archive; raises BadInput, naming the tables that are there, where it is missing."""
    if name not in archive:
        there = [each for each in archive.names() if each.endswith((".csv", ".tsv"))]
        raise BadInput(f"{name}: not in the archive (its tables: {', '.join(there) or 'none'})")
    return parse_table(name, archive.read(name))


class Sample(NamedTuple):
    """What a submission has to look like."""

    name: str
    header: list[str]
    ids: list[str]
    id_column: int
    delimiter: str
    newline: str

    def format(self, labels: list[str]) -> str:
        """The submission with these labels, one for each id, in the sample's order."""
        rows = [
            [key, label] if self.id_column == 0 else [label, key] for key, label in zip(self.ids, labels, strict=True)
        ]
        return format_table(self.header, rows, self.delimiter, self.newline)


def read_sample(table: Table, id_column: str, test: Table, ids: str = "sample") -> Sample:
    """The sample submission, checked to ask for each id of the test table once; raises BadInput, naming the row.

    Its ids are those of the test table, or with `ids` as "test" the same but for the suffixes of files: the test
    table's stand in the place of the sample's then.
    """
    if len(table.header) != 2:
        raise BadInput(
            f"{table.name}: {len(table.header)} columns ({', '.join(table.header)}); Podium writes an id and a label"
        )
    column = table.header.index(id_column) if id_column in table.header else 0
    asked = table.column(table.header[column])
    if ids == "test":
        asked = _with_suffixes(asked, test, id_column)
    known, seen = set(test.column(id_column)), set()
    for line, key in zip(table.lines, asked, strict=True):
        if key not in known:
            first = test.column(id_column)[0]
            hint = "; the suffix alone differs, see `submission.ids`" if _stem(key) in map(_stem, known) else ""
            raise BadInput(
                f"{table.name}: line {line}: '{key}' is not an id of {test.name}, whose first is '{first}'{hint}"
            )
        if key in seen:
            raise BadInput(f"{table.name}: line {line}: '{key}' stands there twice")
        seen.add(key)
    for line, key in zip(test.lines, test.column(id_column), strict=True):
        if key not in seen:
            raise BadInput(f"{test.name}: line {line}: '{key}' is not in {table.name}")
    return Sample(table.name, table.header, asked, column, table.delimiter, table.newline)


def _with_suffixes(asked: list[str], test: Table, id_column: str) -> list[str]:
    """For each id the test table's that differs in the suffix alone; an id of no such photo stays as it is."""
    by_stem: dict[str, str] = {}
    for line, key in zip(test.lines, test.column(id_column), strict=True):
        if (other := by_stem.setdefault(_stem(key), key)) != key:
            raise BadInput(f"{test.name}: line {line}: '{key}' and '{other}' differ in the suffix alone")
    return [by_stem.get(_stem(key), key) for key in asked]


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]


def check_submission(name: str, data: bytes, sample: Sample, labels: list[str]) -> None:
    """Raises BadInput, naming the first offending row, unless the submission is what the sample asks for.

    Same header, delimiter, ids, order and count, and only known labels.
    """
    table = parse_table(name, data)
    if table.header != sample.header or table.delimiter != sample.delimiter:
        found, wanted = table.delimiter.join(table.header), sample.delimiter.join(sample.header)
        raise BadInput(f"{name}: line 1: the header is {found!r}, {sample.name} has {wanted!r}")
    known = set(labels)
    for number, (line, row) in enumerate(zip(table.lines, table.rows, strict=True)):
        key, label = row[sample.id_column], row[1 - sample.id_column]
        if number >= len(sample.ids):
            raise BadInput(f"{name}: line {line}: '{key}' is one row more than {sample.name} has")
        if key != sample.ids[number]:
            raise BadInput(f"{name}: line {line}: the id is '{key}', {sample.name} has '{sample.ids[number]}' there")
        if label not in known:
            raise BadInput(f"{name}: line {line}: '{label}' is not a label of the training photos")
    if len(table.rows) < len(sample.ids):
        raise BadInput(f"{name}: '{sample.ids[len(table.rows)]}' is missing after line {table.lines[-1]}")
