"""Tables that list each photo's file, id and label, and the archive's files that they name."""

import posixpath
import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from podium import SPLITS
from podium.archives.delimited import Table, archive_table
from podium.archives.layouts import LISTED, Labels
from podium.archives.opening import Archive, member_name
from podium.photos import images
from podium.step import BadInput, log

ANY = ".*"  # at the end of a template: any suffix of a photo
SHOWN = 5  # rows in a warning


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, *, strict: bool) -> pd.DataFrame:
    """The photos that the tables list, in the tables' order; raises BadInput, naming the row, on any mismatch."""
    tables = {split: archive_table(archive, spec[split]["path"]) for split in SPLITS if split in spec}
    listed = pd.concat(
        [_listed(archive, tables[split], split, spec[split], labels, strict) for split in tables], ignore_index=True
    )
    _check_labels(listed)
    taught = {name for stored in set(listed.label[listed.split == "train"]) for name in labels.names(stored)}
    if "validation" in tables:
        _check_taught(tables["validation"], spec["validation"]["label"], labels, taught)
    _check_unlisted(archive, listed, strict)
    return listed


def _check_taught(table: Table, column: str, labels: Labels, taught: set[str]) -> None:
    """Raises BadInput, naming the row, if a label is that of no training photo."""
    for line, cell in zip(table.lines, table.column(column), strict=True):
        for name in labels.names(labels.read(cell)):
            if name not in taught:
                raise BadInput(f"{table.name}: line {line}: no training photo has the label '{name}'")


def _check_labels(listed: pd.DataFrame) -> None:
    """Raises BadInput if a file has two labels, in the same table or in different ones."""
    labelled = listed[listed.label != ""]
    twice = labelled[labelled.groupby("file").label.transform("nunique") > 1]
    if len(twice):
        own = twice[twice.file == twice.file.iloc[0]]
        labels = " and ".join(f"'{label}' ({split})" for label, split in zip(own.label, own.split, strict=True))
        raise BadInput(f"'{own.file.iloc[0]}' has two labels: {labels}")


def _listed(
    archive: Archive, table: Table, split: str, spec: dict[str, str], labels: Labels, strict: bool
) -> pd.DataFrame:
    """The rows of one table, each checked; repeated rows count once."""
    ids = table.column(spec["id"], f"tables.{split}.id")
    cells, groups = (
        table.column(spec[key], f"tables.{split}.{key}") if key in spec else [""] * len(ids)
        for key in ("label", "group")
    )
    files = _files(archive, table, spec["image"], strict)
    there = [file in archive for file in files]
    some = any(there)
    kept: list[int] = []
    stored: list[str] = []
    seen_ids: dict[str, int] = {}
    seen_files: dict[str, int] = {}
    repeated: list[str] = []
    for number, (line, key, cell, file) in enumerate(zip(table.lines, ids, cells, files, strict=True)):
        where = f"{table.name}: line {line}"
        if not key:
            raise BadInput(f"{where}: the id is empty")
        if "\n" in key + cell or "\r" in key + cell:
            raise BadInput(f"{where}: '{key}' or its label contains a line break")
        try:
            label = labels.read(cell) if "label" in spec else ""
        except ValueError as error:
            raise BadInput(f"{where}: {error}") from None
        first = min(seen_ids.setdefault(key, number), seen_files.setdefault(file, number))
        if table.rows[first] == table.rows[number] and first < number:
            repeated.append(f"line {line} repeats line {table.lines[first]}")
            continue
        if first < number:
            other = f"'{cells[first]}' in line {table.lines[first]} and '{cell}'"
            fault = "occurs twice" if cells[first] == cell else f"has two labels, {other}"
            raise BadInput(f"{where}: '{key}' {fault}")
        if not there[number] and (strict or not some):
            other = " (`strict: false` sets such rows aside)" if some else ", nor is any other file of this table"
            raise BadInput(f"{where}: '{file}' is not in the archive{_instead(archive, table, spec, number) or other}")
        kept.append(number)
        stored.append(label)
    if repeated:
        said = ", ".join(repeated[:SHOWN]) + ", …" * (len(repeated) > SHOWN)
        log.warning("WARNING: %s: repeated rows count once: %s", table.name, said)
    reasons = ["" if each else "not in the archive" for each in there]
    rows = pd.DataFrame({"id": ids, "file": files, "split": split, "reason": reasons, "group": groups})
    return rows.iloc[kept].assign(label=stored)[LISTED]


