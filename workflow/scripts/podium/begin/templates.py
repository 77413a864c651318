"""How the rows of a table become paths of photos: a template with columns in braces. No TensorFlow."""

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin.catalogue import TEST, Catalogue

SOME = 400  # rows that are looked at
ENOUGH = 0.5  # of the rows have to have a photo
DIFFERENT = 0.1  # of the cells have to be different; a photo may have several rows
MARKED = re.compile(r"[^_. -]*$")  # what follows the last mark in the beginning of several folders' names
PROBED = 5  # cells that are looked for at the ends of all photos' names
PREFERRED = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")  # of photos that exist in two forms


class Template(NamedTuple):
    """A template, the column of it that differs from row to row, and the share of the rows that have a photo.

    `folders` are those that archives have to be unpacked into for their photos to have the paths that cells say.
    """

    text: str
    column: str
    share: float
    folders: dict[str, str]


def template(catalogue: Catalogue, table: Table, first: str | None = None, test: bool = False) -> Template | None:
    """The template by which most rows of this table have photos; None if too few have.

    `first` is the column that is tried before all others. Where a row may mean a photo of the test and one of another
    folder, it means the one of the `test` or not.
    """
    rows = table.rows[:: max(1, len(table.rows) // SOME)][:SOME]
    order = sorted(range(len(table.header)), key=lambda place: table.header[place] != first)
    found = [made for place in order if (made := _of_column(catalogue, table.header, rows, place, test))]
    if not found and (made := _of_several(catalogue, table.header, rows, order[0])):
        return made
    if not found:
        words = _words(catalogue, [row[order[0]] for row in rows])
        found = [made for word in words if (made := _of_column(catalogue, table.header, rows, order[0], test, word))]
        found.sort(key=lambda each: bool(TEST.search(each.text)) != test)
    if not found:
        _few(catalogue, table, rows)
    return max(found, key=lambda each: (each.share, -each.text.count("*")), default=None)


def _words(catalogue: Catalogue, cells: list[str]) -> list[str]:
    """What stands before the cells in names of photos, such as `img_` in `img_7.jpg`; a number is not cut in two."""
    probed = [cell for cell in dict.fromkeys(cells) if cell][:PROBED]
    found = Counter(
        stem.removesuffix(cell)
        for cell in probed
        for stem in catalogue.by_name
        if stem.endswith(cell) and stem != cell and not (stem[-len(cell) - 1] + cell[0]).isalnum()
    )
    return sorted(word for word, count in found.items() if count >= ENOUGH * len(probed))


def _few(catalogue: Catalogue, table: Table, rows: list[list[str]]) -> None:
    """Notes why a table is left out that has photos: too few, or others than its cells say."""
    for place, name in enumerate(table.header):
        cells = [row[place] for row in rows]
        hits = _hits(catalogue, cells)
        if len(set(cells)) < len(rows) * DIFFERENT or not any(hits):
            continue
        if all(hits):
            said = f"'{name}' says '{cells[0]}', but the archive has '{hits[0][0]}'"
        else:
            share, lost = sum(map(bool, hits)) / len(rows), cells[hits.index([])]
            said = f"only {share:.0%} of its rows have a photo: none is called '{lost}', which '{name}' says"
        catalogue.skipped[table.name] = f"{table.name}: {said}"
        return


def _of_column(
    catalogue: Catalogue, header: list[str], rows: list[list[str]], place: int, test: bool, word: str = ""
) -> Template | None:
    """The template of the photos that are called like the cells of a column, each behind the same word."""
    cells = [f"{word}{row[place]}" for row in rows]
    if len(set(cells)) < len(cells) * DIFFERENT:
        return None
    hits = _hits(catalogue, cells)
    if sum(map(bool, hits)) < ENOUGH * len(rows):
        return None
    counts = _preferred(hits)
    chosen = [_best(found, counts, test) for found in hits]
    pairs = [(row, name) for row, name in zip(rows, chosen, strict=True) if name]
    share = len(pairs) / len(rows)
    if folders := _unpacked(catalogue, pairs, place):
        return Template(f"{{{header[place]}}}", header[place], share, folders)
    text = _text(header, pairs, place, word)
    return Template(text, header[place], share, {}) if text else None


def _hits(catalogue: Catalogue, cells: list[str]) -> list[list[str]]:
    """The photos that each cell may mean: those whose paths end in it, if most cells have such ones, else those that
    are called like the last part of it."""
    called = [catalogue.by_name.get(posixpath.basename(cell), []) if cell else [] for cell in cells]
    ending = [[name for name in found if _ends(name, cell)] for cell, found in zip(cells, called, strict=True)]
    return ending if sum(map(bool, ending)) >= ENOUGH * len(cells) else called


def _ends(name: str, cell: str) -> bool:
    return any(f"/{each}".endswith(f"/{cell}") for each in (name, posixpath.splitext(name)[0]))


def _of_several(catalogue: Catalogue, header: list[str], rows: list[list[str]], place: int) -> Template | None:
    """The template of several photos of each row: all in a folder that the cell names, or of names that begin with
    it."""
    pairs = []
    for row in rows:
        if found := catalogue.by_part.get(row[place], []):
            pairs.append((row, min(found)))
    if len(pairs) < ENOUGH * len(rows) or len({row[place] for row in rows}) < len(rows):
        return None
    column, share = f"{{{header[place]}}}", len(pairs) / len(rows)
    in_folder = all(posixpath.basename(posixpath.dirname(name)) == row[place] for row, name in pairs)
    names = [posixpath.dirname(name) if in_folder else name for _, name in pairs]
    folders = [f"{posixpath.dirname(name)}/" if "/" in name else "" for name in names]
    endings = {posixpath.splitext(name)[1] for _, name in pairs}
    last = f"{column}/*"
    ending = endings.pop() if len(endings) == 1 else ".*"
    if not in_folder:
        rests = {posixpath.splitext(posixpath.basename(name))[0].removeprefix(row[place]) for row, name in pairs}
        marks = {rest[:1] for rest in rests}
        several = any(len(catalogue.by_part[row[place]]) > 1 for row, _ in pairs)
        rest = f"{marks.pop() if len(marks) == 1 else ''}*" if several or len(rests) > 1 else rests.pop()
        last = f"{column}{rest}"
    return Template(f"{_folders(header, pairs, folders)}{last}{ending}", header[place], share, {})


def _unpacked(catalogue: Catalogue, pairs: list[tuple[list[str], str]], place: int) -> dict[str, str]:
    """The folder of each archive, if all cells are the paths of photos in archives but for what these are called."""
    found: dict[str, str] = {}
    for row, name in pairs:
        archive = next((each for each in catalogue.contents.archives if name.startswith(f"{each}/")), None)
        if archive is None:
            return {}
        inside = name.removeprefix(archive)
        folder = row[place].removesuffix(inside)
        if folder == row[place] or found.setdefault(archive, folder) != folder:
            return {}
    return found


def _preferred(hits: Sequence[list[str]]) -> Counter[tuple[str, str]]:
    """How often photos stand in each folder with each suffix."""
    return Counter(key for found in hits for key in {_kind(name) for name in found})


def _kind(name: str) -> tuple[str, str]:
    return posixpath.dirname(name), posixpath.splitext(name)[1]


def _best(found: list[str], counts: Counter[tuple[str, str]], test: bool) -> str | None:
    """Of several photos of a row the one of its part, in the usual format, outside of archives, that most rows have
    alike."""

    def rank(name: str) -> tuple[bool, int, bool, int, str]:
        suffix = posixpath.splitext(name)[1].lower()
        usual = PREFERRED.index(suffix) if suffix in PREFERRED else len(PREFERRED)
        return (
            bool(TEST.search(name)) != test,
            usual,
            ".zip/" in name or ".7z/" in name or ".tar" in name,
            -counts[_kind(name)],
            name,
        )

    return min(found, key=rank, default=None)


def _text(header: list[str], pairs: list[tuple[list[str], str]], place: int, word: str) -> str | None:
    """The folders, each the same for all rows, or the cell of a column, or `*`; the word; the cell; and the suffix.
    None if cells are paths that the archive does not have."""
    column, cells = f"{word}{{{header[place]}}}", [f"{word}{row[place]}" for row, _ in pairs]
    names = [name for _, name in pairs]
    whole = all(name.endswith(cell) for name, cell in zip(names, cells, strict=True))
    if whole:  # the cell contains folders and the suffix, or some of them
        folders, last = [name.removesuffix(cell) for name, cell in zip(names, cells, strict=True)], column
        if all(not folder or folder.endswith("/") for folder in folders):
            return _folders(header, pairs, folders) + last
    folders = [f"{posixpath.dirname(name)}/" if "/" in name else "" for name in names]
    lasts = [posixpath.basename(name) for name in names]
    if any("/" in cell for cell in cells):
        return None
    endings = {last.removeprefix(cell) for last, cell in zip(lasts, cells, strict=True)}
    ending = endings.pop() if len(endings) == 1 else ".*"
    return f"{_folders(header, pairs, folders)}{column}{ending}"


def _folders(header: list[str], pairs: list[tuple[list[str], str]], folders: list[str]) -> str:
    """The template of the folders."""
    split = [folder.split("/") for folder in folders]
    if len({len(each) for each in split}) > 1:
        return _common(folders)
    made = []
    for level, parts in enumerate(zip(*split, strict=True)):
        if len(set(parts)) == 1:
            made.append(parts[0])
            continue
        same = [
            name
            for number, name in enumerate(header)
            if all(row[number] == each[level] for (row, _), each in zip(pairs, split, strict=True))
        ]
        made.append(f"{{{same[0]}}}" if same else MARKED.sub("*", posixpath.commonprefix(parts), count=1))
    return "/".join(made)


def _common(folders: list[str]) -> str:
    """Folders of different depths: as deep as most of them."""
    deep = Counter(folder.count("/") for folder in folders).most_common(1)[0][0]
    return "*/" * deep
