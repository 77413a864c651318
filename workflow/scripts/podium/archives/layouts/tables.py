"""Tables that list each photo's file, id and label, and the archive's files that they name."""

import math
import posixpath
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from podium import SPLITS
from podium.archives import templates
from podium.archives.delimited import Table, archive_table
from podium.archives.layouts import LISTED, UNLABELLED, Labels
from podium.archives.opening import Archive
from podium.photos import images
from podium.step import BadInput, log

SHOWN = 5  # rows in a warning


def photos(archive: Archive, spec: dict[str, Any], labels: Labels, *, strict: bool) -> pd.DataFrame:
    """The photos that the tables list, in the tables' order, those of one id one after the other.

    Raises BadInput, naming the row, on any mismatch.
    """
    tables = {split: archive_table(archive, spec[split]["path"]) for split in SPLITS if split in spec}
    listed = pd.concat(
        [_listed(archive, tables[split], split, spec[split], labels, strict) for split in tables], ignore_index=True
    )
    _check_labels(listed)
    if "validation" in tables:
        _check_taught(tables["validation"].name, listed, labels)
    _check_unlisted(archive, listed, strict)
    if "groups" in spec:
        listed["group"] = listed.id.map(_groups(archive, **spec["groups"])).fillna("")
    return listed[LISTED]


def features(archive: Archive, spec: dict[str, Any]) -> pd.DataFrame | None:
    """The numbers of the columns `features`, float32 with NaN for empty cells, by `split` and `id`; None without any.

    Raises BadInput, naming the row, for a cell that is no number, and for an id with other numbers in another row.
    """
    if not (names := spec.get("features")):
        return None
    found = []
    for split in (each for each in SPLITS if each in spec):
        table = archive_table(archive, spec[split]["path"])
        keys = {"split": split, "id": table.column(spec[split]["id"], f"tables.{split}.id")}
        own = {name: _numbers(table, name) for name in names}
        rows = pd.DataFrame({**keys, **own}).set_index(["split", "id"])
        rows = rows[~(rows.reset_index().duplicated().to_numpy())]
        if (twice := rows.index.duplicated()).any():
            raise BadInput(f"{table.name}: '{rows.index[twice][0][1]}' has two rows with different `features`")
        found.append(rows)
    return pd.concat(found).astype(np.float32)


def _numbers(table: Table, name: str) -> list[float]:
    found = []
    for line, cell in zip(table.lines, table.column(name, "tables.features"), strict=True):
        try:
            found.append(float(cell) if cell.strip() else math.nan)
        except ValueError:
            found.append(math.inf)
        if math.isinf(found[-1]):
            raise BadInput(f"{table.name}: line {line}: '{cell}' in column '{name}' is not a number")
    return found


class _Rows(NamedTuple):
    """A table's rows: the id, the stored label and the files of each, and the columns that a photo has one value of."""

    table: Table
    ids: list[str]
    labels: list[str]
    files: list[list[str]]
    single: list[str]

    def where(self, number: int) -> str:
        return f"{self.table.name}: line {self.table.lines[number]}"


def _listed(
    archive: Archive, table: Table, split: str, spec: dict[str, Any], labels: Labels, strict: bool
) -> pd.DataFrame:
    """The photos of one table, each row checked, with the `line` that lists each first."""
    ids = table.column(spec["id"], f"tables.{split}.id")
    groups = table.column(spec["group"], f"tables.{split}.group") if "group" in spec else [""] * len(ids)
    files = templates.files(archive, table, spec["image"], strict)
    if "target" in spec:
        stored = _targets(archive, table, spec["target"], labels, strict)
    elif labels.itself and split != "test":
        stored = [labels.read_file(own[0]) for own in files]
    else:
        stored = _stored(table, ids, spec.get("label", []), f"tables.{split}.label", labels, strict)
    rows = _Rows(table, ids, stored, files, [spec["group"]] if "group" in spec else [])
    photos, label = _put_together(rows, labels)
    reasons = _reasons(archive, rows, photos, spec["image"], strict)
    if {"label", "target"} & spec.keys():
        lost = [not label[ids[number]] for number, _ in photos]
        reasons = [UNLABELLED if none else reason for none, reason in zip(lost, reasons, strict=True)]
    columns: dict[str, list[Any]] = {"id": ids, "group": groups, "line": table.lines}
    own = {name: [cells[number] for number, _ in photos] for name, cells in columns.items()}
    own |= {"file": [file for _, file in photos], "label": [label[key] for key in own["id"]]}
    return pd.DataFrame({**own, "split": split, "reason": reasons})


