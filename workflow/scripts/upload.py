"""Send the submission to Kaggle, unless the same file was sent before, and fetch its status and score."""

import csv
import hashlib
import io
import time
from pathlib import Path

from podium.archives import kaggle
from podium.archives.delimited import format_table
from podium.step import BadInput, Output, log, run

PAUSES = (5, 10, 15, 30)  # seconds between queries while the score is pending
PAGE = "200"  # the largest number of submissions that the client lists at once


def upload(submission: Path, sent: Output, *, competition: str, experiment: str) -> None:
    """Send the submission to Kaggle, unless the same file was sent before, and fetch its status and score.

    Its message contains the experiment's name and a digest of the file's bytes, by which it is recognised later. `sent`
    lists the experiment's submissions with Kaggle's columns. Raises BadInput if Kaggle's client or the token is
    missing, the client fails, or the submission is not listed after sending.
    """
    digest = hashlib.sha256(submission.read_bytes()).hexdigest()[:16]
    own = f"podium {experiment} "
    header, rows = _listed(competition)
    if _find(rows, digest) is None:
        kaggle.call(competition, "submit", "-f", str(submission), "-m", f"{own}{digest}")
        header, rows = _listed(competition)
    else:
        log.info("the same file was sent before and is not sent again")
    for pause in PAUSES:
        if "pending" not in (_find(rows, digest) or {}).get("status", "pending").lower():
            break
        log.info("waiting for the score")
        time.sleep(pause)
        header, rows = _listed(competition)
    found = _find(rows, digest)
    if found is None:
        page = f"https://www.kaggle.com/competitions/{competition}/submissions"
        raise BadInput(f"kaggle:{competition}: sent, but not listed; check {page} before you send it again")
    log.info("%s, public score %s", found["status"], found["publicScore"] or "not known yet: run again later")
    ours = [row for row in rows if row["description"].startswith(own) or row is found]
    sent.write_text(format_table(header, [[row[column] for column in header] for row in ours]), encoding="utf-8")


def _listed(competition: str) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the rows of Kaggle's list of submissions, the latest first."""
    said = kaggle.call(competition, "submissions", "-v", "--page-size", PAGE)
    lines = said.splitlines(keepends=True)
    # The client may print other lines above the table.
    start = next((number for number, line in enumerate(lines) if "publicScore" in line.strip().split(",")), None)
    if start is None:
        if "No submissions found" in said:
            return [], []
        raise BadInput(f"kaggle:{competition}: submissions: no table in the client's output: {said.strip()[:100]!r}")
    reader = csv.DictReader(io.StringIO("".join(lines[start:]), newline=""), restval="")
    return list(reader.fieldnames or []), list(reader)


def _find(rows: list[dict[str, str]], digest: str) -> dict[str, str] | None:
    return next((row for row in rows if digest in row["description"]), None)


if __name__ == "__main__":
    run(upload)
