"""Write the submission and check it against the sample."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.archive import Archive, open_zip, write_zip
from podium.competition import Form, Sample, archive_table, check_form, check_submission, read_sample
from podium.step import BadInput, Output, log, run
from podium.tables import Predictions


def submit(
    source: Path,
    predictions: Path,
    submission: Output,
    *,
    tables: dict[str, Any] | None,
    sample: str | None,
    form: str,
    top: int,
    separator: str,
    inside: str | None,
) -> None:
    """Write the submission and check it against the sample.

    Without a sample submission the test table's ids are asked for in its order and form, and without
    tables all test photos, as `id,label`. `form` is `labels`, `probabilities` or `top`, which is so many
    labels with the separator between them, or in a column each where the sample has these. `inside` is
    the name that the file has in a zip; without one it stands alone. A mismatch raises BadInput, naming
    the first offending row.
    """
    found, wanted = Predictions.read(predictions).of("test"), Form(form, top, separator)
    asked = _asked(Archive(source), tables, sample, found, wanted)
    check_form(asked, wanted, found.labels)
    rows = {key: row for row, key in enumerate(found.keys.id)}
    cells = _cells(found.probabilities[[rows[key] for key in asked.ids]], found.labels, asked.columns, wanted)
    written = asked.format(cells).encode()
    if inside:
        write_zip(submission, [(inside, written)])
    else:
        submission.write_bytes(written)
    check_submission(inside or "the submission", _read_back(submission, inside), asked, found.labels, wanted)
    log.info("%d rows, checked against %s", len(asked.ids), asked.name)


def _asked(
    archive: Archive, tables: dict[str, Any] | None, sample: str | None, found: Predictions, form: Form
) -> Sample:
    """What the submission has to look like."""
    columns = found.labels if form.kind == "probabilities" else None
    if tables is None:
        return Sample("the test photos", ["id", *(columns or ["label"])], list(found.keys.id), 0, ",", "\n")
    test, column = archive_table(archive, tables["test"]["path"]), tables["test"]["id"]
    if sample:
        return read_sample(archive_table(archive, sample), column, test)
    header = [column, *(columns or [tables["train"]["label"]])]
    return Sample(test.name, header, test.column(column), 0, test.delimiter, test.newline)


def _cells(probabilities: NDArray[np.float32], labels: list[str], columns: list[str], form: Form) -> list[list[str]]:
    """What stands beside each id."""
    if form.kind == "probabilities":
        order = [labels.index(column) for column in columns]
        return [[f"{value:.9g}" for value in row] for row in probabilities[:, order]]
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, : form.labels]
    best = [[labels[place] for place in row] for row in likeliest]
    return best if len(columns) == form.labels else [[form.separator.join(row)] for row in best]


def _read_back(submission: Path, inside: str | None) -> bytes:
    """The table as whoever opens the file will find it."""
    if inside is None:
        return submission.read_bytes()
    with open_zip(submission) as archive:
        if archive.namelist() != [inside]:
            raise BadInput(f"the submission: {archive.namelist()} in the zip, '{inside}' is asked for")
        return archive.read(inside)


if __name__ == "__main__":
    run(submit)
