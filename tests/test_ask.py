"""What is wrong with a sample or a form is seen before anything is predicted."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import TABLES, write_zip

from ask import ask
from podium.competition import Form, Sample, read_asked
from podium.step import BadInput
from podium.tables import write_csv

LABELS = ["NA", "a,b", "crème"]


def asked(folder: Path, table: str | None, **settings: Any) -> tuple[Sample, Form]:
    """What a competition of three classes and three test photos asks for."""
    members = {"test.csv": b"size,file\n9,1.jpg\n8,2.jpg\n7,3.jpg\n"}
    source = write_zip(folder / "source.zip", members | ({"sample.csv": table.encode()} if table else {}))
    index = pd.DataFrame({"split": "train", "id": ["1.jpg", *LABELS], "label": ["NA", *LABELS]})
    write_csv(folder / "index.csv", index)
    usual = {"tables": TABLES, "sample": table and "sample.csv", "ids": "sample"}
    usual |= {"form": "labels", "top": 2, "separator": " "}
    ask(source, folder / "index.csv", folder / "asked.json", **(usual | settings))
    return read_asked(folder / "asked.json")


def test_the_sample_says_what_is_asked_for(tmp_path: Path) -> None:
    sample, form = asked(tmp_path, "crème;file;a,b;NA\r\n;3.jpg;;\r\n;1.jpg;;\r\n;2.jpg;;\r\n", form="probabilities")
    ids = ["3.jpg", "1.jpg", "2.jpg"]
    assert sample == Sample("sample.csv", ["crème", "file", "a,b", "NA"], ids, 1, ";", "\r\n")
    assert form == Form("probabilities", 2, " ")


@pytest.mark.parametrize(("form", "columns"), [("labels", ["label"]), ("top", ["label"]), ("probabilities", LABELS)])
def test_without_a_sample_the_test_table_and_the_classes_say_it(tmp_path: Path, form: str, columns: list[str]) -> None:
    sample, _ = asked(tmp_path, None, form=form)
    assert (sample.header, sample.ids) == (["file", *columns], ["1.jpg", "2.jpg", "3.jpg"])
    sample, _ = asked(tmp_path, None, form=form, tables=None)
    assert (sample.header, sample.ids) == (["id", *columns], [])


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ("file,label\n1.jpg,x\n2.jpg,x\n", {}, "test.csv: line 4: '3.jpg' is not in sample.csv"),
        ("file,label\n1.jpg,x\n9.jpg,x\n", {}, "sample.csv: line 3: '9.jpg' is not an id of test.csv"),
        (None, {"sample": "other.csv"}, r"other\.csv: not in the archive"),
        ("file,label,x\n1.jpg,,\n2.jpg,,\n3.jpg,,\n", {}, "sample.csv: line 1: 2 columns beside the id"),
        ("file,NA\n1.jpg,\n2.jpg,\n3.jpg,\n", {"form": "probabilities"}, "line 1: no column for the label 'a,b'"),
        (None, {"form": "top", "separator": ","}, r"submission\.separator: ',' is in the label 'a,b'"),
        (None, {"form": "top", "top": 4}, r"submission\.top: 4 labels of 3 classes"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, table: str | None, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        asked(tmp_path, table, **settings)
