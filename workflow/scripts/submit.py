"""Write the submission and check it against the sample."""

from pathlib import Path
from typing import Any

import numpy as np

from podium.archive import Archive
from podium.competition import Sample, archive_table, check_submission, read_sample
from podium.step import Output, log, run
from podium.tables import Predictions


def submit(
    source: Path,
    predictions: Path,
    submission: Output,
    *,
    tables: dict[str, Any] | None,
    sample: str | None,
    ids: str,
) -> None:
    """Write the submission and check it against the sample.

    Without a sample submission the test table's ids are asked for in its order and form, and without
    tables all test photos, as `id,label`. A mismatch raises BadInput, naming the first offending row.
    """
    found = Predictions.read(predictions).of("test")
    asked = _asked(Archive(source), tables, sample, ids, found)
    label = dict(zip(found.keys.id, np.array(found.labels)[found.probabilities.argmax(1)], strict=True))
    text = asked.format([label[key] for key in asked.ids])
    submission.write_text(text, encoding="utf-8", newline="")
    check_submission("the submission", submission.read_bytes(), asked, found.labels)
    log.info("%d rows, checked against %s", len(asked.ids), asked.name)


def _asked(archive: Archive, tables: dict[str, Any] | None, sample: str | None, ids: str, found: Predictions) -> Sample:
    """What the submission has to look like."""
    if tables is None:
        return Sample("the test photos", ["id", "label"], list(found.keys.id), 0, ",", "\n")
    test, column = archive_table(archive, tables["test"]["path"]), tables["test"]["id"]
    if sample:
        return read_sample(archive_table(archive, sample), column, test, ids)
    return Sample(test.name, [column, tables["train"]["label"]], test.column(column), 0, test.delimiter, test.newline)


if __name__ == "__main__":
    run(submit)
