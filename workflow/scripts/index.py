"""List every photo with its label, split and part; set aside the photos that cannot be read."""

import hashlib
import posixpath
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podium import SPLITS, images
from podium.archive import Archive
from podium.competition import Table, archive_table, read_sample
from podium.step import BadInput, Output, Progress, log, run
from podium.tables import INDEX_COLUMNS, QUARANTINE_COLUMNS, write_csv

LISTED = ["id", "file", "label", "split", "reason"]


def index(
    source: Path,
    index: Output,
    quarantine: Output,
    *,
    tables: dict[str, Any] | None,
    folders: dict[str, Any] | None,
    sample: str | None,
    strict: bool,
    shards: int,
    threads: int,
) -> None:
    """List every photo with its label, split and part; set aside the photos that cannot be read.

    Either `tables` or `folders` says how the archive is laid out, as in config/README.md. A mismatch
    between tables, sample submission and files raises BadInput, naming the row or the file; with
    `strict` off, rows without a file are set aside and files without a row are left out.
    """
    archive = Archive(source)
    photos = _from_tables(archive, tables, sample, strict) if tables else _from_folders(archive, **(folders or {}))
    photos = _examine(archive, photos, threads)
    readable, unreadable = photos[photos.reason == ""], photos[photos.reason != ""]
    if folders:
        readable = _hold_out(readable, folders["holdout"], folders["seed"])
    _check(readable, unreadable)
    readable = readable.assign(part=_parts(readable.split, shards))
    write_csv(index, readable[INDEX_COLUMNS])
    write_csv(quarantine, unreadable[QUARANTINE_COLUMNS])


def _from_tables(archive: Archive, layout: dict[str, Any], sample: str | None, strict: bool) -> pd.DataFrame:
    """The photos that the tables list, in their order."""
    tables = {split: archive_table(archive, layout[split]["path"]) for split in SPLITS if split in layout}
    if sample:
        read_sample(archive_table(archive, sample), layout["test"]["id"], tables["test"])
    listed = pd.concat(
        [_listed(archive, tables[split], split, layout[split], strict) for split in tables], ignore_index=True
    )
    _check_labels(listed)
    labels = set(listed.label[listed.split == "train"])
    if "validation" in tables:
        for line, label in zip(
            tables["validation"].lines, tables["validation"].column(layout["validation"]["label"]), strict=True
        ):
            if label not in labels:
                raise BadInput(f"{tables['validation'].name}: line {line}: no training photo has the label '{label}'")
    _check_unlisted(archive, listed, strict)
    return listed


def _check_labels(listed: pd.DataFrame) -> None:
    """One file has one label, in whichever table it stands."""
    labelled = listed[listed.label != ""]
    twice = labelled[labelled.groupby("file").label.transform("nunique") > 1]
    if len(twice):
        own = twice[twice.file == twice.file.iloc[0]]
        labels = " and ".join(f"'{label}' ({split})" for label, split in zip(own.label, own.split, strict=True))
        raise BadInput(f"'{own.file.iloc[0]}' has two labels: {labels}")


def _listed(archive: Archive, table: Table, split: str, spec: dict[str, str], strict: bool) -> pd.DataFrame:
    """The rows of one table, each checked."""
    ids = table.column(spec["id"])
    labels = table.column(spec["label"]) if "label" in spec else [""] * len(ids)
    files = _files(table, spec["image"])
    rows: list[list[str]] = []
    seen_ids: dict[str, int] = {}
    seen_files: dict[str, int] = {}
    for number, (line, key, label, file) in enumerate(zip(table.lines, ids, labels, files, strict=True)):
        where = f"{table.name}: line {line}"
        if not key or ("label" in spec and not label):
            raise BadInput(f"{where}: the {'id' if not key else 'label'} is empty")
        if "\n" in key + label or "\r" in key + label:
            raise BadInput(f"{where}: a line break in '{key}' or its label")
        first = min(seen_ids.setdefault(key, number), seen_files.setdefault(file, number))
        if first < number:
            other = f"'{labels[first]}' in line {table.lines[first]} and '{label}'"
            fault = "stands there twice" if labels[first] == label else f"has two labels, {other}"
            raise BadInput(f"{where}: '{key}' {fault}")
        if strict and file not in archive:
            raise BadInput(f"{where}: '{file}' is not in the archive (`strict: false` sets such rows aside)")
        rows.append([key, file, label, split, "" if file in archive else "not in the archive"])
    return pd.DataFrame(rows, columns=LISTED)


def _files(table: Table, template: str) -> list[str]:
    """The template with each row's cells in place of the columns that it names in braces."""
    pieces = re.split(r"{(.*?)}", template)  # text and column names in turn
    columns = [table.column(piece) if place % 2 else [piece] * len(table.rows) for place, piece in enumerate(pieces)]
    return [unicodedata.normalize("NFC", "".join(cells)) for cells in zip(*columns, strict=True)]


