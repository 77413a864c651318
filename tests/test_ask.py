"""What is wrong with a sample or a form is seen before anything is predicted."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CLASSIFICATION, GROCERY, LISTING, PICNIC, ROOT, TABLES, TASK, photo, write_zip

from ask import ask
from index import index
from podium.archives.delimited import archive_table, parse_table
from podium.archives.opening import Archive
from podium.predictions.stored import Predictions
from podium.predictions.submission import read_asked
from podium.step import BadInput
from podium.tables import read_csv, write_csv
from podium.tasks.cells import Form, Sample
from submit import submit

LABELS = ["NA", "a,b", "crème"]


PATHS = ("index.csv", "quarantine.csv", "asked.json")


def asked(
    folder: Path, table: str | bytes | None, labels: Sequence[str] = LABELS, **settings: Any
) -> tuple[Sample, Form]:
    """What a competition of three classes and three test photos, one of them unreadable, asks for."""
    members = {"test.csv": b"size,file\n9,1.jpg\n8,2.jpg\n7,3.jpg\n"}
    data = table.encode() if isinstance(table, str) else table
    source = write_zip(folder / "source.zip", members | ({"sample.csv": data} if data else {}))
    index = pd.DataFrame({"split": "train", "id": ["1.jpg", *labels], "label": ["NA", *labels]})
    tests = pd.DataFrame(
        {"split": "test", "id": ["1.jpg", "2.jpg", "3.jpg"], "file": ["t/1.jpg", "t/2.jpg", "t/3.jpg"]}
    )
    write_csv(folder / "index.csv", pd.concat([index, tests[:2]]))
    write_csv(folder / "quarantine.csv", pd.concat([index, tests[2:]]))
    usual = {"task": CLASSIFICATION, "tables": TABLES, "sample": table and "sample.csv", "ids": "sample"}
    usual |= {"form": "labels", "top": 2, "separator": None, "decimals": None, "pixel": ""}
    ask(source, *(folder / name for name in PATHS), **(usual | settings))
    *found, known = read_asked(folder / "asked.json")
    assert known == sorted({"NA", *labels})
    return tuple(found)


def test_the_sample_says_what_is_asked_for(tmp_path: Path) -> None:
    sample, form = asked(tmp_path, "crème;file;a,b;NA\r\n;3.jpg;;\r\n;1.jpg;;\r\n;2.jpg;;\r\n", form="probabilities")
    ids = ["3.jpg", "1.jpg", "2.jpg"]
    assert sample == Sample("sample.csv", ["crème", "file", "a,b", "NA"], ids, 1, ";", "\r\n", "utf-8")
    assert form == Form("probabilities", 2, " ")


@pytest.mark.parametrize(("form", "columns"), [("labels", ["label"]), ("top", ["label"]), ("probabilities", LABELS)])
def test_without_a_sample_the_test_table_and_the_classes_say_it(tmp_path: Path, form: str, columns: list[str]) -> None:
    sample, _ = asked(tmp_path, None, form=form)
    assert (sample.header, sample.ids) == (["file", *columns], ["1.jpg", "2.jpg", "3.jpg"])
    sample, _ = asked(tmp_path, None, form=form, tables=None)
    assert (sample.header, sample.ids) == (["id", *columns], ["1.jpg", "2.jpg", "3.jpg"])


def test_a_sample_counts_where_there_are_no_tables_too(tmp_path: Path) -> None:
    """The order, the header and the ids of a sample, for photos that no table lists; one of them cannot be read."""
    rows = "name;kind\n3.{0};\n1.{0};\n2.{0};\n"
    sample, _ = asked(tmp_path, rows.format("jpg"), tables=None)
    assert (sample.name, sample.header, sample.delimiter) == ("sample.csv", ["name", "kind"], ";")
    assert sample.ids == ["3.jpg", "1.jpg", "2.jpg"]
    with pytest.raises(BadInput, match=r"only the suffix differs, see `submission\.ids`"):
        asked(tmp_path, rows.format("png"), tables=None)
    assert asked(tmp_path, rows.format("png"), tables=None, ids="test")[0] == sample


def test_a_class_without_training_photos_has_a_column_of_zeros(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = "file,crème,unseen,a,b,NA\n1.jpg,,,,,\n2.jpg,,,,,\n3.jpg,,,,,\n".replace("a,b", '"a,b"').replace(
        ",,,,,", ",,,,"
    )
    sample, _ = asked(tmp_path, table, form="probabilities")
    assert sample.columns == ["crème", "unseen", "a,b", "NA"]
    assert "sample.csv: no training photo of 'unseen': the probability will be 0" in caplog.text
    keys = pd.DataFrame({"split": "test", "id": ["1.jpg", "2.jpg", "3.jpg"]})
    rows = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0.25, 0.25, 0.5]], np.float32)
    Predictions(keys, rows).write(tmp_path / "predictions.npy")
    (tmp_path / "decision.json").write_text('{"decision": {}}')
    inputs = [tmp_path / name for name in ("asked.json", "predictions.npy", "decision.json")]
    submit(*inputs, tmp_path / "submission.csv", task=CLASSIFICATION, inside=None)
    found = pd.read_csv(tmp_path / "submission.csv")
    assert found[["NA", "a,b", "crème", "unseen"]].to_numpy().tolist() == [[*row, 0] for row in rows.tolist()]


def test_what_a_sample_s_encoding_lacks_is_handed_in_as_utf_8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = "file,Höhe\n1.jpg,\n2.jpg,\n3.jpg,\n".encode("cp1252")
    assert asked(tmp_path, table)[0].encoding == "cp1252"
    assert "the submission will be UTF-8" not in caplog.text
    assert asked(tmp_path, table, ["東京"])[0].encoding == "utf-8"
    assert "sample.csv is cp1252, which lacks '東': the submission will be UTF-8" in caplog.text


@pytest.mark.parametrize(
    ("table", "settings", "message"),
    [
        ("file,label\n1.jpg,x\n2.jpg,x\n", {}, "test.csv: line 4: '3.jpg' is not in sample.csv"),
        ("file,label\n1.jpg,x\n9.jpg,x\n", {}, "sample.csv: line 3: '9.jpg' is not an id of test.csv"),
        ("file,label\n1.jpg,x\n1.jpg,y\n", {}, "sample.csv: line 3: '1.jpg' occurs twice"),
        ("id,label\na.jpg,x\n", {"tables": None}, "'a.jpg' is not an id of the test photos, whose first is '1.jpg'"),
        ("id,label\n1.jpg,x\n2.jpg,x\n", {"tables": None}, "t/3.jpg: '3.jpg' is not in sample.csv, whose first is '1"),
        (None, {"tables": None, "sample": "gone.csv"}, r"gone\.csv: not in the archive \(its tables: test\.csv\)"),
        (
            "file,first,second\n1.jpg,,\n2.jpg,,\n3.jpg,,\n",
            {"form": "top", "separator": ","},
            "submission.separator: sample.csv has a column for each label; leave it out",
        ),
        ("file,label\n1.jpg,x\n2.jpg\n", {}, "sample.csv: line 3 has 1 cells, but the header has 2"),
        (None, {"sample": "other.csv"}, r"other\.csv: not in the archive \(its tables: .*test\.csv"),
        ("file,label,x\n1.jpg,,\n2.jpg,,\n3.jpg,,\n", {}, "sample.csv: line 1: 2 columns next to the id"),
        ("file,NA\n1.jpg,\n2.jpg,\n3.jpg,\n", {"form": "probabilities"}, "line 1: no column for the label 'a,b'"),
        (None, {"form": "top", "separator": ","}, r"submission\.separator: ',' occurs in the label 'a,b'"),
        (None, {"form": "top", "top": 4}, r"submission\.top: 4 is more than the 3 that there are"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, table: str | None, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        asked(tmp_path, table, **settings)


FACTS = yaml.safe_load((ROOT / "config/competitions/picnic.yaml").read_text())
ODD_TABLES = {
    "train.tsv": b"file\tlabel\n0.png\tBananas, apples & pears\n1.jpeg\tEggs\n2.png\tEggs\n3.jpeg\tSalad & cress\n",
    "test.tsv": b"file\n7263.jpeg\n7264.png\n8082.jpeg\n",
    "sample_submission.tsv": b"file\tlabel\n7263.png\tEggs\n7264.png\tEggs\n8082.png\tBananas, apples & pears\n",
}


def picnic(folder: Path, tables: dict[str, bytes]) -> pd.DataFrame:
    """The index of the 2019 hackathon's zip, with these tables and tiny photos in the place of its own."""
    rows = {split: parse_table(f"{split}.tsv", tables[f"{split}.tsv"]).column("file") for split in ("train", "test")}
    formats = {".png": photo("flower", 0, 8, "PNG"), ".jpeg": photo("temple", 0, 8)}
    photos = {f"{split}/{file}": formats[Path(file).suffix] for split, files in rows.items() for file in files}
    whole = {f"The Picnic Hackathon 2019/{name}": content for name, content in (photos | tables).items()}
    paths = (
        write_zip(folder / "source.zip", whole),
        *(folder / name for name in ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")),
    )
    index(*paths, layout={"tables": FACTS["tables"]}, **LISTING)
    assert read_csv(paths[2]).empty
    return read_csv(paths[1])


def handed_in(folder: Path, found: pd.DataFrame, **settings: Any) -> list[list[str]]:
    """The rows of a submission that gives the label of the test photos in turn."""
    keys, labels = found.loc[found.split == "test", ["split", "id"]].reset_index(drop=True), TASK.taught(found)
    turns = np.eye(len(labels), dtype=np.float32)[np.arange(len(keys)) % len(labels)]
    Predictions(keys, turns).write(folder / "predictions.npy")
    usual = {key: FACTS["submission"][key] for key in ("sample", "ids")}
    paths = [folder / name for name in ("source.zip", *PATHS)]
    form: dict[str, Any] = {"form": "labels", "top": 1, "separator": None, "decimals": None, "pixel": ""}
    ask(*paths, task=CLASSIFICATION, tables=FACTS["tables"], **(form | usual | settings))
    (folder / "decision.json").write_text('{"decision": {}}')
    inputs = [folder / name for name in ("asked.json", "predictions.npy", "decision.json")]
    submit(*inputs, folder / "cats.zip", task=CLASSIFICATION, inside="13-03-19_1.tsv")
    with zipfile.ZipFile(folder / "cats.zip") as archive:
        handed = archive.read("13-03-19_1.tsv")
    assert handed.startswith(b"file\tlabel\n")
    return parse_table("13-03-19_1.tsv", handed).rows


def test_the_picnic_submission_has_the_names_that_the_photos_have(tmp_path: Path) -> None:
    found = picnic(tmp_path, ODD_TABLES)
    assert TASK.taught(found) == ["Bananas, apples & pears", "Eggs", "Salad & cress"]
    names = ["7263.jpeg", "7264.png", "8082.jpeg"]
    assert handed_in(tmp_path, found) == [list(row) for row in zip(names, TASK.taught(found), strict=True)]


def test_a_picnic_sample_that_asks_for_another_photo_is_refused_with_either_ids(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2: '7263.png' is not an id of test.tsv.*only the suffix differs"):
        handed_in(tmp_path, picnic(tmp_path, ODD_TABLES), ids="sample")
    wrong = ODD_TABLES["sample_submission.tsv"].replace(b"8082", b"8083")
    with pytest.raises(BadInput, match=r"line 4: '8083.png' is not an id of test.tsv"):
        handed_in(tmp_path, picnic(tmp_path, ODD_TABLES | {"sample_submission.tsv": wrong}))


@pytest.mark.skipif(not PICNIC.is_dir(), reason="the Picnic tables are not there")
def test_the_real_picnic_tables_lead_to_a_row_for_each_test_photo(tmp_path: Path) -> None:
    tables = {path.name: path.read_bytes() for path in PICNIC.glob("*.tsv")}
    found = picnic(tmp_path, tables)
    assert found.split.value_counts().to_dict() == {"train": 7258, "test": 820}
    assert len(TASK.taught(found)) == 25
    assert [row[0] for row in handed_in(tmp_path, found)] == tables["test.tsv"].decode().split()[1:]


@pytest.mark.skipif(not GROCERY.is_file(), reason="the hackathon's zip is not there")
def test_the_real_hackathon_asks_for_each_photo_of_its_test_table(tmp_path: Path) -> None:
    facts = yaml.safe_load((ROOT / "config/competitions/grocery.yaml").read_text())
    tables, sample = facts["tables"], facts["submission"]["sample"]
    archive = Archive(GROCERY)
    labels = archive_table(archive, tables["train"]["path"]).column(tables["train"]["label"])
    for name in PATHS[:2]:
        write_csv(tmp_path / name, pd.DataFrame({"split": "train", "label": labels}))
    form = {"ids": "sample", "form": "labels", "top": 5, "separator": None, "decimals": None, "pixel": ""}
    ask(GROCERY, *(tmp_path / name for name in PATHS), task=CLASSIFICATION, tables=tables, sample=sample, **form)
    ids = archive_table(archive, tables["test"]["path"]).column(tables["test"]["id"])
    assert sorted(read_asked(tmp_path / "asked.json")[0].ids) == sorted(ids)
    assert len(ids) == 2485
