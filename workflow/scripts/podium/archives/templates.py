"""Which files of an archive the rows of a table mean: templates with column names in braces, and `*`. No TensorFlow."""

import posixpath
import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import cached_property

from podium.archives.delimited import Table
from podium.archives.opening import Archive, member_name
from podium.photos import images
from podium.step import BadInput, log

STAR = "*"  # any text without a slash
ANY = ".*"  # at the end of a template: any suffix of a photo
MARK = "\uffff"  # a template's `*` in a name, since a cell may contain one too; no text contains this
LAST = "\U0010ffff"  # behind all other characters


def files(archive: Archive, table: Table, template: str, strict: bool) -> list[list[str]]:
    """Each row's files in alphabetical order; what the row asks for, if nothing in the archive fits it.

    There are several only if the template has a `*` in the last part of its path. If two fit any other template, this
    raises BadInput, naming the row, or, if not `strict`, warns and takes the first.
    """
    rows = named(table, template)
    if STAR not in (bare := re.sub("{.*?}", "", template)):
        return [[name] for name in rows]
    there, several = Names(archive, bare), STAR in posixpath.basename(bare).removesuffix(ANY)
    found, taken = [], 0
    for line, name in zip(table.lines, rows, strict=True):
        fitting = there.fitting(name) or [said(name)]
        if len(fitting) > 1 and not several:
            taken += 1
            if strict:
                both = f"'{fitting[0]}' and '{fitting[1]}' both fit '{said(name)}'"
                raise BadInput(f"{table.name}: line {line}: {both} (`strict: false` takes the first)")
        found.append(fitting if several else fitting[:1])
    if taken:
        log.warning("WARNING: %s: several photos fit each of %d rows; the first is taken", table.name, taken)
    return found


def named(table: Table, template: str) -> list[str]:
    """The template for each row, with the row's cells in place of the column names, and a MARK for each `*`."""
    pieces = re.split(r"{(.*?)}", template)  # text and column names in turn
    columns = [
        table.column(piece, "`image`") if place % 2 else [piece.replace(STAR, MARK)] * len(table.rows)
        for place, piece in enumerate(pieces)
    ]
    return [member_name("".join(cells)) for cells in zip(*columns, strict=True)]


def said(name: str) -> str:
    """A name as people write it."""
    return name.replace(MARK, STAR)


def photos(archive: Archive) -> dict[str, list[str]]:
    """The photos of the archive by their names without suffix, each list in alphabetical order."""
    found: dict[str, list[str]] = {}
    for name in archive.names():
        stem, suffix = posixpath.splitext(name)
        if suffix.lower() in images.SUFFIXES:
            found.setdefault(stem, []).append(name)
    return found


class Names:
    """The archive's names, by what a template's rows ask for; a template that ends in `*` asks for photos only."""

    def __init__(self, archive: Archive, template: str) -> None:
        self._suffix = ANY.replace(STAR, MARK) if template.endswith(ANY) else ""
        if self._suffix:
            self._files = photos(archive)
        else:
            names = [name for own in photos(archive).values() for name in own]
            self._files = {name: [name] for name in (names if template.endswith(STAR) else archive.names())}

    def fitting(self, name: str) -> list[str]:
        """The files that fit a name with MARKs, in alphabetical order."""
        name = name.removesuffix(self._suffix)
        if MARK not in name:
            return self._files.get(name, [])
        return sorted(file for each in self._candidates(name) if _fits(each, name) for file in self._files[each])

    def _candidates(self, name: str) -> Iterable[str]:
        """Few names, among which are all that fit: those that share the rarest text between two MARKs.

        It stands at the end of a name or, if it begins with a folder's or a file's name, behind a slash.
        """
        first, *others = name.split(MARK)
        ranges = [_beginning(self._tails, text) for text in (first, *(each.partition("/")[2] for each in others))]
        order, start, stop = min(
            [*ranges, _beginning(self._turned, others[-1][::-1])], key=lambda found: found[2] - found[1]
        )
        return dict.fromkeys(each for _, each in order[start:stop])

    @cached_property
    def _tails(self) -> list[tuple[str, str]]:
        """Each name and what stands behind each of its slashes, with the name, sorted."""
        starts = ((name, at) for name in self._files for at in (0, *(found.end() for found in re.finditer("/", name))))
        return sorted((name[at:], name) for name, at in starts)

    @cached_property
    def _turned(self) -> list[tuple[str, str]]:
        """Each name from its end, with the name, sorted."""
        return sorted((name[::-1], name) for name in self._files)


def _beginning(order: list[tuple[str, str]], text: str) -> tuple[list[tuple[str, str]], int, int]:
    """Where in this order the entries stand that begin with a text."""
    return order, bisect_left(order, (text,)), bisect_left(order, (text + LAST,))


def _fits(name: str, pattern: str) -> bool:
    """Whether a name is the pattern with any text but slashes in the place of its MARKs."""
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(_part_fits, parts, wanted))


def _part_fits(part: str, pattern: str) -> bool:
    first, *others = pattern.split(MARK)
    if not others:
        return part == pattern
    *middle, last = others
    if not (part.startswith(first) and part.endswith(last) and len(part) >= len(first) + len(last)):
        return False
    rest = part[len(first) : len(part) - len(last)]
    for text in middle:
        _, there, rest = rest.partition(text) if text else ("", " ", rest)
        if not there:
            return False
    return True
