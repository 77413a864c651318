"""Write the submission and check it against the sample."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium import tasks
from podium.archives.opening import open_zip, write_zip
from podium.predictions import pixel_rows
from podium.predictions.stored import Predictions
from podium.predictions.submission import check_submission, read_asked
from podium.step import BadInput, Output, log, run
from podium.tasks.cells import Sample
from podium.tasks.dense import DenseTask


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
    if isinstance(target, DenseTask):
        each = (
            (predicted, *sample.sizes[at]) for own, block in blocks for at, predicted in zip(own, block, strict=True)
        )
        if form.kind in tasks.TASKS[target.name].files:
            _write_files(submission, target, sample, (target.file(own, how, *size) for own, *size in each))
            return
        if sample.pixels:
            pictures = (target.answered(target.sized(own, *size), how)[..., 0] for own, *size in each)
            _write_pixels(submission, sample, pictures, inside)
            return
        cells = [[target.cell(own, how, *size)] for own, *size in each]
    else:
        cells = [row for _, block in blocks for row in target.cells(block, how, labels, sample.columns, form)]
    written = sample.format(cells)
    if inside:
        write_zip(submission, [(inside, written)])
    else:
        submission.write_bytes(written)
    check_submission(inside or "the submission", _read_back(submission, inside), sample, target, labels, form)
    log.info("%d rows, checked against %s", len(sample.ids), sample.name)


def _write_files(submission: Path, task: DenseTask, sample: Sample, files: Iterable[bytes]) -> None:
    """Writes a file for each id; read back, raises BadInput, naming the file, unless each is right."""
    write_zip(submission, ((f"{key}.png", data) for key, data in zip(sample.ids, files, strict=True)))
    with open_zip(submission) as archive:
        if archive.namelist() != (wanted := [f"{key}.png" for key in sample.ids]):
            raise BadInput(f"the submission: {len(archive.namelist())} files, but {len(wanted)} photos are asked for")
        for name, (width, height) in zip(wanted, sample.sizes, strict=True):
            task.check_file(f"the submission: {name}", archive.read(name), width, height)
    log.info("%d files, checked against the photos", len(sample.ids))


def _write_pixels(submission: Path, sample: Sample, pictures: Iterable[NDArray[np.uint8]], inside: str | None) -> None:
    """Writes a row for each pixel, and reads the rows back."""
    pixel_rows.write(submission, sample, pictures)
    pixel_rows.check("the submission", submission, sample)
    if inside:
        write_zip(submission, [(inside, submission.read_bytes())])
    log.info("a row for each pixel of %d photos, checked against %s", len(sample.ids), sample.name)


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
