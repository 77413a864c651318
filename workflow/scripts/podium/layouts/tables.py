"""Tables that list each photo's file, id and label, and the files beside them."""

import posixpath
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pandas as pd

from podium import SPLITS, images
from podium.archive import Archive
from podium.competition import Table, archive_table
from podium.layouts import LISTED
from podium.step import BadInput, log


def photos(archive: Archive, spec: dict[str, Any], *, strict: bool) -> pd.DataFrame:
    """The photos that the tables list, in their order."""
    tables = {split: archive_table(archive, spec[split]["path"]) for split in SPLITS if split in spec}
    listed = pd.concat(
        [_listed(archive, tables[split], split, spec[split], strict) for split in tables], ignore_index=True
    )
    _check_labels(listed)
    labels = set(listed.label[listed.split == "train"])
    if "validation" in tables:
        for line, label in zip(
            tables["validation"].lines, tables["validation"].column(spec["validation"]["label"]), strict=True
        ):
            if label not in labels:
                raise BadInput(f"{tables['validation'].name}: line {line}: no training photo has the label '{label}'")
    _check_unlisted(archive, listed, strict)
    return listed


def _check_labels(listed: pd.DataFrame) -> None:
    """One file has one label, in whichever table it stands."""
    labelled = listed[listed.label != ""]
    twice = labelled[labelled.groupby("file").label.transform("nunique") > 1]
    if len(twice):
        own = twice[twice.file == twice.file.iloc[0]]
        labels = " and ".join(f"'{label}' ({split})" for label, split in zip(own.label, own.split, strict=True))
        raise BadInput(f"'{own.file.iloc[0]}' has two labels: {labels}")


def _listed(archive: Archive, table: Table, split: str, spec: dict[str, str], strict: bool) -> pd.DataFrame:
    """The rows of one table, each checked."""
    ids = table.column(spec["id"])
    labels = table.column(spec["label"]) if "label" in spec else [""] * len(ids)
    groups = table.column(spec["group"]) if "group" in spec else [""] * len(ids)
    files = _files(table, spec["image"])
    rows: list[list[str]] = []
    seen_ids: dict[str, int] = {}
    seen_files: dict[str, int] = {}
    for number, (line, key, label, file, group) in enumerate(zip(table.lines, ids, labels, files, groups, strict=True)):
        where = f"{table.name}: line {line}"
        if not key or ("label" in spec and not label):
            raise BadInput(f"{where}: the {'id' if not key else 'label'} is empty")
        if "\n" in key + label or "\r" in key + label:
            raise BadInput(f"{where}: a line break in '{key}' or its label")
        first = min(seen_ids.setdefault(key, number), seen_files.setdefault(file, number))
        if first < number:
            other = f"'{labels[first]}' in line {table.lines[first]} and '{label}'"
            fault = "stands there twice" if labels[first] == label else f"has two labels, {other}"
            raise BadInput(f"{where}: '{key}' {fault}")
        if strict and file not in archive:
            raise BadInput(f"{where}: '{file}' is not in the archive (`strict: false` sets such rows aside)")
        rows.append([key, file, label, split, "" if file in archive else "not in the archive", group])
    return pd.DataFrame(rows, columns=LISTED)


def _files(table: Table, template: str) -> list[str]:
    """The template with each row's cells in place of the columns that it names in braces."""
    pieces = re.split(r"{(.*?)}", template)  # text and column names in turn
    columns = [table.column(piece) if place % 2 else [piece] * len(table.rows) for place, piece in enumerate(pieces)]
    return [unicodedata.normalize("NFC", "".join(cells)) for cells in zip(*columns, strict=True)]


def _check_unlisted(archive: Archive, listed: pd.DataFrame, strict: bool) -> None:
    """A photo beside the listed ones that no table lists is a mistake in a table or in the competition file."""
    folders, files = {posixpath.dirname(file) for file in listed.file}, set(listed.file)
    unlisted = [
        name
        for name in archive.names()
        if posixpath.dirname(name) in folders
        and posixpath.splitext(name)[1].lower() in images.SUFFIXES
        and name not in files
    ]
    if unlisted and strict:
        others = f"this file, nor for {len(unlisted) - 1} others" if len(unlisted) > 1 else "this file"
        raise BadInput(f"{unlisted[0]}: no table has a row for {others} (`strict: false` leaves them out)")
    if unlisted:
        log.warning("left out %d files that no table has a row for, such as %s", len(unlisted), unlisted[0])


def reader(archive: Archive, _: dict[str, Any]) -> Callable[[str], bytes]:
    return archive.read
