"""Which table of an archive is what: the sample submission, and the lists of training, test and validation photos.

No TensorFlow.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from podium.archives.delimited import Table
from podium.begin.catalogue import TEST, Catalogue
from podium.begin.templates import Template, template

SAMPLE = re.compile(r"sample|submission|submit|benchmark", re.IGNORECASE)
TRAIN, VALIDATION = re.compile(r"train|label", re.IGNORECASE), re.compile(r"val|dev", re.IGNORECASE)
MOST = 0.9  # of the ids that two tables share, to be of the same photos


class Listing(NamedTuple):
    """A table with a row for each photo, and how a row becomes a photo."""

    table: Table
    template: Template


class Roles(NamedTuple):
    """The tables by what they are for; `asked` are the sample's ids and `asked_in` its column of them."""

    sample: Table | None
    train: Listing | None
    validation: Listing | None
    test: Listing | None
    test_id: str
    others: list[Table]

    @property
    def asked(self) -> list[str]:
        return self.sample.column(id_column(self.sample)) if self.sample else []


def roles(catalogue: Catalogue) -> Roles:
    """Who is who, by names of files, by ids that tables share, and by which rows have photos."""
    tables = catalogue.tables
    sample = _sample(tables)
    asked = set(sample.column(id_column(sample))) if sample else set()
    first = id_column(sample) if sample else None
    listings = [
        Listing(table, made)
        for table in tables
        if table is not sample and (made := template(catalogue, table, first, _of_test(table)))
    ]
    test, test_id = _test(catalogue, listings, sample, asked)
    rest = [each for each in listings if each is not test and not (test and _same(each.table, test.table))]
    least = 1 if catalogue.masks else 2  # columns: masks beside the photos are all that is to be learned
    rest = [each for each in rest if len(each.table.header) >= least and not (test and _is_of(each, test, asked))]
    train = max(rest, key=_train_rank, default=None)
    validation = next((each for each in rest if each is not train and train and _is_validation(each, train)), None)
    used = [sample, *(each.table for each in (train, validation, test) if each)]
    return Roles(sample, train, validation, test, test_id, [table for table in tables if table not in used])


def id_column(sample: Table) -> str:
    """The sample's first column whose cells are all different, unless another such column is called id."""
    different = [name for name in sample.header if len(set(sample.column(name))) == len(sample.rows)]
    named = [name for name in different if re.fullmatch(r"(?i)(row)?_?id", name)]
    return [*named, *different, *sample.header][0]


def _sample(tables: list[Table]) -> Table | None:
    wide = [table for table in tables if len(table.header) > 1]
    named = [table for table in wide if SAMPLE.search(_last(table))]
    found = named or [table for table in wide if _holds_places(table, wide)]
    return min(found, key=lambda table: (not re.search("(?i)sample", _last(table)), len(table.name)), default=None)


def _holds_places(table: Table, tables: list[Table]) -> bool:
    """Whether all rows say the same next to their ids, in columns that another table has too."""
    if len(table.rows) < 2 or not any(set(table.header) <= set(each.header) for each in tables if each is not table):
        return False
    return all(len(set(table.column(name))) == 1 for name in table.header if name != id_column(table))


def _last(table: Table) -> str:
    return table.name.rpartition("/")[2]


def _of_test(table: Table) -> bool:
    """Whether a table's name says that its photos are those of the test."""
    return bool(TEST.search(table.name)) and not TRAIN.search(_last(table))


def _test(
    catalogue: Catalogue, listings: list[Listing], sample: Table | None, asked: set[str]
) -> tuple[Listing | None, str]:
    """The table of the test photos and its column of ids: the one with the sample's ids, else the sample itself."""
    if sample is None:
        named = [each for each in listings if _of_test(each.table)]
        return (named[0], named[0].template.column) if named else (None, "")
    free = [each for each in listings if not _teaches(each.table, sample)]
    exact = [(each, column) for each in free for column in each.table.header if set(each.table.column(column)) == asked]
    own = template(catalogue, sample, id_column(sample), True)
    alike = [] if own and own.share == 1 else [found for each in free if (found := _alike(each, asked))]
    for each, column in exact or alike:
        made = template(catalogue, each.table, id_column(sample), True)
        return Listing(each.table, made or each.template), column
    return (Listing(sample, own) if own else None), id_column(sample)


def _teaches(table: Table, sample: Table) -> bool:
    """Whether a table contains what the sample asks for, and is not called a test's."""
    return not _of_test(table) and (bool(TRAIN.search(_last(table))) or set(sample.header) <= set(table.header))


def _alike(listing: Listing, asked: set[str]) -> tuple[Listing, str] | None:
    """The column of a table with the sample's ids, if these differ only in the suffix."""
    stems = {_stem(key) for key in asked}
    for column in listing.table.header:
        if {_stem(cell) for cell in listing.table.column(column)} == stems:
            return listing, column
    return None


def _is_of(listing: Listing, test: Listing, asked: set[str]) -> bool:
    """Whether most of its photos are those that are asked for."""
    cells = set(listing.table.column(listing.template.column))
    same = listing.template.text.partition("{")[0] == test.template.text.partition("{")[0]
    return same and len(cells & asked) > MOST * len(cells)


def _same(first: Table, second: Table) -> bool:
    return first.header == second.header and first.rows == second.rows


def _train_rank(listing: Listing) -> tuple[bool, bool, bool, int, int]:
    last = _last(listing.table)
    repeated = len(set(listing.table.column(listing.template.column))) < len(listing.table.rows)
    named = bool(TRAIN.search(last)) and not VALIDATION.search(last)
    return named, not repeated, "annotation" not in last or "json" in last, len(listing.table.rows), -len(last)


def _is_validation(listing: Listing, train: Listing) -> bool:
    last = _last(listing.table)
    return bool(VALIDATION.search(last)) and set(train.table.header) <= set(listing.table.header)


def _stem(name: str) -> str:
    return re.sub(r"\.(jpe?g|png|tiff?|bmp|gif|webp|dcm)$", "", name, flags=re.IGNORECASE)


def integers(cells: Iterable[str]) -> bool:
    """Whether all of these are whole numbers, written as such."""
    return all(re.fullmatch(r"[+-]?\d+(\.0+)?", cell.strip()) for cell in cells)


def numbers(cells: Iterable[str]) -> bool:
    """Whether all of these are numbers."""
    return all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", cell.strip()) for cell in cells)
