"""Write the submission and check it against the sample."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from podium import tasks
from podium.archives.opening import open_zip, write_zip
from podium.predictions.stored import Predictions
from podium.predictions.submission import check_submission, read_asked
from podium.step import BadInput, Output, log, run


def submit(
    asked: Path, predictions: Path, decision: Path, submission: Output, *, task: dict[str, Any], inside: str | None
) -> None:
    """Write the submission and check it against the sample.

    `asked` describes the required submission, and `decision` how answers are made of predictions. `task` is the
    task's name with its settings. `inside` is the table's name in a zip; if it is None, the submission is the table
    itself. The file is read back, and a mismatch raises BadInput, naming the first wrong row.
    """
    (sample, form, labels), target = read_asked(asked), tasks.task(task)
    found, how = Predictions.read(predictions).of("test"), json.loads(decision.read_text())["decision"]
    rows = {key: row for row, key in enumerate(found.keys.id)}
    blocks = found.rows(np.array([rows[key] for key in sample.ids])).blocks()
    cells = [row for _, block in blocks for row in target.cells(block, how, labels, sample.columns, form)]
    written = sample.format(cells)
    if inside:
        write_zip(submission, [(inside, written)])
    else:
        submission.write_bytes(written)
    check_submission(inside or "the submission", _read_back(submission, inside), sample, target, labels, form)
    log.info("%d rows, checked against %s", len(sample.ids), sample.name)


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
