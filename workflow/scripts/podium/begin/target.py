"""What is asked of each photo, from the sample submission and the training photos' cells. No TensorFlow."""

import re
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin import Doubt, Finding, Settings
from podium.begin.roles import id_column, integers, numbers
from podium.step import BadInput
from podium.tasks.cells import MARKS, list_mark

MASKS = re.compile(
    r"(?i)(^|_)(rle|masks?|encoded_?pixels|polygons?|b?box(es)?|bounding_?box(es)?|prediction_?strings?|keypoints?)(_|$)"
)
LABELS = ("label", "labels", "class", "category_id", "category", "target", "species", "breed", "tags", "attribute_ids")
GRADES = re.compile(
    r"grade|level|sever|stage|score|rating|diagnos|quality|degree|rank|isup|ordinal|speed|intensity|risk|ripe|matur",
    re.IGNORECASE,
)
NUMBERS = re.compile(
    r"(^|[^a-z]|bone)ages?($|[^a-z])|count|number_of|weight|height|price|percent|yield|biomass|temperature|volume",
    re.IGNORECASE,
)
CLASSES = re.compile(r"label|class|categ|species|breed|variet|kind|type|(^|_)id$", re.IGNORECASE)
NEGATIVE = re.compile(r"(no|not|non|none|normal|negative|healthy|benign|false|absent|control|clean)([^a-z]|$)", re.I)
NEITHER = re.compile(r"new_.+|unknown", re.IGNORECASE)  # labels of what no training class is
FEW, MANY = 12, 20  # grades at most; numbers at least
RUNS = 50  # cells that are looked at
SPARSE = 3  # numbers whose range is so many times their count are names


class Target(NamedTuple):
    """The column or the columns of labels, and what was found of them."""

    label: str | list[str]
    findings: list[Finding]
    doubts: list[Doubt]


class Asked(NamedTuple):
    """What the sample asks for: its columns next to the id, and their cells."""

    columns: list[str]
    cells: dict[str, list[str]]

    @classmethod
    def of(cls, sample: Table | None) -> "Asked":
        if sample is None:
            return cls([], {})
        columns = [name for name in sample.header if name != id_column(sample)]
        return cls(columns, {name: sample.column(name) for name in columns})


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
        return Target(label, [Finding(_form("multilabel", form), why)], [])
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
    return goal._replace(findings=[goal.findings[0]._replace(settings=_form(task, "labels"))])


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
            return Target(columns, [Finding(_form("classification", "probabilities"), why)], [])
        why = f"{said}; rows have {min(ones)} to {max(ones)} of them: several labels (sure)"
        return Target(columns, [Finding(_form("multilabel", "probabilities"), why)], [])
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


def of_cells(  # noqa: PLR0911 (a kind of label each)
    label: str, cells: list[str], asked: Asked, named: bool
) -> tuple[list[Finding], list[Doubt]]:
    """What one column of labels is, and in which form it is asked for."""
    counts = Counter(cells)
    said = next(iter(asked.cells.values()), [])
    if mark := list_mark(list(counts)) or _said_mark(asked, said, counts):
        return _lists(label, cells, mark, asked), []
    if len(asked.columns) > 1:
        known = [name for name in asked.columns if name in counts]
        why = f"{label}: {len(known)} of its {len(counts)} labels are columns of the sample: probabilities (sure)"
        return [Finding(_form("classification", "probabilities"), why)], []
    if most := _listed(said, counts):
        return _ranked(label, counts, most)
    if integers(cells):
        return _whole(label, [int(float(cell)) for cell in cells], said, named)
    if numbers(cells) and len(counts) > 2:
        why = f"{label}: {len(counts)} different numbers, with fractions (sure)"
        return [Finding({"task": "regression"}, why)], []
    if len(counts) == 2 and fractions(said):
        finding, doubts = of_two(sorted(counts), asked)
        return [finding], doubts
    why = f"{label}: {len(counts)} different texts in {len(cells)} rows: one label a photo (sure)"
    return [Finding(_form("classification", "labels"), why)], []


def of_two(labels: list[str], asked: Asked) -> tuple[Finding, list[Doubt]]:
    """Which of two texts, in order, the sample's numbers are the probability of: the one that a column is called like,
    the one that is not called normal or the like, else the last."""
    columns = [name.lower() for name in asked.columns]
    called = [name for name in labels if name.lower() in columns]
    found = [name for name in labels if not NEGATIVE.match(name)]
    chosen = called or (found if len(found) == 1 else [])
    positive = chosen[0] if chosen else labels[-1]
    either = [_form("classification", "probability") | {"classification": {"positive": each}} for each in labels]
    taken, other = either if positive == labels[0] else either[::-1]
    why = f"the sample holds numbers for the labels {' and '.join(labels)}: the probability of '{positive}' (likely)"
    question = f"is the probability of '{other['classification']['positive']}' wanted?"
    return Finding(taken, why), [] if chosen else [Doubt(question, taken, other)]


def _lists(label: str, cells: list[str], mark: str, asked: Asked) -> list[Finding]:
    parts = {part.strip() for cell in cells for part in cell.split(mark)}
    several = sum(mark in cell for cell in cells) / len(cells)
    kinds = "numbers" if integers(parts) else "texts"
    said = f"{label}: {several:.0%} of cells hold several of the same {len(parts)} {kinds}: several labels, split at "
    said += {" ": "spaces", ",": "commas", ";": "semicolons", "|": "bars"}.get(mark, repr(mark))
    form = "probabilities" if len(asked.columns) > 1 else "labels"
    return [
        Finding(
            _form("multilabel", form) | ({"multilabel": {"separator": mark}} if mark != " " else {}), f"{said} (sure)"
        )
    ]


