from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TABLES, write_zip

from podium.competition import parse_table
from podium.step import BadInput
from podium.tables import Predictions
from submit import submit

LABELS = ["NA", "a,b", "crème"]
GUESSES = {"3.jpg": "crème", "1.jpg": "a,b", "2.jpg": "NA"}
NO_SAMPLE: dict[str, bytes] = {"test.csv": b"size,file\n9,1.jpg\n8,2.jpg\n7,3.jpg\n"}


def submitted(folder: Path, members: dict[str, bytes], **settings: Any) -> str:
    """The submission for an archive of these members, as it stands in the file."""
    source = write_zip(folder / "source.zip", {**NO_SAMPLE, **members})
    keys = pd.DataFrame({"split": ["train", *["test"] * 3], "id": ["1.jpg", *GUESSES]})
    # A training photo has the name of a test photo.
    winners = [2, *(LABELS.index(label) for label in GUESSES.values())]
    Predictions(keys, LABELS, np.eye(3, dtype=np.float32)[winners]).write(folder / "predictions.csv")
    usual = {"tables": TABLES, "sample": None, "ids": "sample"}
    submit(source, folder / "predictions.csv", folder / "submission.csv", **(usual | settings))
    return (folder / "submission.csv").read_bytes().decode()


@pytest.mark.parametrize(
    "sample, expected",
    [
        ("file,label\n2.jpg,x\n1.jpg,x\n3.jpg,x\n", 'file,label\n2.jpg,NA\n1.jpg,"a,b"\n3.jpg,crème\n'),
        ("file\tlabel\n3.jpg\tx\n1.jpg\tx\n2.jpg\tx\n", "file\tlabel\n3.jpg\tcrème\n1.jpg\ta,b\n2.jpg\tNA\n"),
        ("class;file\r\nx;1.jpg\r\nx;2.jpg\r\nx;3.jpg\r\n", "class;file\r\na,b;1.jpg\r\nNA;2.jpg\r\ncrème;3.jpg\r\n"),
        ("\ufeffId,Label\n1.jpg,\n2.jpg,\n3.jpg,\n", 'Id,Label\n1.jpg,"a,b"\n2.jpg,NA\n3.jpg,crème\n'),
    ],
    ids=["order", "tabs", "windows", "excel"],
)
def test_the_submission_has_the_form_of_the_sample(tmp_path: Path, sample: str, expected: str) -> None:
    assert submitted(tmp_path, {"sample.csv": sample.encode()}, sample="sample.csv") == expected


def test_with_the_test_table_s_ids_a_sample_of_other_suffixes_gives_the_order(tmp_path: Path) -> None:
    sample = {"sample.csv": b"file,label\n2.png,x\n1.png,x\n3.jpg,x\n"}
    found = submitted(tmp_path, sample, sample="sample.csv", ids="test")
    assert found == 'file,label\n2.jpg,NA\n1.jpg,"a,b"\n3.jpg,crème\n'
    with pytest.raises(BadInput, match=r"'2.png' is not an id of test.csv.*the suffix alone differs"):
        submitted(tmp_path, sample, sample="sample.csv")


def test_without_a_sample_the_test_table_gives_order_and_form(tmp_path: Path) -> None:
    assert submitted(tmp_path, {}) == 'file,label\n1.jpg,"a,b"\n2.jpg,NA\n3.jpg,crème\n'
    tabs = {"test.csv": NO_SAMPLE["test.csv"].replace(b",", b"\t").replace(b"\n", b"\r\n")}
    assert submitted(tmp_path, tabs) == "file\tlabel\r\n1.jpg\ta,b\r\n2.jpg\tNA\r\n3.jpg\tcrème\r\n"


def test_without_tables_every_test_photo_gets_its_row(tmp_path: Path) -> None:
    found = parse_table("submission.csv", submitted(tmp_path, {}, tables=None).encode())
    assert found.header == ["id", "label"]
    assert found.rows == [list(row) for row in GUESSES.items()]


@pytest.mark.parametrize(
    "sample, message",
    [
        (b"file,label\n1.jpg,x\n2.jpg,x\n", "test.csv: line 4: '3.jpg' is not in sample.csv"),
        (b"file,label\n1.jpg,x\n9.jpg,x\n", "sample.csv: line 3: '9.jpg' is not an id of test.csv"),
        (b"file,label,x\n1.jpg,x,x\n", "sample.csv: 3 columns"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(tmp_path: Path, sample: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        submitted(tmp_path, {"sample.csv": sample}, sample="sample.csv")
    with pytest.raises(BadInput, match=r"other\.csv: not in the archive"):
        submitted(tmp_path, {}, sample="other.csv")
