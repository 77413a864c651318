"""A submission with a row for each pixel: the sample read, the rows written and checked photo by photo. No TensorFlow.

A row is an id of a photo with the row and the column of a pixel in it, and its value, 0 for black to 1 for white.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podium.step import BadInput
from podium.tasks.cells import PixelIds, Sample

VALUES = [f"{value / 255:.4f}".rstrip("0").rstrip(".") for value in range(256)]  # apart by more than they are rounded


def read_sample(name: str, data: bytes, template: str, sizes: dict[str, tuple[int, int]]) -> Sample:
    """The sample, whose rows must be all pixels of the test photos, of these sizes, one photo after the other.

    The first rows say whether they go along the rows or down the columns, and whether they count from 0 or 1. Raises
    BadInput, naming the line, for any other row.
    """
    header, *lines = data.decode("utf-8-sig").splitlines()
    delimiter = next((mark for mark in ("\t", ";") if mark in header), ",")
    columns, fits = header.split(delimiter), re.compile(_pattern(template))
    if len(columns) != 2:
        raise BadInput(f"{name}: line 1: {len(columns)} columns, but a row for each pixel has an id and a value")
    asked, at = dict[str, tuple[int, int]](), 0
    ids, decided = PixelIds(template, True, 0), False
    while at < len(lines):
        found = fits.fullmatch(key := lines[at].partition(delimiter)[0])
        if not found or found["id"] not in sizes:
            like = f"'{next(iter(sizes))}' in '{template}'"
            raise BadInput(f"{name}: line {at + 2}: '{key}' is no pixel of a test photo, such as {like}")
        if (photo := found["id"]) in asked:
            raise BadInput(f"{name}: line {at + 2}: the pixels of '{photo}' stand apart from its others")
        asked[photo] = sizes[photo]
        ids = ids if at else ids._replace(first=int(found["row"]))
        if not decided and min(sizes[photo]) > 1:  # others are the same both ways
            second = fits.fullmatch(lines[at + 1].partition(delimiter)[0]) if at + 1 < len(lines) else None
            ids, decided = ids._replace(by_rows=second is None or second["row"] == found["row"]), True
        for wanted in _ids(ids, photo, *sizes[photo]):
            there = lines[at].partition(delimiter)[0] if at < len(lines) else "the end"
            if there != wanted:
                raise BadInput(f"{name}: line {at + 2}: '{there}', but '{wanted}' is the next pixel of {photo}")
            at += 1
    if missing := sizes.keys() - asked.keys():
        raise BadInput(f"{name}: no pixel of the test photo '{min(missing)}'")
    return Sample(name, columns, [*asked], 0, delimiter, "\n", "utf-8", tuple(asked.values()), ids)


def _pattern(template: str) -> str:
    pieces = re.split(r"{(.+?)}", template)
    return "".join(
        re.escape(piece) if place % 2 == 0 else f"(?P<{piece}>.+)" if piece == "id" else f"(?P<{piece}>[0-9]+)"
        for place, piece in enumerate(pieces)
    )


def _ids(ids: PixelIds, photo: str, width: int, height: int) -> Iterator[str]:
    before, first, between, _, after = re.split(r"{(row|column)}", ids.template.replace("{id}", photo))
    lengths = {"row": height, "column": width}
    texts = {name: [*map(str, range(ids.first, ids.first + length))] for name, length in lengths.items()}
    slow, fast = ("row", "column") if ids.by_rows else ("column", "row")
    for outer in texts[slow]:
        for inner in texts[fast]:
            one, other = (outer, inner) if first == slow else (inner, outer)
            yield f"{before}{one}{between}{other}{after}"


def write(path: Path, sample: Sample, pictures: Iterable[NDArray[np.uint8]]) -> None:
    """Writes the values of these pictures, uint8 [height, width], in the order of the sample."""
    assert sample.pixels
    with path.open("w", encoding=sample.encoding, newline="") as file:
        file.write(sample.delimiter.join(sample.header) + sample.newline)
        for photo, (width, height), picture in zip(sample.ids, sample.sizes, pictures, strict=True):
            values = picture.ravel("C" if sample.pixels.by_rows else "F").tolist()
            keys = _ids(sample.pixels, photo, width, height)
            file.writelines(
                f"{key}{sample.delimiter}{VALUES[value]}{sample.newline}"
                for key, value in zip(keys, values, strict=True)
            )


def check(name: str, path: Path, sample: Sample) -> None:
    """Raises BadInput, naming the line, unless the file has these rows and no others, with values of 0 to 1."""
    assert sample.pixels
    with path.open(encoding=sample.encoding, newline="") as file:
        if file.readline().rstrip("\n") != (header := sample.delimiter.join(sample.header)):
            raise BadInput(f"{name}: line 1: the header is not that of {sample.name}, {header!r}")
        pairs = zip(sample.ids, sample.sizes, strict=True)
        asked = chain.from_iterable(_ids(sample.pixels, photo, *size) for photo, size in pairs)
        for line, wanted in enumerate(asked, 2):
            key, _, value = file.readline().rstrip("\n").partition(sample.delimiter)
            if key != wanted or not _is_share(value):
                raise BadInput(f"{name}: line {line}: '{key}' with '{value}', but '{wanted}' needs 0 to 1")
        if rest := file.readline():
            raise BadInput(f"{name}: '{rest.rstrip()}' is one row more than in {sample.name}")


def _is_share(value: str) -> bool:
    try:
        return 0 <= float(value) <= 1
    except ValueError:
        return False
