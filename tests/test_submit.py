"""What is asked for and what is handed in: `ask` and `submit`, as they work together."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, TABLES, write_zip

from ask import ask
from podium.archives.delimited import parse_table
from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tables import QUARANTINE_COLUMNS, write_csv
from submit import submit

LABELS = ["NA", "a,b", "crème"]
LIKELY = {"3.jpg": [0.125, 0.25, 0.625], "1.jpg": [0.0, 1.0, 0.0], "2.jpg": [0.5, 0.25, 0.25]}
GUESSES = {"3.jpg": "crème", "1.jpg": "a,b", "2.jpg": "NA"}
NO_SAMPLE: dict[str, bytes] = {"test.csv": b"size,file\n9,1.jpg\n8,2.jpg\n7,3.jpg\n"}


def submitted(folder: Path, members: dict[str, bytes], inside: str | None = None, **settings: Any) -> str:
    """The submission for an archive of these members, as it stands in the file."""
    source = write_zip(folder / "source.zip", {**NO_SAMPLE, **members})
    keys = pd.DataFrame({"split": ["train", *["test"] * 3], "id": ["1.jpg", *GUESSES]})
    # A training photo has the name of a test photo.
    probabilities = np.array([[0, 0, 1], *LIKELY.values()], np.float32)
    Predictions(keys, probabilities).write(folder / "predictions.npy")
    index = pd.DataFrame({"split": "train", "id": [f"{label}.jpg" for label in LABELS], "label": LABELS})
    write_csv(folder / "index.csv", pd.concat([index, keys[1:].assign(label="", file=keys.id)]))
    write_csv(folder / "quarantine.csv", pd.DataFrame(columns=QUARANTINE_COLUMNS))
    usual = {"task": CLASSIFICATION, "tables": TABLES, "sample": None, "ids": "sample", "form": "labels", "top": 2}
    usual |= {"separator": None, "decimals": None, "pixel": ""}
    ask(source, *(folder / name for name in ("index.csv", "quarantine.csv", "asked.json")), **(usual | settings))
    (folder / "decision.json").write_text('{"decision": {}}')
    inputs = [folder / name for name in ("asked.json", "predictions.npy", "decision.json")]
    submit(*inputs, folder / "submission.csv", task=CLASSIFICATION, inside=inside)
    return (folder / "submission.csv").read_bytes().decode(errors="replace")


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
    with pytest.raises(BadInput, match=r"'2.png' is not an id of test.csv.*only the suffix differs"):
        submitted(tmp_path, sample, sample="sample.csv")


def test_without_a_sample_the_test_table_gives_order_and_form(tmp_path: Path) -> None:
    assert submitted(tmp_path, {}) == 'file,label\n1.jpg,"a,b"\n2.jpg,NA\n3.jpg,crème\n'
    tabs = {"test.csv": NO_SAMPLE["test.csv"].replace(b",", b"\t").replace(b"\n", b"\r\n")}
    assert submitted(tmp_path, tabs) == "file\tlabel\r\n1.jpg\ta,b\r\n2.jpg\tNA\r\n3.jpg\tcrème\r\n"


def test_without_tables_every_test_photo_gets_its_row(tmp_path: Path) -> None:
    found = parse_table("submission.csv", submitted(tmp_path, {}, tables=None).encode())
    assert found.header == ["id", "label"]
    assert found.rows == [list(row) for row in GUESSES.items()]


def test_probabilities_stand_in_the_sample_s_columns_whatever_their_order(tmp_path: Path) -> None:
    sample = "crème;id;NA;a,b\n0;2.jpg;0;0\n0;1.jpg;0;0\n0;3.jpg;0;0\n".encode()
    tables = {**TABLES, "test": {**TABLES["test"], "id": "id"}}
    members = {"sample.csv": sample, "test.csv": b"id\n1.jpg\n2.jpg\n3.jpg\n"}
    found = submitted(tmp_path, members, sample="sample.csv", tables=tables, form="probabilities")
    assert found == "crème;id;NA;a,b\n0.25;2.jpg;0.5;0.25\n0;1.jpg;0;1\n0.625;3.jpg;0.125;0.25\n"


@pytest.mark.parametrize("tables", [TABLES, None], ids=["table", "folders"])
def test_without_a_sample_each_class_has_its_column(tmp_path: Path, tables: dict[str, Any] | None) -> None:
    found = pd.read_csv(io.StringIO(submitted(tmp_path, {}, tables=tables, form="probabilities")), index_col=0)
    assert found.index.name == ("file" if tables else "id")
    assert found.columns.to_list() == LABELS
    assert {key: row.to_list() for key, row in found.iterrows()} == LIKELY


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("file,labels\n1.jpg,\n2.jpg,\n3.jpg,\n", 'file,labels\n1.jpg,"a,b|NA"\n2.jpg,"NA|a,b"\n3.jpg,"crème|a,b"\n'),
        ("file\tfirst\tsecond\n1.jpg\t\t\n2.jpg\t\t\n3.jpg\t\t\n",
         "file\tfirst\tsecond\n1.jpg\ta,b\tNA\n2.jpg\tNA\ta,b\n3.jpg\tcrème\ta,b\n"),
    ],
    ids=["one cell", "columns"],
)  # fmt: skip
def test_the_likeliest_labels_stand_first(tmp_path: Path, sample: str, expected: str) -> None:
    members = {"sample.csv": sample.encode()}
    separator = "|" if "|" in expected else None
    assert submitted(tmp_path, members, sample="sample.csv", form="top", separator=separator) == expected


def test_in_a_zip_stands_the_same_table_under_its_name(tmp_path: Path) -> None:
    alone = submitted(tmp_path, {})
    submitted(tmp_path, {}, inside="13-03-19_1.tsv")
    written = (tmp_path / "submission.csv").read_bytes()
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.namelist() == ["13-03-19_1.tsv"]
        assert archive.read("13-03-19_1.tsv").decode() == alone
    (tmp_path / "again").mkdir()
    submitted(tmp_path / "again", {}, inside="13-03-19_1.tsv")
    assert (tmp_path / "again/submission.csv").read_bytes() == written


def test_what_the_writer_got_wrong_is_seen_when_it_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check reads the file, in whatever way it was written."""
    monkeypatch.setattr("podium.tasks.classification.Task.cells", lambda *_: [["NA"], ["nonsense"], ["NA"]])
    with pytest.raises(BadInput, match=r"the submission: line 3: 'nonsense' is not a label"):
        submitted(tmp_path, {})
    with pytest.raises(BadInput, match=r"13-03-19_1\.tsv: line 3: 'nonsense' is not a label"):
        submitted(tmp_path, {}, inside="13-03-19_1.tsv")
    monkeypatch.setattr("submit.write_zip", lambda file, _: write_zip(file, {"other.tsv": b""}))
    with pytest.raises(BadInput, match=r"the zip contains \['other\.tsv'\], but '13-03-19_1\.tsv' is required"):
        submitted(tmp_path, {}, inside="13-03-19_1.tsv")
