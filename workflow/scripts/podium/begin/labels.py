"""What the labels in one column are, and in which form the sample asks for them. No TensorFlow."""

import re
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin import Doubt, Finding, Settings
from podium.begin.roles import id_column, integers, numbers
from podium.tasks.cells import MARKS, list_mark

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
SPARSE = 3  # numbers whose range is so many times their count are names


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
        return [Finding(in_form("classification", "probabilities"), why)], []
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
    return [Finding(in_form("classification", "labels"), why)], []


def of_two(labels: list[str], asked: Asked) -> tuple[Finding, list[Doubt]]:
    """Which of two texts, in order, the sample's numbers are the probability of: the one that a column is called like,
    the one that is not called normal or the like, else the last."""
    columns = [name.lower() for name in asked.columns]
    called = [name for name in labels if name.lower() in columns]
    found = [name for name in labels if not NEGATIVE.match(name)]
    chosen = called or (found if len(found) == 1 else [])
    positive = chosen[0] if chosen else labels[-1]
    either = [in_form("classification", "probability") | {"classification": {"positive": each}} for each in labels]
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
            in_form("multilabel", form) | ({"multilabel": {"separator": mark}} if mark != " " else {}), f"{said} (sure)"
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
    settings: Settings = in_form("classification", "top")
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
    probability = in_form("classification", "probability") | {"classification": {"positive": positive}}
    if fractions(said):
        why = f"{label}: {ends[0]} or {ends[1]}, and the sample holds fractions: the probability of {positive} (sure)"
        return [Finding(probability, why)], []
    labels = in_form("classification", "labels")
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


def in_form(task: str, form: str) -> Settings:
    return {"task": task, "submission": {"form": form} if form != "labels" else {}}
