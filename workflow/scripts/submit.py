"""Write the submission and check it against the sample."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podium.archives.opening import open_zip, write_zip
from podium.predictions.submission import Form, check_submission, read_asked
from podium.step import BadInput, Output, log, run
from podium.tables import Predictions


def submit(asked: Path, predictions: Path, submission: Output, *, inside: str | None) -> None:
    """Write the submission and check it against the sample.

    `asked` describes the required submission. `inside` is the table's name in a zip; if it is None, the submission is
    the table itself. The file is read back, and a mismatch raises BadInput, naming the first wrong row.
    """
    sample, form = read_asked(asked)
    found = Predictions.read(predictions).of("test")
    rows = {key: row for row, key in enumerate(found.keys.id)}
    cells = _cells(found.probabilities[[rows[key] for key in sample.ids]], found.labels, sample.columns, form)
    written = sample.format(cells)
    if inside:
        write_zip(submission, [(inside, written)])
    else:
        submission.write_bytes(written)
    check_submission(inside or "the submission", _read_back(submission, inside), sample, found.labels, form)
    log.info("%d rows, checked against %s", len(sample.ids), sample.name)


def _cells(probabilities: NDArray[np.float32], labels: list[str], columns: list[str], form: Form) -> list[list[str]]:
    """The cells next to each id."""
    if form.kind == "probabilities":
        # A class of the sample without training photos gets 0, so that rows still sum to 1.
        known = np.pad(probabilities, [(0, 0), (0, 1)])
        order = [labels.index(column) if column in labels else len(labels) for column in columns]
        return [[f"{value:.9g}" for value in row] for row in known[:, order]]
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, : form.labels]
    best = [[labels[place] for place in row] for row in likeliest]
    return best if len(columns) == form.labels else [[form.separator.join(row)] for row in best]


def _read_back(submission: Path, inside: str | None) -> bytes:
    """The table as anyone who opens the file reads it."""
    if inside is None:
        return submission.read_bytes()
    with open_zip(submission) as archive:
        if archive.namelist() != [inside]:
            raise BadInput(f"the submission: the zip contains {archive.namelist()}, but '{inside}' is required")
        return archive.read(inside)


if __name__ == "__main__":
    run(submit)
