"""What tables say of photos beside their labels: which belong together, and numbers. No TensorFlow."""

import re
from collections.abc import Collection

from podium.archives.delimited import Table
from podium.begin import Finding
from podium.begin.labels import Asked
from podium.begin.roles import Listing, numbers

GROUPS = re.compile(
    r"patient|subject|person|location|site|place|seq_id|sequence|group|driver|burst|camera|series|session|slide|owner",
    re.IGNORECASE,
)
NO_FEATURES = re.compile(
    r"(^|_)(id|ids|width|height|license|year|frame|num|date|time|fold|index|lat|lon)(_|\d|$)|frame", re.I
)
OWNER = re.compile(r"(?i)(?:[ _-]|\b|(?-i:[a-z](?=I)))id$")  # what a photo is of, if several have the same
FEWEST_GROUPS = 10


def groups(train: Listing, asked: Asked) -> list[str]:
    """The columns whose names say that photos of the same value belong together, and which repeat; the one of the
    largest groups first."""
    found = []
    for name in train.table.header:
        cells = [cell for cell in train.table.column(name) if cell]
        repeated = FEWEST_GROUPS <= len(set(cells)) < len(cells)
        if GROUPS.search(name) and name not in asked.columns and name != train.template.column and repeated:
            found.append(name)
    return sorted(found, key=lambda name: len(set(train.table.column(name))))


def grouping(train: Listing, columns: list[str], label: list[str], others: list[Table]) -> list[Finding]:
    """The first of these columns of groups, else a column of ids that recur and do not say the `label`, of this table
    or of another one with the same photos."""
    columns = columns or _owners(train.table, label, {train.template.column, *label})
    if columns:
        name, cells = columns[0], train.table.column(columns[0])
        why = f"{name}: {len(set(cells)):,} values in {len(cells):,} rows: photos that belong together (likely)"
        return [Finding({"tables": {"train": {"group": name}}}, why)]
    ids = set(train.table.column(train.template.column))
    for table in others:
        keys = [name for name in table.header if len(ids & set(table.column(name))) > len(ids) / 2]
        named = [name for name in table.header if GROUPS.search(name)] or _owners(table, [], set(keys))
        if named and keys and named[0] != keys[0] and len(set(table.column(named[0]))) >= FEWEST_GROUPS:
            settings = {"tables": {"groups": {"path": table.name, "id": keys[0], "group": named[0]}}}
            return [Finding(settings, f"{table.name} says whose photo each is: {named[0]} (likely)")]
    return []


def _owners(table: Table, label: list[str], taken: Collection[str]) -> list[str]:
    """The columns of ids that mostly recur, but do not say the label."""
    labels = list(zip(*(table.column(name) for name in label), strict=True))
    found = []
    for name in (each for each in table.header if each not in taken and OWNER.search(each)):
        cells = table.column(name)
        says_it = bool(label) and len({*zip(cells, labels, strict=True)}) == len(set(cells))
        if FEWEST_GROUPS <= len(set(cells)) <= len(cells) / 2 and not says_it:
            found.append(name)
    return found


def features(train: Listing, test: Listing, taken: Collection[str]) -> list[Finding]:
    """The columns of numbers that both tables have, but for those that are taken."""
    found = []
    for name in train.table.header:
        if name in taken or name not in test.table.header or NO_FEATURES.search(name) or name == test.template.column:
            continue
        cells = [[cell for cell in each.table.column(name) if cell.strip()] for each in (train, test)]
        if all(cells) and numbers(cells[0]) and numbers(cells[1]) and len(set(cells[0])) > 1:
            found.append(name)
    why = f"{len(found)} columns of numbers in both tables: features beside the photos (likely)"
    return [Finding({"tables": {"features": found}}, why)] if found else []