def _said_mark(asked: Asked, said: list[str], counts: Counter[str]) -> str | None:
    """The separator at which cells split into columns of the sample, or into what it lists and is no label itself."""
    words = {word for cell in said if " " in cell and cell not in counts for word in cell.split()}
    for mark in MARKS:
        lists = [{part.strip() for part in label.split(mark)} for label in counts if mark in label]
        if len(asked.columns) > 1:
            named = any(each <= set(asked.columns) for each in lists) and not set(counts) <= set(asked.columns)
        else:
            named = mark == " " and not {part for each in lists for part in each} & words <= set(counts)
        if named:
            return mark
    return None


def _listed(said: list[str], counts: Counter[str]) -> int:
    """How many labels a cell of the sample lists, where each photo has one."""
    parts = [cell.split() for cell in said]
    most = max(map(len, parts), default=0)
    words = max(len(label.split()) for label in counts)
    return most if most > 1 and most > words and len({len(each) for each in parts}) == 1 else 0


def _ranked(label: str, counts: Counter[str], most: int) -> tuple[list[Finding], list[Doubt]]:
    settings: Settings = _form("classification", "top")
    settings["submission"]["top"] = min(most, len(counts))
    why = f"the sample lists {most} labels in a cell, but {label} has one a photo: a ranked list (sure)"
    found = [Finding(settings, why)]
    if neither := [name for name in counts if NEITHER.fullmatch(name)]:
        why = f"{label}: '{neither[0]}' ({counts[neither[0]]} photos) is no class of its own (likely)"
        found.append(Finding({"classification": {"unknown": neither[0]}}, why))
    return found, []


def _whole(label: str, cells: list[int], said: list[str], named: bool) -> tuple[list[Finding], list[Doubt]]:
    """Whole numbers: two classes, many, grades, or numbers to predict."""
    counts = Counter(cells)
    low, high = min(counts), max(counts)
    if len(counts) == 2:
        return _binary(label, (low, high), said)
    if fractions(said) and len(counts) > 2:
        why = f"{label}: {len(counts)} numbers from {low} to {high}, and the sample holds fractions: a number (sure)"
        return [Finding({"task": "regression"}, why)], []
    classes = f"{label}: {len(counts)} different whole numbers from {low} to {high} in {len(cells)} rows"
    if named:
        return [Finding({"task": "classification"}, f"{classes}, which have names: classes (sure)")], []
    return _unnamed(label, counts, classes)


def _unnamed(label: str, counts: Counter[int], said: str) -> tuple[list[Finding], list[Doubt]]:
    """Whole numbers to which nothing gives names: the column's name and how they lie decide, in doubt."""
    low, high = min(counts), max(counts)
    number, grades, plain = ({"task": name} for name in ("regression", "ordinal", "classification"))
    dense = len(counts) > MANY and high - low + 1 < SPARSE * len(counts) and low != 0
    if NUMBERS.search(label):
        taken, why, doubt = number, ", and the name of the column says a number", ("are the numbers classes?", plain)
    elif high - low + 1 == len(counts) and low in (0, 1) and len(counts) <= FEW:
        if GRADES.search(label):
            taken, why = grades, ", and the name of the column says an order: grades"
            doubt = "are the numbers classes, in no order?", plain
        else:
            taken, why = plain, ": classes"
            doubt = "are the numbers grades, in this order, instead of classes?", grades
    elif dense and CLASSES.search(label):
        taken, why = plain, ", and the name of the column says classes"
        doubt = "are the numbers to be predicted as such?", number
    elif dense:
        taken, why, doubt = number, ", close together: a number", ("are the numbers classes?", plain)
    else:
        return [Finding(plain, f"{said}: numbers of classes (likely)")], []
    return [Finding(taken, f"{said}{why} (likely)")], [Doubt(doubt[0], taken, doubt[1])]


def _binary(label: str, ends: tuple[int, int], said: list[str]) -> tuple[list[Finding], list[Doubt]]:
    positive = str(ends[1])
    probability = _form("classification", "probability") | {"classification": {"positive": positive}}
    if fractions(said):
        why = f"{label}: {ends[0]} or {ends[1]}, and the sample holds fractions: the probability of {positive} (sure)"
        return [Finding(probability, why)], []
    labels = _form("classification", "labels")
    if len(set(said)) > 1:
        return [Finding(labels, f"{label}: {ends[0]} or {ends[1]}, as in the sample: labels (likely)")], [
            Doubt(f"is the probability of {positive} wanted?", labels, probability)
        ]
    why = (
        f"{label}: {ends[0]} or {ends[1]}; contests of two classes mostly want the probability of {positive} (a guess)"
    )
    return [Finding(probability, why)], [Doubt("are labels wanted, no probabilities?", probability, labels)]


def fractions(cells: Collection[str]) -> bool:
    """Whether all of these are numbers, some with a fraction."""
    return bool(cells) and numbers(cells) and not integers(cells)


def _form(task: str, form: str) -> Settings:
    return {"task": task, "submission": {"form": form} if form != "labels" else {}}
