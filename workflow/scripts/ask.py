"""Determine what a submission must look like, before anything is trained."""

from pathlib import Path
from typing import Any

import pandas as pd

from podium import tasks
from podium.archives.delimited import archive_table
from podium.archives.opening import Archive
from podium.predictions import pixel_rows
from podium.predictions.submission import read_sample, write_asked
from podium.step import BadInput, Output, log, run
from podium.tables import read_csv
from podium.tasks.cells import Form, Sample


def ask(
    source: Path,
    index: Path,
    quarantine: Path,
    asked: Output,
    *,
    task: dict[str, Any],
    tables: dict[str, Any] | None,
    sample: str | None,
    ids: str,
    form: str,
    top: int,
    separator: str | None,
    decimals: int | None,
    pixel: str,
) -> None:
    """Determine what a submission must look like, before anything is trained.

    Without a sample submission, it must have the test table's ids in that table's order and form, and without tables
    all test photos, as `id,label`. `task` is the task's name with its settings and the metric. If `ids` is `test`, the
    test photos' ids replace the sample's. `form` is `labels`, `probability` of the positive class, `probabilities` or
    `top`: the `top` most likely labels with `separator` (by default the task's) between them, or in a column each if
    the sample has these. Numbers have at most so many `decimals`. `runs` are the run lengths of a mask; `pixels` is a
    row for each pixel, which is called `pixel`, with the id, the row and the column in braces. A sample that does not
    fit the test photos, the classes or the form raises BadInput, naming the row or the column.
    """
    photos, target = read_csv(index), tasks.task(task)
    labels, wanted = target.taught(photos), Form(form, top, separator or target.separator, decimals)
    photos = pd.concat([photos, read_csv(quarantine)])
    if form == "pixels":
        found = _asked_of_pixels(Archive(source), photos, sample, pixel)
    else:
        found = _asked(Archive(source), photos, tables, sample, ids, target.columns(form, labels))
    target.check_form(found, wanted, labels)
    if separator and form == "top" and len(found.columns) == wanted.labels:
        raise BadInput(f"submission.separator: {found.name} has a column for each label; leave it out")
    _warn_of_unknown(found, wanted, labels)
    if tasks.TASKS[target.name].dense:
        found = found._replace(sizes=_sizes(photos, found.ids))
    write_asked(asked, _encodable(found, labels), wanted, labels)
    log.info("%s: %s", found.name, ", ".join(found.header))


def _asked(
    archive: Archive,
    photos: pd.DataFrame,
    tables: dict[str, Any] | None,
    sample: str | None,
    ids: str,
    columns: list[str] | None,
) -> Sample:
    """The sample, or one made from the test photos, with these columns, or if None one for the labels."""
    if tables is None:
        tests = photos[photos.split == "test"]
        called, column, label = "the test photos", "id", "label"
        test, form = dict(zip(tests.id, tests.file, strict=True)), (",", "\n", "utf-8")
    else:
        table = archive_table(archive, tables["test"]["path"])
        called, column = table.name, tables["test"]["id"]
        label = named if isinstance(named := tables["train"].get("label"), str) else "label"
        lines = zip(table.column(column, "tables.test.id"), table.lines, strict=True)
        test = {key: f"{table.name}: line {line}" for key, line in lines}
        form = table.delimiter, table.newline, table.encoding
    if sample:
        return read_sample(archive_table(archive, sample), column, test, called, ids)
    return Sample(called, [column, *(columns or [label])], list(test), 0, *form)


def _asked_of_pixels(archive: Archive, photos: pd.DataFrame, sample: str | None, pixel: str) -> Sample:
    tests = photos.id[photos.split == "test"].drop_duplicates().tolist()
    if sample is None:
        raise BadInput("submission.sample: a row for each pixel needs a sample, which says in which order")
    sizes = dict(zip(tests, _sizes(photos, tests), strict=True))
    return pixel_rows.read_sample(sample, archive.read(sample), pixel, sizes)


def _sizes(photos: pd.DataFrame, ids: list[str]) -> tuple[tuple[int, int], ...]:
    """The width and the height of each photo; of one that cannot be read those of most others."""
    tests = photos[(photos.split == "test") & (photos.width > 0)].drop_duplicates("id")
    sides = list(zip(tests.width.astype(int), tests.height.astype(int), strict=True))
    known, usual = dict(zip(tests.id, sides, strict=True)), max(sides, key=sides.count)
    return tuple(known.get(key, usual) for key in ids)


def _warn_of_unknown(sample: Sample, form: Form, labels: list[str]) -> None:
    """Warns of classes without training photos, which are never predicted: their columns contain zeros."""
    unknown = [column for column in sample.columns if column not in labels]
    if form.kind == "probabilities" and unknown:
        said = ", ".join(f"'{column}'" for column in unknown[:3]) + ", …" * (len(unknown) > 3)
        log.warning("WARNING: %s: no training photo of %s: the probability will be 0", sample.name, said)


def _encodable(sample: Sample, labels: list[str]) -> Sample:
    """The sample, in UTF-8 if its own encoding lacks a character of a label or an id."""
    try:
        "".join([*labels, *sample.ids]).encode(sample.encoding)
        return sample
    except UnicodeEncodeError as error:
        lacks, own = error.object[error.start], sample.encoding
        log.warning("WARNING: %s is %s, which lacks '%s': the submission will be UTF-8", sample.name, own, lacks)
        return sample._replace(encoding="utf-8")


if __name__ == "__main__":
    run(ask)