def _stored(table: Table, ids: list[str], named: str | list[str], key: str, labels: Labels, strict: bool) -> list[str]:
    """Each row's label as the index stores it, from the columns that `key` of the config names; "" of none, and
    without `strict` where the task needs a cell that is empty."""
    names = [named] if isinstance(named, str) else named
    columns = [table.column(name, key) for name in names]
    found = []
    for line, own, *cells in zip(table.lines, ids, *columns, strict=True):
        where = f"{table.name}: line {line}"
        if not own:
            raise BadInput(f"{where}: the id is empty")
        if {"\n", "\r"} & {*"".join([own, *cells])}:
            raise BadInput(f"{where}: '{own}' or its label contains a line break")
        try:
            if isinstance(named, str):
                found.append(labels.read(*cells))
            else:
                found.append(labels.read_columns(dict(zip(names, cells, strict=True))) if names else "")
        except ValueError as error:
            empty = not all(map(str.strip, cells))
            if strict or not empty:
                hint = " (`strict: false` sets such rows aside)" if empty else ""
                raise BadInput(f"{where}: {error}{hint}") from None
            found.append("")
    return found


def _targets(archive: Archive, table: Table, template: str, labels: Labels, strict: bool) -> list[str]:
    """Each row's label, which is a file of the archive; "" where there is none, without `strict`."""
    found = []
    for line, files in zip(table.lines, templates.files(archive, table, template, strict), strict=True):
        there = files[0] in archive
        if strict and not there:
            hint = "(`strict: false` sets such rows aside)"
            raise BadInput(f"{table.name}: line {line}: the target '{files[0]}' is not in the archive {hint}")
        found.append(labels.read_file(files[0]) if there else "")
    return found


def _put_together(rows: _Rows, labels: Labels) -> tuple[list[tuple[int, str]], dict[str, str]]:
    """The row and the file of each photo, those of one id one after the other, and the label of each id.

    A row that adds neither a photo nor a label to those before it counts for nothing, with a warning.
    """
    found, label, owners = dict[str, list[tuple[int, str]]](), dict[str, str](), dict[str, int]()
    repeated = []
    for number, (key, files) in enumerate(zip(rows.ids, rows.files, strict=True)):
        own, before = found.setdefault(key, []), label.setdefault(key, rows.labels[number])
        if own:
            label[key] = _joined(rows, own[0][0], number, before, labels)
        new = [(number, file) for file in files if owners.setdefault(file, number) == number]
        for file in files:
            _check_owner(rows, owners[file], number, file)
        if own and not new and label[key] == before:
            repeated.append(f"line {rows.table.lines[number]} repeats line {rows.table.lines[own[0][0]]}")
        own += new
    if repeated:
        said = ", ".join(repeated[:SHOWN]) + ", …" * (len(repeated) > SHOWN)
        log.warning("WARNING: %s: repeated rows count once: %s", rows.table.name, said)
    return [photo for own in found.values() for photo in own], label


def _joined(rows: _Rows, first: int, number: int, before: str, labels: Labels) -> str:
    """The label of an id that has another row; raises BadInput if the task does not allow both labels."""
    if before == rows.labels[number] or not rows.labels[number] or not before:
        return before or rows.labels[number]
    try:
        return labels.joined([before, rows.labels[number]])
    except ValueError:
        both = f"'{rows.labels[first]}' in line {rows.table.lines[first]} and '{rows.labels[number]}'"
        raise BadInput(f"{rows.where(number)}: '{rows.ids[number]}' has two labels, {both}") from None


