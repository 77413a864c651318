"""Read what a submission has to look like, before anything is trained."""

from pathlib import Path
from typing import Any

from podium.archive import Archive
from podium.competition import Form, Sample, archive_table, check_form, read_sample, write_asked
from podium.step import Output, log, run
from podium.tables import classes, read_csv


def ask(
    source: Path,
    index: Path,
    asked: Output,
    *,
    tables: dict[str, Any] | None,
    sample: str | None,
    ids: str,
    form: str,
    top: int,
    separator: str,
) -> None:
    """Read what a submission has to look like, before anything is trained.

    Without a sample submission the test table's ids are asked for in its order and form, and without tables all
    test photos, as `id,label`; with `ids` as `test` the test table's ids stand in the place of the sample's. `form`
    is `labels`, `probabilities` or `top`, which is so many labels with the separator between them, or in a column
    each where the sample has these. A sample that does not fit the test table, the classes or the form raises
    BadInput, naming the row or the column.
    """
    labels, wanted = classes(read_csv(index)), Form(form, top, separator)
    found = _asked(Archive(source), tables, sample, ids, labels if form == "probabilities" else None)
    check_form(found, wanted, labels)
    write_asked(asked, found, wanted)
    log.info("%s: %s", found.name, ", ".join(found.header))


def _asked(
    archive: Archive, tables: dict[str, Any] | None, sample: str | None, ids: str, columns: list[str] | None
) -> Sample:
    """The sample, or what stands for it, with these columns where a form needs them."""
    if tables is None:
        return Sample("the test photos", ["id", *(columns or ["label"])], [], 0, ",", "\n")
    test, column = archive_table(archive, tables["test"]["path"]), tables["test"]["id"]
    if sample:
        return read_sample(archive_table(archive, sample), column, test, ids)
    header = [column, *(columns or [tables["train"]["label"]])]
    return Sample(test.name, header, test.column(column), 0, test.delimiter, test.newline)


if __name__ == "__main__":
    run(ask)
