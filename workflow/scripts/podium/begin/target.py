"""What is asked of each photo, from the sample submission and the training photos' cells. No TensorFlow."""

import re
from collections import Counter
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin import Doubt, Finding
from podium.begin.labels import Asked, fractions, in_form, of_cells
from podium.begin.roles import integers, numbers
from podium.step import BadInput
from podium.tasks.cells import MARKS

MASKS = re.compile(
    r"(?i)(^|_)(rle|masks?|encoded_?pixels|polygons?|b?box(es)?|bounding_?box(es)?|prediction_?strings?|keypoints?)(_|$)"
)
LABELS = ("label", "labels", "class", "category_id", "category", "target", "species", "breed", "tags", "attribute_ids")
RUNS = 50  # cells that are looked at


class Target(NamedTuple):
    """The column or the columns of labels, and what was found of them."""

    label: str | list[str]
    findings: list[Finding]
    doubts: list[Doubt]


def of_table(train: Table, photo: str, kept: set[str], asked: Asked, named: list[set[str]]) -> Target:
    """The target of a table, whose column `photo` names the photos; `kept` are columns that cannot be it, such as those
    of the test table, and `named` are sets of what the archive gives names to. Raises BadInput if there is none, or if
    submissions here cannot be what the sample is."""
    inside = [name for name in asked.columns if name in train.header]
    if len(inside) > 1 and 2 * len(inside) > len(asked.columns):
        return _of_columns(train, inside)
    if not inside and (goal := _of_ones(train, [name for name in train.header if name not in kept], asked)):
        return goal
    label = inside[0] if len(inside) == 1 == len(asked.columns) else _label(train, kept, asked)
    cells = [cell for cell in train.column(label) if cell]
    marked = next((name for name in (label, *asked.columns) if MASKS.search(name)), label if _places(cells) else None)
    if marked:
        raise BadInput(f"'{marked}' holds masks or places, which no task here answers: labels, grades and numbers do")
    if not cells:
        raise BadInput(f"{train.name}: all cells of '{label}' are empty")
    if len(set(cells)) == 1:
        raise BadInput(f"{train.name}: all rows have the same '{label}': '{cells[0]}'")
    if several := _several_rows(train, photo, label):
        why = f"{label}: {several:,} photos have several rows with different labels: several labels (sure)"
        form = "probabilities" if len(asked.columns) > 1 else "labels"
        return Target(label, [Finding(in_form("multilabel", form), why)], [])
    _check_answered(train, label, set(cells), asked)
    spelled = any(set(cells) <= each for each in named) or _spelled(train, label)
    findings, doubts = of_cells(label, cells, asked, spelled)
    return Target(label, findings, doubts)


def _of_ones(train: Table, free: list[str], asked: Asked) -> Target | None:
    """The columns of 0 and 1 in the training table of which the sample lists the names."""
    said = {word for cells in asked.cells.values() for cell in cells for word in (cell, *cell.split())} - {""}
    ones = [name for name in free if set(train.column(name)) <= {"0", "1"}]
    if len(asked.columns) != 1 or len(ones) < 2 or not said & set(ones):
        return None
    goal = _of_columns(train, ones)
    task = goal.findings[0].settings["task"]
    return goal._replace(findings=[goal.findings[0]._replace(settings=in_form(task, "labels"))])


def _check_answered(train: Table, label: str, labels: set[str], asked: Asked) -> None:
    """Raises BadInput if the sample asks for what no submission here can be."""
    said = next((cell for cells in asked.cells.values() for cell in cells), "")
    parts = said.split()
    if len(parts) == 2 and said not in labels and fractions(parts[1:]) and not fractions(labels):
        raise BadInput(f"the sample says a label and how sure it is ('{said}'), which submissions here do not")
    if all(re.fullmatch(r"\s*\[.*\]\s*", each) for each in labels):
        raise BadInput(f"{train.name}: '{label}' holds lists in brackets ({min(labels)}), which are not read")
    words = {part.strip() for each in labels for mark in ("\0", *MARKS) for part in each.split(mark)}
    if len(asked.columns) > 1 and not words & set(asked.columns):
        raise BadInput(
            f"the sample asks for {', '.join(asked.columns[:4])}, but {train.name} has neither such columns nor such "
            f"labels (its columns: {', '.join(train.header[:8])})"
        )