def _check_owner(rows: _Rows, first: int, number: int, file: str) -> None:
    """Raises BadInput if the row that listed a file first is that of another id, or says something else of it."""
    line, cells, others = rows.table.lines[first], rows.table.rows[number], rows.table.rows[first]
    if rows.ids[first] != rows.ids[number]:
        both = f"'{rows.ids[first]}' in line {line} and of '{rows.ids[number]}'"
        raise BadInput(f"{rows.where(number)}: '{file}' is the file of {both}")
    for name in rows.single if first != number else []:
        place = rows.table.header.index(name)
        if cells[place] != others[place]:
            both = f"'{name}' is '{others[place]}' in line {line} and '{cells[place]}'"
            raise BadInput(f"{rows.where(number)}: '{rows.ids[number]}' occurs twice: {both}")


def _reasons(archive: Archive, rows: _Rows, photos: list[tuple[int, str]], template: str, strict: bool) -> list[str]:
    """Why each photo cannot be read, as far as its file is missing; raises BadInput if `strict`, or if all are."""
    there = [file in archive for _, file in photos]
    some = any(there)
    for (number, file), found in zip(photos, there, strict=True):
        if not found and (strict or not some):
            other = " (`strict: false` sets such rows aside)" if some else ", nor is any other file of this table"
            hint = _instead(archive, rows.table, template, number) or other
            raise BadInput(f"{rows.where(number)}: '{file}' is not in the archive{hint}")
    return ["" if each else "not in the archive" for each in there]


def _instead(archive: Archive, table: Table, template: str, row: int) -> str:
    """The template to write if only suffixes are wrong, else a file of another suffix or folder; empty if none."""
    photos = templates.photos(archive)
    suffix = posixpath.splitext(template)[1]
    for base in dict.fromkeys([template, template if "}" in suffix else template.removesuffix(suffix)]):
        names = templates.named(table, base)
        fitting = [[name] if name in archive else photos.get(name, []) for name in names]
        endings = {each[0].removeprefix(name) for name, each in zip(names, fitting, strict=True) if each}
        if all(fitting) and (len(endings) == 1 or "" not in endings):
            ending = endings.pop() if len(endings) == 1 else templates.ANY
            return f", but '{fitting[row][0]}' is: write image: \"{base}{ending}\""
    name = templates.named(table, template)[row]
    if like := photos.get(posixpath.splitext(name)[0]):
        return f", but '{like[0]}' is (`strict: false` sets such rows aside)"
    last = posixpath.basename(name)
    elsewhere = [each for each in archive.names() if posixpath.basename(each) == last]
    return f", but '{elsewhere[0]}' is: correct the folder in `image`" if elsewhere else ""


def _groups(archive: Archive, path: str, id: str, group: str) -> dict[str, str]:
    """The group of each id of a table of groups; raises BadInput, naming the row, if an id has two."""
    table = archive_table(archive, path)
    found = dict[str, tuple[int, str]]()
    ids, groups = table.column(id, "tables.groups.id"), table.column(group, "tables.groups.group")
    for line, key, own in zip(table.lines, ids, groups, strict=True):
        first, before = found.setdefault(key, (line, own))
        if own != before:
            raise BadInput(f"{path}: line {line}: '{key}' has two groups, '{before}' in line {first} and '{own}'")
    return {key: own for key, (_, own) in found.items()}


def _check_labels(listed: pd.DataFrame) -> None:
    """Raises BadInput if a file has different labels in different tables."""
    labelled = listed[listed.label != ""]
    twice = labelled[labelled.groupby("file").label.transform("nunique") > 1]
    if len(twice):
        own = twice[twice.file == twice.file.iloc[0]]
        labels = " and ".join(f"'{label}' ({split})" for label, split in zip(own.label, own.split, strict=True))
        raise BadInput(f"'{own.file.iloc[0]}' has two labels: {labels}")


def _check_taught(table: str, listed: pd.DataFrame, labels: Labels) -> None:
    """Raises BadInput, naming the row of the validation table, if a label is that of no training photo."""
    labelled = listed[listed.label != ""]
    taught = {name for stored in set(labelled.label[labelled.split == "train"]) for name in labels.names(stored)}
    own = labelled[labelled.split == "validation"]
    for line, stored in zip(own.line, own.label, strict=True):
        for name in labels.names(stored):
            if name not in taught:
                raise BadInput(f"{table}: line {line}: no training photo has the label '{name}'")


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
