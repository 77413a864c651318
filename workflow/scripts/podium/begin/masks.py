"""Masks: as run lengths in a table, or as files that are called like the photos. No TensorFlow."""

import posixpath
import re

import numpy as np

from podium.archives.delimited import Table
from podium.begin import Finding, Settings
from podium.begin.catalogue import READ, Catalogue
from podium.begin.labels import Asked
from podium.begin.roles import integers
from podium.begin.target import Target
from podium.photos import masks
from podium.step import BadInput

RUNS = re.compile(r"(?i)(^|_)(rle|masks?|encoded_?pixels)(_|$)")
VOID = re.compile(r"(?i)void|unlabell?ed|ignored?|unknown|none")  # what classes of no class are called
MOST = 64  # different values; with more, files are pictures


def target(catalogue: Catalogue, train: Table, column: str, asked: Asked) -> Target | None:
    """The target of a table whose photos have masks; None if they have none.

    Raises BadInput for several masks of a photo, and for files of so many values that they are pictures.
    """
    runs = [name for name in asked.columns if RUNS.search(name)]
    label = runs[0] if len(asked.columns) == len(runs) == 1 and runs[0] in train.header else None
    if label and all(len(cell.split()) % 2 == 0 and integers(cell.split()) for cell in train.column(label)):
        if len(set(train.column(column))) < len(train.rows):
            raise BadInput(f"{train.name}: photos have several rows with masks, which no task here answers")
        empty = sum(not cell for cell in train.column(label)) / len(train.rows)
        why = f"{label}: run lengths of a mask, empty in {empty:.0%} of the rows (sure)"
        return Target(label, [_finding({"answer": "foreground"}, "runs", why)], [])
    if (asked.columns and not runs) or not (template := files(catalogue, train, column)):
        return None
    shares = values(catalogue, catalogue.masks[posixpath.dirname(template)])
    if len(shares) > MOST:
        raise BadInput(
            f"{template}: has {len(shares)} different values: pictures, no masks, which no task here answers"
        )
    return Target([], [finding(catalogue, template, shares, runs=bool(runs))], [])


def finding(catalogue: Catalogue, template: str, shares: dict[int, float], *, runs: bool) -> Finding:
    """What masks that have these shares of values say; `runs` says whether run lengths are asked for."""
    classes = _classes(catalogue, [*shares])
    void = [name for name in classes if VOID.fullmatch(name)]
    settings: Settings = {"classes": {name: value for name, value in classes.items() if name not in void}}
    settings |= {"void": [classes[name] for name in void]} if void else {}
    if runs:
        settings["answer"] = next((name for name in classes if name == "foreground"), [*classes][1])
    said = ", ".join(f"{value} ({share:.1%})" for value, share in list(shares.items())[:8])
    why = f"{template}: masks of {len(shares)} values: {said}{', …' * (len(shares) > 8)} (likely)"
    return _finding(settings, "runs" if runs else "labels", why)


def files(catalogue: Catalogue, table: Table, column: str) -> str | None:
    """The template of the masks that are called like the cells of a column, of most rows."""
    cells = table.column(column)
    stems = [posixpath.splitext(cell)[0] for cell in cells]
    for folder, names in catalogue.masks.items():
        called = {posixpath.splitext(posixpath.basename(name))[0] for name in names}
        ends = {posixpath.splitext(name)[1] for name in names}
        if len(ends) == 1 and sum(stem in called for stem in stems) > len(stems) / 2:
            return f"{folder}/{{{column}}}{ends.pop() if stems == cells else ''}"
    return None


def _finding(settings: Settings, form: str, why: str) -> Finding:
    submission = {"form": form} if form != "labels" else {}
    return Finding({"task": "segmentation", "segmentation": settings, "submission": submission}, why)


def values(catalogue: Catalogue, names: list[str]) -> dict[int, float]:
    """The values in some of these masks, and the share of the pixels that each has; raises BadInput for colours."""
    found = dict[int, int]()
    for name in names[:: max(1, len(names) // READ)][:READ]:
        try:
            values, counts = np.unique(masks.read(catalogue.contents.read(name)), return_counts=True)
        except ValueError as error:
            raise BadInput(f"{name}: {error}") from None
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            found[value] = found.get(value, 0) + count
    return {value: count / sum(found.values()) for value, count in sorted(found.items())}


def _classes(catalogue: Catalogue, values: list[int]) -> dict[str, int]:
    """The values by the names of their classes: those that a table gives them, or that they are two, or numbers."""
    for table in catalogue.tables:
        rows = {row[0].strip(): row[1].strip() for row in table.rows if len(row) > 1}
        if len(table.header) > 1 and len(rows) == len(table.rows) == len(set(rows.values())):
            named = {int(key): name for key, name in rows.items() if integers([key])}
            if {*values} <= named.keys() and len(named) <= MOST:
                return {name: value for value, name in sorted(named.items())}
    if len(values) == 2:
        return {"background": values[0], "foreground": values[1]}
    return {f"class {value}": value for value in values}
