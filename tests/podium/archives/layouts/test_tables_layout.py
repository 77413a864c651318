"""What tables can say of photos; tests/test_index.py has what is refused, and the hints."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import CLASSIFICATION, table, write_zip

from podium import tasks
from podium.archives import layouts
from podium.archives.opening import Archive
from podium.step import BadInput

MULTILABEL = {"multilabel": {"separator": " "}}
PHOTOS = ["a.jpg", "b.jpg", "c.jpg"]


def listed(
    folder: Path, rows: str, task: dict[str, Any] = CLASSIFICATION, photos: list[str] = PHOTOS, **more: Any
) -> pd.DataFrame:
    """The photos of a training table with this text, and of a test table with two photos; `more` is of the layout or,
    where it starts with `train_`, of its training table."""
    members = {**dict.fromkeys(photos, b""), "train.csv": rows.encode(), "test.csv": table(["id"], [["t1"], ["t2"]])}
    members |= {"test/t1.jpg": b"", "test/t2.jpg": b"", **more.pop("members", {})}
    train = {"path": "train.csv", "image": "{id}.jpg", "id": "id", "label": "label"}
    train |= {key.removeprefix("train_"): more.pop(key) for key in list(more) if key.startswith("train_")}
    spec = {"train": train, "test": {"path": "test.csv", "image": "test/{id}.jpg", "id": "id"}, **more}
    archive = Archive(write_zip(folder / "source.zip", members))
    return layouts.photos(archive, {"tables": spec}, tasks.task(task), strict=True)


def labels(found: pd.DataFrame) -> dict[str, str]:
    train = found[found.split == "train"]
    return dict(zip(train.file, train.label, strict=True))


MARKED = "id,cat,big dog,other\na,1,0,x\nb,0,1.0,x\nc,{},x\n"


def test_one_of_several_columns_is_marked(tmp_path: Path) -> None:
    found = listed(tmp_path, MARKED.format("1,0"), train_label=["cat", "big dog"])
    assert labels(found) == {"a.jpg": "cat", "b.jpg": "big dog", "c.jpg": "cat"}
    several = listed(tmp_path, MARKED.format("1,1"), MULTILABEL, train_label=["cat", "big dog"])
    assert labels(several) == {"a.jpg": '["cat"]', "b.jpg": '["big dog"]', "c.jpg": '["big dog", "cat"]'}
    none = listed(tmp_path, MARKED.format("0,0"), MULTILABEL, train_label=["cat", "big dog"])
    assert labels(none)["c.jpg"] == "[]"


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        ("1,1", CLASSIFICATION, "cat, big dog are 1, but each photo has one label"),
        ("0,0.0", CLASSIFICATION, "none of cat, big dog is 1, but each photo has one label"),
        ("0.5,0", CLASSIFICATION, "'0.5' in column 'cat' is neither 0 nor 1"),
        ("0,", MULTILABEL, "'' in column 'big dog' is neither 0 nor 1 (`strict: false` sets such rows aside)"),
    ],
)
def test_columns_that_mark_no_label_are_refused(tmp_path: Path, cells: str, task: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        listed(tmp_path, MARKED.format(cells), task, train_label=["cat", "big dog"])
    assert str(refused.value) == f"train.csv: line 4: {message}"


def test_a_column_of_marks_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.csv: no column 'cow', which tables\.train\.label names"):
        listed(tmp_path, MARKED.format("1,0"), train_label=["cat", "cow"])


def test_the_rows_of_one_photo_have_its_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = "id,label,box\na,cat,1\nb,dog,1\na,dog,2\nc,,1\na,cat,3\n"
    found = listed(tmp_path, rows, MULTILABEL)
    assert labels(found) == {"a.jpg": '["cat", "dog"]', "b.jpg": '["dog"]', "c.jpg": "[]"}
    assert "repeated rows count once: line 6 repeats line 2" in caplog.text
    assert "line 4" not in caplog.text
    with pytest.raises(BadInput, match=r"train\.csv: line 4: 'a' has two labels, 'cat' in line 2 and 'dog'"):
        listed(tmp_path, rows.replace("c,,1", "c,cow,1"))


SEVERAL = "id,file,label,who\na,a,cat,x\nb,c,dog,y\na,b,cat,{}\n"


def test_photos_of_one_id_stand_one_after_the_other(tmp_path: Path) -> None:
    found = listed(tmp_path, SEVERAL.format("z"), train_image="{file}.jpg", train_group="who")
    assert list(found.id) == ["a", "a", "b", "t1", "t2"]
    assert list(found.file[:3]) == ["a.jpg", "b.jpg", "c.jpg"]
    assert list(found.group[:3]) == ["x", "z", "y"]
    by_star = listed(
        tmp_path, "id,label\nb,dog\na,cat\n", photos=["a_1.jpg", "a_2.jpg", "b_0.jpg"], train_image="{id}_*.jpg"
    )
    assert labels(by_star) == {"b_0.jpg": "dog", "a_1.jpg": "cat", "a_2.jpg": "cat"}


def test_an_id_has_one_label_whichever_of_its_photos_says_it(tmp_path: Path) -> None:
    rows = SEVERAL.format("x").replace("a,b,cat", "a,b,cow")
    both = listed(tmp_path, rows, MULTILABEL, train_image="{file}.jpg")
    assert labels(both) == {"a.jpg": '["cat", "cow"]', "b.jpg": '["cat", "cow"]', "c.jpg": '["dog"]'}
    with pytest.raises(BadInput, match=r"train\.csv: line 4: 'a' has two labels, 'cat' in line 2 and 'cow'"):
        listed(tmp_path, rows, train_image="{file}.jpg")


def test_a_photo_of_two_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.csv: line 3: 'a\.jpg' is the file of 'a' in line 2 and of 'b'"):
        listed(tmp_path, "id,file,label\na,a,cat\nb,a,cat\n", train_image="{file}.jpg")


def test_a_table_gives_the_groups_of_all_ids_that_are_in_it(tmp_path: Path) -> None:
    def grouped(rows: str) -> list[str]:
        groups = {"path": "places.csv", "id": "file", "group": "place"}
        members = {"places.csv": b"file,place\n" + rows.encode()}
        return list(listed(tmp_path, "id,label\na,cat\nb,dog\nc,cat\n", groups=groups, members=members).group)

    assert grouped("b,sea\nt1,sea\nelsewhere,hill\na,\nb,sea\n") == ["", "sea", "", "sea", ""]
    with pytest.raises(BadInput, match=r"places\.csv: line 4: 'b' has two groups, 'sea' in line 2 and 'hill'"):
        grouped("b,sea\nt1,sea\nb,hill\n")