def _check_unlisted(archive: Archive, listed: pd.DataFrame, strict: bool) -> None:
    """A photo beside the listed ones that no table lists is a mistake in a table or in the competition file."""
    folders, files = {posixpath.dirname(file) for file in listed.file}, set(listed.file)
    unlisted = [
        name
        for name in archive.names()
        if posixpath.dirname(name) in folders
        and posixpath.splitext(name)[1].lower() in images.SUFFIXES
        and name not in files
    ]
    if unlisted and strict:
        others = f"this file, nor for {len(unlisted) - 1} others" if len(unlisted) > 1 else "this file"
        raise BadInput(f"{unlisted[0]}: no table has a row for {others} (`strict: false` leaves them out)")
    if unlisted:
        log.warning("left out %d files that no table has a row for, such as %s", len(unlisted), unlisted[0])


def _from_folders(archive: Archive, path: str, **_: Any) -> pd.DataFrame:
    """Every file in a folder below `path`, labelled with that folder's name."""
    root = f"{path.strip('/')}/" if path.strip("/.") else ""
    inside = [name for name in archive.names() if name.startswith(root) and "/" in name.removeprefix(root)]
    if not inside:
        raise BadInput(f"folders.path: no folder of photos below '{root}' in the archive")
    rows = [[name.removeprefix(root), name, name.removeprefix(root).partition("/")[0], "train", ""] for name in inside]
    return pd.DataFrame(rows, columns=LISTED)


def _examine(archive: Archive, photos: pd.DataFrame, threads: int) -> pd.DataFrame:
    """Adds width, height, format and digest, or the reason why a file cannot be read."""
    progress = Progress(len(photos), "photos")

    def examine(file: str, reason: str) -> tuple[int, int, str, str, str]:
        progress.update(1)
        if reason:
            return 0, 0, "", "", reason
        try:
            data = archive.read(file)
            return *images.examine(data), hashlib.sha256(data).hexdigest(), ""
        except (images.Unreadable, BadInput) as error:
            return 0, 0, "", "", str(error)

    with progress, ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(examine, photos.file, photos.reason))
    columns = ["width", "height", "format", "digest", "reason"]
    return photos.assign(**dict(zip(columns, zip(*found, strict=True), strict=True)))


def _hold_out(photos: pd.DataFrame, fraction: float, seed: int) -> pd.DataFrame:
    """Moves a seeded fraction of each class to the test part.

    Copies of one photo stay together; a photo under several labels stays with the training photos.
    """
    random = np.random.default_rng(seed)
    plain = photos.groupby("digest").label.transform("nunique") == 1
    held: set[str] = set()
    for _, own in photos[plain].drop_duplicates("digest").groupby("label"):
        count = min(round(fraction * len(own)), len(own) - 1)
        held.update(random.permutation(own.digest)[:count])
    if not held:
        raise BadInput(f"folders.holdout: a share of {fraction} of each class is less than one photo")
    split = np.where(photos.digest.isin(held), "test", "train")
    # The training photos stand first, as they do where tables list them.
    return photos.assign(split=split).sort_values("split", ascending=False, kind="stable")


def _check(readable: pd.DataFrame, unreadable: pd.DataFrame) -> None:
    """Stops where nothing can be learned; warns of what a competitor should know."""
    train = readable[readable.split == "train"]
    if train.label.nunique() < 2:
        first = (
            f"; the first that cannot: {unreadable.file.iloc[0]} ({unreadable.reason.iloc[0]})"
            if len(unreadable)
            else ""
        )
        found = f"{train.label.nunique()} classes among the {len(train)} training photos that can be read"
        raise BadInput(f"{found}, two are needed{first}")
    for label in sorted(set(unreadable.label[unreadable.split == "train"]) - set(train.label)):
        log.warning("WARNING: no training photo of '%s' can be read: that class is lost", label)
    for split, own in unreadable.groupby("split"):
        fate = "get the training prior in the submission" if split == "test" else "are left out"
        log.warning(
            "WARNING: %d %s photos cannot be read and %s: see quarantine.csv; the first is %s (%s)",
            len(own),
            split,
            fate,
            own.file.iloc[0],
            own.reason.iloc[0],
        )
    for split in ("validation", "test"):
        copies = readable[(readable.split == split) & readable.digest.isin(train.digest)]
        if len(copies):
            log.warning(
                "WARNING: %d %s photos are also training photos, such as %s", len(copies), split, copies.file.iloc[0]
            )
    conflicts = train.groupby("digest").label.nunique()
    if (conflicts > 1).any():
        file = train.file[train.digest == conflicts[conflicts > 1].index[0]].iloc[0]
        log.warning("WARNING: %d training photos stand under several labels, such as %s", (conflicts > 1).sum(), file)
    log.info(
        "%d classes; %s",
        train.label.nunique(),
        ", ".join(f"{count} {split}" for split, count in readable.split.value_counts(sort=False).items()),
    )


def _parts(splits: pd.Series, shards: int) -> pd.Series:
    """Which part each photo goes to: every split is cut into as many runs of equal length as there are shards."""
    position, size = splits.groupby(splits).cumcount(), splits.groupby(splits).transform("size")
    return splits + "-" + (position * shards // size).astype(str)


if __name__ == "__main__":
    run(index)
