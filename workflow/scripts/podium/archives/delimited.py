"""An archive's tables: CSV and TSV, read unchanged and written; and JSON, read. No TensorFlow."""

import codecs
import csv
import io
from typing import NamedTuple

from podium.archives.coco import json_table
from podium.archives.opening import Archive
from podium.step import BadInput, log

JSON = ".json"
SHOWN = 80  # characters of a line in a message
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Table(NamedTuple):
    """A competition's table, unchanged: every cell is text; `lines` are the rows' line numbers in the file,
    or in JSON their places in the list."""

    name: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    delimiter: str
    newline: str
    encoding: str

    def column(self, name: str, key: str = "") -> list[str]:
        """The cells of a column, which `key` of the config names; raises BadInput with the columns if it is missing."""
        if name not in self.header:
            named = f", which {key} names" if key else ""
            raise BadInput(f"{self.name}: no column '{name}'{named} (there are: {', '.join(self.header)})")
        place = self.header.index(name)
        return [row[place] for row in self.rows]


def parse_table(name: str, data: bytes, encoding: str | None = None) -> Table:
    """A CSV or TSV with a header; raises BadInput, naming the line, if it is ragged or not text.

    Without `encoding`, the encoding is that of the byte order mark, else UTF-8, else, with a warning, cp1252.
    """
    text, encoding = _decoded(name, data, encoding)
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
                raise BadInput(f"{name}: line {reader.line_num} has {len(row)} cells, but the header has {len(header)}")
    except csv.Error as error:
        raise BadInput(f"{name}: line {reader.line_num}: {error}") from None
    if not rows:
        raise BadInput(f"{name}: contains no rows")
    if len(set(header)) != len(header):
        raise BadInput(f"{name}: the header contains a column name twice: {', '.join(header)}")
    newline = "\r\n" if "\r\n" in text[: len(first) + 2] else "\n"
    return Table(name, header, rows, lines, delimiter, newline, encoding)


def _decoded(name: str, data: bytes, encoding: str | None) -> tuple[str, str]:
    """The text without a byte order mark, and its encoding: utf-8, utf-16 or cp1252."""
    marked = encoding is not None or data.startswith(tuple(MARKS))
    encoding = encoding or next((said for mark, said in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding).removeprefix("\ufeff"), encoding
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
    if marked:
        raise BadInput(f"{name}: line {line} is not {encoding.upper()} text")
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        raise BadInput(f"{name}: line {line} is neither UTF-8 nor cp1252 text") from None
    said = text.split("\n")[line - 1].strip()[:SHOWN]
    log.warning("WARNING: %s: line %d is not UTF-8, so the table is read as cp1252 (Windows): '%s'", name, line, said)
    return text, "cp1252"


def format_table(header: list[str], rows: list[list[str]], delimiter: str = ",", newline: str = "\n") -> str:
    """The inverse of `parse_table`; a cell is quoted only if necessary."""
    out = io.StringIO(newline="")
    # With this line terminator the writer quotes cells that contain either of its characters.
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    lines = []
    for row in [header, *rows]:
        writer.writerow(row)
        lines.append(out.getvalue().removesuffix("\r\n"))
        out.seek(out.truncate(0))
    return newline.join([*lines, ""])


def archive_table(archive: Archive, name: str) -> Table:
    """A table of the archive, JSON by its name; raises BadInput, naming the existing tables, if it is missing."""
    if name not in archive:
        there = [each for each in archive.names() if each.endswith((".csv", ".tsv", JSON))]
        raise BadInput(f"{name}: not in the archive (its tables: {', '.join(there) or 'none'})")
    if name.lower().endswith(JSON):
        return Table(name, *json_table(name, archive.read(name)), ",", "\n", "utf-8")
    return parse_table(name, archive.read(name))
