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
from podium.tasks.cells import Sample


def submit(
    asked: Path,
    predictions: Path,
    decision: Path,
    submission: Output,
    *,
    task: dict[str, Any],
    inside: str | None,
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
    if form.kind in tasks.TASKS[target.name].files:
        files = (
            (f"{sample.ids[place]}.png", target.file(each, how, *sample.sizes[place]))
            for places, block in blocks
            for place, each in zip(places, block, strict=True)
        )
        write_zip(submission, files)
        _check_files(submission, target, sample)
        log.info("%d files, checked against the photos", len(sample.ids))
        return
    if target.dense:
        cells = [
            [target.cell(each, how, *sample.sizes[place])]
            for places, block in blocks
            for place, each in zip(places, block, strict=True)
        ]
    else:
        cells = [row for _, block in blocks for row in target.cells(block, how, labels, sample.columns, form)]
    written = sample.format(cells)
    if inside:
        write_zip(submission, [(inside, written)])
    else:
        submission.write_bytes(written)
    check_submission(inside or "the submission", _read_back(submission, inside), sample, target, labels, form)
    log.info("%d rows, checked against %s", len(sample.ids), sample.name)


def _check_files(submission: Path, task: tasks.Task, sample: Sample) -> None:
    """Reads the files back; raises BadInput, naming the file, unless there is a right one for each id."""
    with open_zip(submission) as archive:
        if archive.namelist() != (wanted := [f"{key}.png" for key in sample.ids]):
            raise BadInput(f"the submission: {len(archive.namelist())} files, but {len(wanted)} photos are asked for")
        for name, (width, height) in zip(wanted, sample.sizes, strict=True):
            task.check_file(f"the submission: {name}", archive.read(name), width, height)


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
