"""What an archive contains, by kinds: photos, tables, texts, and the archives inside it. No TensorFlow."""

import json
import posixpath
import re
from collections import Counter
from functools import cached_property
from pathlib import Path

from podium.archives.delimited import Table, archive_table
from podium.archives.unpacking import Contents
from podium.photos import images
from podium.step import BadInput

TABLES, TEXTS = (".csv", ".tsv", ".json"), (".md", ".txt", ".html", ".rst")
OTHER_TABLES = (".parquet", ".feather", ".xlsx", ".xls", ".h5", ".hdf5", ".npy", ".npz", ".pkl", ".bson", ".mat")
LARGEST_TABLE, LARGEST_TEXT = 1 << 30, 1 << 20
READ = 40  # photos
TEST = re.compile(r"(?<![A-Za-z])(?i:test)|(?<=[a-z])Test")  # in the names of files and folders of the test
MASKS = re.compile(r"(?i)(^|[_ -])(masks?|labels?|annotations?|segmentations?|ground_?truth)([_ -]|$)")  # folders
PREFIX = re.compile(r"[_-][^_-]*$")  # what tells the photos of one id apart, at the end of their names


class Catalogue:
    """The files of an archive and of the archives inside it."""

    def __init__(self, path: Path) -> None:
        self.contents = Contents(path)
        self.names = self.contents.names()
        photos = [name for name in self.names if _suffix(name) in images.SUFFIXES]
        self.masks = _masks(photos)
        self.photos = [name for name in photos if posixpath.dirname(name) not in self.masks]
        # What looks like a table, and why it is not read.
        self.skipped = {
            name: f"{name}: tables are read from {', '.join(TABLES)} only"
            for name in self.names
            if _suffix(name) in OTHER_TABLES
        }

    @cached_property
    def tables(self) -> list[Table]:
        """All tables that can be read."""
        found = []
        for name in self.names:
            if _suffix(name) in TABLES and self.contents.size(name) <= LARGEST_TABLE:
                try:
                    found.append(self._table(name))
                except BadInput as error:
                    self.skipped[name] = str(error)
        return found

    def _table(self, name: str) -> Table:
        table = archive_table(self.contents, name)
        if photo := next((cell for cell in table.header if cell in self.by_name and any(map(str.isdigit, cell))), None):
            raise BadInput(f"{name}: has no header: its first line names the photo '{photo}'")
        return table

    @cached_property
    def maps(self) -> list[set[str]]:
        """What the JSON files name that say one text for each key: the keys and the texts of each."""
        found = []
        for name in self.names:
            if _suffix(name) == ".json" and self.contents.size(name) <= LARGEST_TEXT:
                try:
                    said = json.loads(self.contents.read(name))
                except (ValueError, RecursionError):
                    continue  # `tables` says so
                if isinstance(said, dict) and all(isinstance(each, str | int) for each in said.values()):
                    found.append({*said, *map(str, said.values())})
        return found

    @cached_property
    def texts(self) -> dict[str, str]:
        """Texts that may describe the contest."""
        names = [name for name in self.names if _suffix(name) in TEXTS and self.contents.size(name) <= LARGEST_TEXT]
        return {name: self.contents.read(name).decode("utf-8", "replace") for name in names}

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """The photos by the last parts of their paths, with and without the suffix."""
        found: dict[str, list[str]] = {}
        for name in self.photos:
            last = posixpath.basename(name)
            for key in {last, posixpath.splitext(last)[0]}:
                found.setdefault(key, []).append(name)
        return found

    @cached_property
    def by_part(self) -> dict[str, list[str]]:
        """The photos by the folders that they stand in, and by what stands before the last mark in their names."""
        found: dict[str, list[str]] = {}
        for name in self.photos:
            folder, last = posixpath.split(name)
            for key in {posixpath.basename(folder), PREFIX.sub("", posixpath.splitext(last)[0])} - {""}:
                found.setdefault(key, []).append(name)
        return found

    def archives_of(self, names: list[str]) -> list[str]:
        """The archives inside this one that contain any of these files, outer ones first."""
        return [each for each in self.contents.archives if any(name.startswith(f"{each}/") for name in names)]

    def seen(self, photos: list[str]) -> str:
        """What some of these photos are like, in words; raises BadInput if none can be read."""
        chosen = photos[:: max(1, len(photos) // READ)][:READ]
        sizes, kinds, lost = list[tuple[int, int]](), Counter[str](), list[str]()
        for name in chosen:
            try:
                found = images.examine(self.contents.read(name))
                sizes.append((found.width, found.height))
                kinds[found.format] += 1
            except (images.Unreadable, BadInput) as error:
                lost.append(f"{name}: {error}")
        if not sizes:
            raise BadInput(f"no photo can be read: {lost[0]}")
        widths, heights = (sorted(side) for side in zip(*sizes, strict=True))
        ends = [f"{side[0]} to {side[-1]}" if side[0] < side[-1] else str(side[0]) for side in (widths, heights)]
        said = f"{' x '.join(ends)} pixels, {' and '.join(kinds)}"
        return said + (f"; {len(lost)} of {len(chosen)} cannot be read ({lost[0]})" if lost else "")


def _masks(photos: list[str]) -> dict[str, list[str]]:
    """The images by their folders, of folders that are called so that they hold masks of photos in other folders."""
    found: dict[str, list[str]] = {}
    for name in photos:
        if MASKS.search(posixpath.basename(posixpath.dirname(name))):
            found.setdefault(posixpath.dirname(name), []).append(name)
    others = {_stem(name) for name in photos if posixpath.dirname(name) not in found}
    return {folder: own for folder, own in found.items() if sum(_stem(name) in others for name in own) > len(own) / 2}


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