def _spelled(train: Table, label: str) -> bool:
    """Whether another column says a text for each number of the labels."""
    own = train.column(label)
    columns = (train.column(name) for name in train.header if name != label)
    return any(
        len(set(zip(own, other, strict=True))) == len(set(own)) == len(set(other)) and not any(map(_has_digit, other))
        for other in columns
    )


def _has_digit(cell: str) -> bool:
    return any(map(str.isdigit, cell))


def _several_rows(train: Table, photo: str, label: str) -> int:
    """How many photos have rows with different labels."""
    found: dict[str, set[str]] = {}
    for key, cell in zip(train.column(photo), train.column(label), strict=True):
        found.setdefault(key, set()).add(cell)
    return sum(len(each) > 1 for each in found.values())


def _places(cells: list[str]) -> bool:
    """Whether most cells are long lists of starts and lengths, or of labels with two or four numbers behind each."""
    parts = [cell.split() for cell in cells[:RUNS]]
    texts = [[integers([part]) for part in each] for each in parts]
    for step in (3, 5):
        one = [False, *[True] * (step - 1)]
        if sum(each != [] and each == one * (len(each) // step) for each in texts) > len(parts) / 2:
            return True
    return _runs(parts)


def _runs(parts: list[list[str]]) -> bool:
    """Whether most lists are of starts and lengths, each start behind the last run."""
    if not integers(part for each in parts for part in each):
        return False
    pairs = [each for each in parts if len(each) >= 4 and len(each) % 2 == 0]
    return len(pairs) > len(parts) / 2 and all(
        int(start) + int(length) <= int(after)
        for each in pairs
        for start, length, after in zip(each[::2], each[1::2], each[2::2], strict=False)
    )


def _of_columns(train: Table, columns: list[str]) -> Target:
    """A column for each label, or for each number, from the rows without an empty cell."""
    rows = [row for row in zip(*(train.column(name) for name in columns), strict=True) if all(map(str.strip, row))]
    if not rows:
        raise BadInput(f"{train.name}: each row has an empty cell in {', '.join(columns)}")
    if {cell for row in rows for cell in row} <= {"0", "1", "0.0", "1.0"}:
        ones = Counter(sum(cell in ("1", "1.0") for cell in row) for row in rows)
        said = f"{len(columns)} columns of the sample are columns of 0 and 1 in {train.name}"
        if set(ones) == {1}:
            why = f"{said}, of which each row has one 1: one label a photo (sure)"
            return Target(columns, [Finding(in_form("classification", "probabilities"), why)], [])
        why = f"{said}; rows have {min(ones)} to {max(ones)} of them: several labels (sure)"
        return Target(columns, [Finding(in_form("multilabel", "probabilities"), why)], [])
    if not numbers(cell for row in rows for cell in row):
        raise BadInput(
            f"{train.name}: the sample asks for {', '.join(columns)}, which hold neither 0 and 1 nor numbers"
        )
    why = f"{len(columns)} columns of the sample are columns of numbers in {train.name} (sure)"
    return Target(columns, [Finding({"task": "regression"}, why)], [])


def _label(train: Table, kept: set[str], asked: Asked) -> str:
    """The column of labels that the sample calls otherwise; raises BadInput if no column can be it."""
    free = [name for name in train.header if name not in kept]
    values = {name: [cell for cell in train.column(name) if cell] for name in free}
    free = [name for name in free if len(set(values[name])) > 1]
    if not free:
        raise BadInput(f"{train.name}: no column of labels (there are: {', '.join(train.header)})")
    said = {part for cells in asked.cells.values() for cell in cells for part in (cell, *cell.split())}
    whole = len(asked.columns) == 1 and integers(said)

    def rank(name: str) -> tuple[bool, bool, bool, int, int]:
        own = set(values[name])
        as_columns = len(asked.columns) > 1 and len(own & set(asked.columns)) > len(own) / 2
        alike = not whole or integers(values[name])
        usual = LABELS.index(name.lower()) if name.lower() in LABELS else len(LABELS)
        return as_columns, bool(own & said) and len(own) < len(values[name]), alike, -usual, -len(own)

    return max(free, key=rank)