def _files(archive: Archive, table: Table, template: str, strict: bool) -> list[str]:
    """Each row's file: the template with the row's cells; a suffix `.*` becomes that of the one photo that fits."""
    named = _named(table, template)
    if not template.endswith(ANY):
        return named
    photos, several = _photos(archive), 0
    files = []
    for line, name in zip(table.lines, named, strict=True):
        fitting = photos.get(name.removesuffix(ANY), [name])
        if len(fitting) > 1 and strict:
            both = f"'{fitting[0]}' and '{fitting[1]}' both fit '{name}'"
            raise BadInput(f"{table.name}: line {line}: {both} (`strict: false` takes the first)")
        several += len(fitting) > 1
        files.append(fitting[0])
    if several:
        log.warning("WARNING: %s: several photos fit each of %d rows; the first is taken", table.name, several)
    return files


def _named(table: Table, template: str) -> list[str]:
    """The template for each row, with the row's cells in place of the column names in braces."""
    pieces = re.split(r"{(.*?)}", template)  # text and column names in turn
    columns = [
        table.column(piece, "`image`") if place % 2 else [piece] * len(table.rows) for place, piece in enumerate(pieces)
    ]
    return [member_name("".join(cells)) for cells in zip(*columns, strict=True)]


def _photos(archive: Archive) -> dict[str, list[str]]:
    """The photos of the archive by their names without suffix, each list in alphabetical order."""
    found: dict[str, list[str]] = {}
    for name in archive.names():
        stem, suffix = posixpath.splitext(name)
        if suffix.lower() in images.SUFFIXES:
            found.setdefault(stem, []).append(name)
    return found


def _instead(archive: Archive, table: Table, spec: dict[str, str], row: int) -> str:
    """The template to write if only suffixes are wrong, else a file of another suffix or folder; empty if none."""
    photos, template = _photos(archive), spec["image"]
    suffix = posixpath.splitext(template)[1]
    for base in dict.fromkeys([template, template if "}" in suffix else template.removesuffix(suffix)]):
        names = _named(table, base)
        fitting = [[name] if name in archive else photos.get(name, []) for name in names]
        endings = {each[0].removeprefix(name) for name, each in zip(names, fitting, strict=True) if each}
        if all(fitting) and (len(endings) == 1 or "" not in endings):
            ending = endings.pop() if len(endings) == 1 else ANY
            return f", but '{fitting[row][0]}' is: write image: \"{base}{ending}\""
    name = _named(table, template)[row]
    if like := photos.get(posixpath.splitext(name)[0]):
        return f", but '{like[0]}' is (`strict: false` sets such rows aside)"
    last = posixpath.basename(name)
    elsewhere = [each for each in archive.names() if posixpath.basename(each) == last]
    return f", but '{elsewhere[0]}' is: correct the folder in `image`" if elsewhere else ""


def _check_unlisted(archive: Archive, listed: pd.DataFrame, strict: bool) -> None:
    """Photos in the listed photos' folders that no table lists: raises BadInput if `strict`, else warns."""
    files = set(listed.file)
    rest = [name for name in archive.names() if name not in files]
    folders = {posixpath.dirname(file) for file in files} if rest else set()
    unlisted = [
        name
        for name in rest
        if posixpath.dirname(name) in folders and posixpath.splitext(name)[1].lower() in images.SUFFIXES
    ]
    if unlisted and strict:
        others = f"this file, nor for {len(unlisted) - 1} others" if len(unlisted) > 1 else "this file"
        raise BadInput(f"{unlisted[0]}: no table has a row for {others} (`strict: false` leaves them out)")
    if unlisted:
        log.warning("left out %d files for which no table has a row, such as %s", len(unlisted), unlisted[0])


def reader(archive: Archive, _: dict[str, Any]) -> Callable[[str], bytes]:
    return archive.read
