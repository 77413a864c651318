"""What paths of photos say where no table does: folders of classes, or labels in the names of files. No TensorFlow."""

import posixpath
import re
from collections import Counter
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin import Settings
from podium.begin.catalogue import TEST, Catalogue
from podium.begin.roles import id_column
from podium.begin.templates import template
from podium.step import BadInput

# Folders of the parts: a part of a path, or its beginning.
TRAIN = re.compile(r"(?i)(^|[/_ -])train")
VALIDATION = re.compile(r"(?i)(^|[/_ -])(val|valid|validation|dev)([/_ -]|$)")
LABELLED = re.compile(r"(?P<label>.*?[^\W\d_])(?P<mark>[._ -]*)(?P<number>\d+)")  # cat.12, dog_7, oak-leaf 3
HOLDOUT = 0.2
MOST = 0.95  # of the photos that a pattern has to fit


class Paths(NamedTuple):
    """Patterns of the layout `names` by splits, the labels of the training photos, and what says so."""

    patterns: dict[str, str]
    labels: list[str]
    why: str

    @property
    def layout(self) -> Settings:
        rest: Settings = {} if "test" in self.patterns else {"holdout": HOLDOUT, "seed": 0}
        return {"names": {**self.patterns, **rest}}


def paths(catalogue: Catalogue, sample: Table | None) -> Paths:
    """The patterns of an archive without a table of training photos; raises BadInput if its paths say no labels."""
    made = template(catalogue, sample, id_column(sample), True) if sample else None
    folder = f"{posixpath.dirname(made.text)}/" if made else ""
    parts: dict[str, list[list[str]]] = {}
    for name in _once(catalogue, catalogue.photos):
        part = "test" if made and name.startswith(folder) else _part(posixpath.dirname(name))
        parts.setdefault(part, []).append(name.split("/"))
    tests, validation = parts.pop("test", []), parts.pop("validation", [])
    rest = [each for own in parts.values() for each in own]
    if not rest:
        raise BadInput("no training photos: all photos of the archive are test photos")
    columns = set(sample.header) if sample else set()
    named = parts.get("train", [])
    found = _of_folders(named, columns) or _of_folders(rest, columns) or _of_files(named or rest)
    if not found:
        raise BadInput(
            "no labels: no table lists the photos, there is no folder for each class, and "
            f"'{'/'.join(rest[0])}' says none"
        )
    patterns = found.patterns | _alike(found, "validation", validation) | _alike(found, "test", tests)
    if made:
        patterns["test"] = re.sub("{.*?}", "{id}", made.text)
    return found._replace(patterns=patterns)


def _part(folder: str) -> str:
    """What a folder's name says that its photos are for."""
    parts = {"test": TEST, "validation": VALIDATION, "train": TRAIN}
    return next((part for part, said in parts.items() if said.search(folder)), "")


def _once(catalogue: Catalogue, photos: list[str]) -> list[str]:
    """Without the photos in archives inside the archive, if all of these are there outside of them too."""
    inside = tuple(f"{each}/" for each in catalogue.archives_of(photos))
    plain = [name for name in photos if not name.startswith(inside)] if inside else photos
    there = {posixpath.basename(name) for name in plain}
    return plain if all(posixpath.basename(name) in there for name in photos) else photos


def _of_folders(parts: list[list[str]], columns: set[str]) -> Paths | None:
    """A folder of photos for each class."""
    own, depth = _deep(parts)
    if depth == 0 or len(own) < MOST * len(parts):
        return None
    labels = {level: Counter(each[level] for each in own) for level in _varied(own)}
    if not labels:
        return None
    # Of nested folders the label is the one whose names the sample's columns are, else the outermost one.
    level = max(labels, key=lambda each: (len(columns & set(labels[each])), -each))
    pattern = _pattern(own, level)
    counts = labels[level]
    why = f"{len(counts)} folders of photos, such as '{own[0][level]}' ({min(counts.values())} to "
    why += f"{max(counts.values())} photos in each): a class each (sure)"
    return Paths({"train": pattern}, sorted(counts), why)


def _deep(parts: list[list[str]]) -> tuple[list[list[str]], int]:
    """The paths of the usual depth, and this depth."""
    depth = Counter(len(each) - 1 for each in parts).most_common(1)[0][0] if parts else 0
    return [each for each in parts if len(each) - 1 == depth], depth


def _varied(parts: list[list[str]]) -> list[int]:
    """The levels on which folders differ."""
    folders = zip(*(each[:-1] for each in parts), strict=True)
    return [level for level, names in enumerate(folders) if len(set(names)) > 1]


def _pattern(parts: list[list[str]], label: int | None) -> str:
    """The pattern of paths of one depth, whose folder on the level `label` is the label."""
    varied, last = _varied(parts), len(parts[0]) - 1
    once = len({each[-1] for each in parts}) == len(parts)
    braces = {level: f"{{folder{level}}}" for level in varied} | {last: "{id}" if once else "{file}"}
    if label is not None:
        braces[label] = "{label}"
    return "/".join(braces.get(level, name) for level, name in enumerate(parts[0]))


def _alike(train: Paths, part: str, parts: list[list[str]]) -> dict[str, str]:
    """The pattern of the photos of another part; their folders are labels if they are called like those of training."""
    own, _ = _deep(parts)
    if not own:
        return {}
    level = next((level for level in _varied(own) if {each[level] for each in own} <= set(train.labels)), None)
    if level is None and part == "validation":
        return {}
    return {part: _pattern(own, level)}


def _of_files(parts: list[list[str]]) -> Paths | None:
    """A label in the name of each file, followed by a number."""
    folder = Counter("/".join(each[:-1]) for each in parts).most_common(1)[0][0]
    own = [each[-1] for each in parts if "/".join(each[:-1]) == folder]
    found = [LABELLED.fullmatch(posixpath.splitext(name)[0]) for name in own]
    labels = Counter(each["label"] for each in found if each)
    marks = Counter(each["mark"] for each in found if each)
    if len(own) < MOST * len(parts) or not 2 <= len(labels) <= len(own) / 2 or labels.total() < MOST * len(own):
        return None
    mark = marks.most_common(1)[0][0]
    suffixes = {posixpath.splitext(name)[1] for name in own}
    ending = suffixes.pop() if len(suffixes) == 1 else ".*"
    pattern = f"{folder}/" * bool(folder) + f"{{label}}{mark}{{number}}{ending}"
    shown = " and ".join(f"'{label}'" for label in sorted(labels)[:3])
    why = f"names of photos begin with one of {len(labels)} words, such as {shown}: its label (sure)"
    return Paths({"train": pattern}, sorted(labels), why)
