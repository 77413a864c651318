"""Print what the features of a TFRecord file contain, and draw its first images. Run by hand; no rule uses it."""

import argparse
import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from math import isqrt
from pathlib import Path

import numpy as np

from podium.archives.layouts.tfrecord import Example
from podium.archives.opening import GZIP
from podium.photos import images
from podium.photos.records import Feature, frames
from podium.step import BadInput

SHOWN = 3  # values of each feature
LONGEST = 40  # characters of a text
SIDE, COLUMNS, ROWS = 96, 8, 8


def describe(file: Path, *, picture: Path | None, image: str | None, shape: list[int] | None) -> None:
    """Print what the features of a TFRecord file contain, and draw its first images.

    A line for each feature: its name, its type, how many values of it a record has, how many records have it, and the
    first values. The picture, a PNG, shows up to 64 images of the feature `image`, row by row; without a name, those
    of the first feature that contains encoded images. Pixels need their `shape`: height, width and, if any, colours.
    Raises BadInput, naming the record, if the file is damaged or contains something else.
    """
    forms: Counter[tuple[str, str, int]] = Counter()
    first: dict[str, list[Feature]] = {}
    count = 0
    for count, example in enumerate(_examples(file), 1):  # noqa: B007 (the last number is the count)
        for name, feature in example.features.items():
            forms[name, feature.kind, len(feature.values)] += 1
            if len(seen := first.setdefault(name, [])) < SHOWN:
                seen.append(feature)
    print(f"{file}: {count:,} records")
    _print_columns([["feature", "type", "values", "records", "the first"], *_lines(forms, first)])
    if picture:
        _draw(file, picture, image or _encoded(file, first), shape)


def _examples(file: Path) -> Iterator[Example]:
    if not file.is_file():
        raise BadInput(f"{file}: no such file")
    with file.open("rb") as plain:
        zipped = plain.read(2) == GZIP
    with gzip.open(file) if zipped else file.open("rb") as records:
        try:
            for number, data in enumerate(frames(records, str(file))):
                yield Example(f"{file}: record {number}", data)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadInput(f"{file}: not a complete gzip file ({error})") from error


def _lines(forms: Counter[tuple[str, str, int]], first: dict[str, list[Feature]]) -> Iterator[list[str]]:
    for name, seen in sorted(first.items()):
        own = {(kind, values): records for (feature, kind, values), records in forms.items() if feature == name}
        kinds, values = sorted({kind or "none" for kind, _ in own}), [values for _, values in own]
        span = f"{min(values):,}" + (f" to {max(values):,}" if len(set(values)) > 1 else "")
        yield [name, " or ".join(kinds), span, f"{sum(own.values()):,}", " | ".join(map(_said, seen))]


def _said(feature: Feature) -> str:
    """The first values, and the sides of the image that they may be."""
    said = [_said_bytes(value) if isinstance(value, bytes) else f"{value:.6g}" for value in feature.values[:SHOWN]]
    rest = len(feature.values) - SHOWN
    return ", ".join(said) + (f", … {_said_pixels(len(feature.values))}".rstrip() if rest > 0 else "")


def _said_bytes(value: bytes) -> str:
    try:
        seen = images.examine(value)
        return f"{seen.format} of {seen.width} x {seen.height}"
    except images.Unreadable:
        pass  # a text, then, or pixels
    if len(value) <= LONGEST and (text := value.decode(errors="replace")).isprintable() and "\ufffd" not in text:
        return repr(text)
    return f"{len(value):,} bytes {_said_pixels(len(value))}".rstrip()


def _said_pixels(count: int) -> str:
    """The sides of a square image of so many values, of one or three colours; empty if there is none."""
    for colours in (1, 3):
        side = isqrt(count // colours)
        if side > 1 and colours * side * side == count:
            return f"({side} x {side}{' x 3' * (colours == 3)}?)"
    return ""


def _print_columns(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _encoded(file: Path, first: dict[str, list[Feature]]) -> str:
    """The first feature whose first value is an encoded image."""
    for name, seen in sorted(first.items()):
        if seen[0].kind == "bytes" and len(seen[0].values) == 1:
            try:
                images.examine(bytes(seen[0].values[0]))
                return name
            except images.Unreadable:
                continue
    raise BadInput(f"{file}: no feature contains an encoded image; name one with pixels by --image and --shape")


def _draw(file: Path, picture: Path, name: str, shape: list[int] | None) -> None:
    grid = np.full((ROWS * COLUMNS, SIDE, SIDE, 3), 255, np.uint8)
    drawn = 0
    for example in islice(_examples(file), len(grid)):
        image = example.image(name, shape)
        try:
            grid[drawn] = images.decode(image if isinstance(image, bytes) else images.png(image), SIDE)
        except images.Unreadable as error:
            raise BadInput(f"{example.where}: '{name}' is not an image that can be read ({error})") from error
        drawn += 1
    rows = grid.reshape(ROWS, COLUMNS, SIDE, SIDE, 3)[: -(-drawn // COLUMNS)]
    picture.write_bytes(images.png(np.concatenate(np.concatenate(rows, axis=1), axis=1)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print what the features of a TFRecord file contain.")
    parser.add_argument("file", type=Path, help="a TFRecord file of tf.train.Examples, gzipped or not")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the first images to this file")
    parser.add_argument("--image", metavar="FEATURE", help="the feature with the images; else the first encoded one")
    parser.add_argument("--shape", type=int, nargs="+", metavar="SIDE", help="for pixels: height, width, colours")
    try:
        describe(**vars(parser.parse_args()))
    except BadInput as error:
        sys.exit(f"error: {error}")
