"""What is understood of archives in many layouts, and what is said of those that are no contest."""

from pathlib import Path
from typing import Any

import contests_in_archives  # noqa: F401 (each of these lists its contests)
import contests_in_paths  # noqa: F401
import contests_in_tables  # noqa: F401
import contests_of_masks  # noqa: F401
import contests_of_numbers  # noqa: F401
import contests_of_pictures  # noqa: F401
import pytest
import yaml
from conftest import job, plan, write_zip
from layouts import CONTESTS, Members, cycled, image, photos, rows, zipped

from podium import tasks
from podium.archives import layouts
from podium.archives.delimited import archive_table
from podium.archives.unpacking import Contents
from podium.begin.draft import Draft, draft
from podium.begin.roles import id_column
from podium.begin.written import written
from podium.step import BadInput

TRAIN, TEST = [f"a{n}.jpg" for n in range(20)], [f"b{n}.jpg" for n in range(6)]
KINDS = cycled(["oak", "elm"], 20)
LABELS, SAMPLE = rows("file,kind", TRAIN, KINDS), rows("file,kind", TEST, ["oak"] * 6)
PHOTOS = {**photos(f"train/{name}" for name in TRAIN), **photos(f"test/{name}" for name in TEST)}
TABLES = {
    "train": image("train.csv", "train/{file}", "file", label="kind"),
    "test": image("sample.csv", "test/{file}", "file"),
}


def looked_at(folder: Path, members: Members, **given: Any) -> Draft:
    return draft(write_zip(folder / "contest.zip", members), **given)


@pytest.mark.parametrize("name", CONTESTS)
def test_a_layout_is_understood_and_the_config_takes_the_file(project: Path, name: str) -> None:
    build, right = CONTESTS[name]
    path = project / f"config/competitions/{name}.yaml"
    path.write_text(written(looked_at(project, build())), encoding="utf-8")
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert said.pop("archive") == str(project / "contest.zip")
    assert said == right
    listing = plan(competition=name).settings("index", job(competition=name))
    archive = Contents(project / "contest.zip")
    found = layouts.photos(archive, listing["layout"], tasks.task(listing["task"]), strict=listing["strict"])
    assert set(found.split) >= ({"train", "test"} if "holdout" not in str(right) else {"train"})
    if "form" in right.get("submission", {}) and right["submission"]["form"] == "pixels":
        assert {f"{key}_1_1" for key in found.id[found.split == "test"]} <= set(
            archive_table(archive, right["submission"]["sample"]).column("id")
        )
    elif sample := right.get("submission", {}).get("sample"):
        asked = archive_table(archive, sample)
        assert set(found.id[found.split == "test"]) == set(asked.column(id_column(asked)))


ODD = {
    "labels of half of the photos": (
        {"train.csv": rows("file,kind", TRAIN[:10], KINDS[:10]), "sample.csv": SAMPLE, **PHOTOS},
        {"tables": TABLES, "index": {"strict": False}},
    ),
    "empty labels of some photos": (
        {"train.csv": rows("file,kind", TRAIN, ["", *KINDS[1:]]), "sample.csv": SAMPLE, **PHOTOS},
        {"tables": TABLES, "index": {"strict": False}},
    ),
    "empty cells of some numbers": (
        {
            "train.csv": rows("file,x,y", TRAIN, ["", *range(1, 20)], cycled([0.5, 1.25, 2.5], 20)),
            "sample.csv": rows("file,x,y", TEST, [0] * 6, [0] * 6),
            **PHOTOS,
        },
        {"tables": TABLES | {"train": TABLES["train"] | {"label": ["x", "y"]}}, "index": {"strict": False}},
    ),
    "litter of a Mac": (
        {"train.csv": LABELS, "sample.csv": SAMPLE, **PHOTOS, "__MACOSX/._train.csv": b"\0\5\x16\7"}
        | {f"__MACOSX/train/._{name}": b"\0" for name in TRAIN},
        {"tables": TABLES},
    ),
    "rows that stand twice and a broken table": (
        {"train.csv": LABELS + LABELS.partition(b"\n")[2], "sample.csv": SAMPLE, "x.csv": b"a,b\n1\n", **PHOTOS},
        {"tables": TABLES},
    ),
    "an id that lacks the suffix in the test table only": (
        {
            "train.csv": LABELS,
            "test.csv": rows("file", TEST),
            "sample.csv": rows("file,kind", [name[:-4] for name in TEST], ["oak"] * 6),
            **PHOTOS,
        },
        {"tables": TABLES | {"test": image("sample.csv", "test/{file}.jpg", "file")}},
    ),
}


@pytest.mark.parametrize(("members", "right"), ODD.values(), ids=ODD)
def test_an_odd_archive_is_understood_all_the_same(tmp_path: Path, members: Members, right: dict[str, Any]) -> None:
    said = looked_at(tmp_path, members).settings
    assert {key: said.get(key) for key in ("tables", "index")} == {"index": None} | right


def test_of_two_tables_with_the_same_columns_the_one_that_is_not_used_is_named(tmp_path: Path) -> None:
    two = {
        "train_a.csv": rows("file,kind", TRAIN[:12], KINDS[:12]),
        "train_b.csv": rows("file,kind", TRAIN[12:], KINDS[12:]),
    }
    found = looked_at(tmp_path, {**two, "sample.csv": SAMPLE, **PHOTOS})
    assert found.settings["tables"]["train"]["path"] == "train_a.csv"
    assert "train_b.csv has the columns of train_a.csv too: its rows are not used" in found.notes


NO_CONTEST: dict[str, tuple[Members, str]] = {
    "only photos": (photos(TRAIN), "no labels: no table lists the photos, there is no folder for each class"),
    "only test photos": (photos(f"all/test/{name}" for name in TEST), "no training photos: all photos"),
    "only tables": ({"train.csv": LABELS, "sample.csv": SAMPLE}, "no photos (there are: sample.csv, train.csv)"),
    "nothing": ({}, "no photos (it is empty)"),
    "a program": (
        {"main.py": b"print()", "logo.png": next(iter(PHOTOS.values()))},
        "no labels: no table lists the photos, there is no folder for each class, and 'logo.png' says none",
    ),
    "a header without rows": (
        {"train.csv": b"file,kind\n", "sample.csv": SAMPLE, **PHOTOS},
        "train.csv: contains no rows",
    ),
    "a sample without rows": (
        {"train.csv": LABELS, "sample.csv": b"file,kind\n", **PHOTOS},
        "sample.csv: contains no rows",
    ),
    "a test folder without a sample": (
        {"train.csv": LABELS, **PHOTOS},
        "no list of test photos: train.csv lists those to train on, but no table or sample lists others",
    ),
    "a table without a header": (
        {"train.csv": LABELS.partition(b"\n")[2], "sample.csv": SAMPLE, **PHOTOS},
        "train.csv: has no header: its first line names the photo 'a0.jpg'",
    ),
    "few photos": (
        {"train.csv": LABELS, "sample.csv": SAMPLE, **photos(f"train/{name}" for name in TRAIN[:8])}
        | photos(f"test/{name}" for name in TEST),
        "train.csv: only 40% of its rows have a photo: none is called 'a8.jpg'",
    ),
    "paths of another machine": (
        {"train.csv": rows("path,kind", [f"/home/me/{name}" for name in TRAIN], KINDS), "sample.csv": SAMPLE, **PHOTOS},
        "train.csv: 'path' says '/home/me/a0.jpg', but the archive has 'train/a0.jpg'",
    ),
    "ids that have lost their zeros": (
        {"train.csv": rows("id,kind", range(20), KINDS), "sample.csv": rows("id,kind", range(20, 26), ["oak"] * 6)}
        | photos(f"train/{n:04}.jpg" for n in range(20))
        | photos(f"test/{n:04}.jpg" for n in range(20, 26)),
        "sample.csv: no photo is called '20', but '0020' is: the table has lost the zeros",
    ),
    "a row for each label": (
        {"train.csv": LABELS, "sample.csv": rows("ID,Label", ["b0_any", "b0_other"], [0.5, 0.5]), **PHOTOS},
        "no list of test photos: train.csv lists",
    ),
    "no column of labels": (
        {"train.csv": rows("file,taken", TRAIN, ["x"] * 20), "sample.csv": SAMPLE, **PHOTOS},
        "train.csv: no column of labels (there are: file, taken)",
    ),
    "one label": (
        {"train.csv": rows("file,kind", TRAIN, ["oak"] * 20), "sample.csv": SAMPLE, **PHOTOS},
        "train.csv: all rows have the same 'kind': 'oak'",
    ),
    "several masks of a photo": (
        {
            "train.csv": rows("id,rle_mask", [*TRAIN[:10], *TRAIN[:10]], ["1 1 5 3"] * 20),
            "sample.csv": rows("id,rle_mask", TEST, ["1 1"] * 6),
        }
        | PHOTOS,
        "train.csv: photos have several rows with masks, which no task here answers",
    ),
    "a folder of masks and no test": (
        {**photos(f"train/{name}" for name in TRAIN), **photos(f"masks/{name}" for name in TRAIN)},
        "the images in 'masks' are masks, but there is no folder of test photos",
    ),
    "pixels of no test photo": (
        {
            **photos(f"train/{n}.png" for n in range(20)),
            **photos(f"train_cleaned/{n}.png" for n in range(20)),
            **photos(f"test/{n}.png" for n in range(30, 36)),
            "sample.csv": rows("id,value", ["40_1_1", "40_1_2"], [1, 1]),
        },
        "sample.csv: '40_1_1' is neither a test photo nor one of its pixels, such as 12_1_1",
    ),
    "boxes": (
        {
            "train.csv": rows("file,class_id,x_min", TRAIN, cycled([14, 0], 20), range(20)),
            "sample.csv": rows("file,PredictionString", TEST, ["14 1 0 0 1 1"] * 6),
            **PHOTOS,
        },
        "'PredictionString' holds masks or places, which no task here answers",
    ),
    "photos that cannot be read": (
        {"train.csv": LABELS, "sample.csv": SAMPLE, **dict.fromkeys(PHOTOS, b"no photo")},
        "no photo can be read: test/b0.jpg: not an image",
    ),
}


@pytest.mark.parametrize(("members", "said"), NO_CONTEST.values(), ids=NO_CONTEST)
def test_what_is_no_contest_is_refused_in_one_line_that_says_what_is_missing(
    tmp_path: Path, members: Members, said: str
) -> None:
    with pytest.raises(BadInput) as refused:
        looked_at(tmp_path, members)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadInput, match=r"notes\.txt: neither a complete zip nor a tar nor a 7z file"):
        draft(tmp_path / "notes.txt")


def grades(**more: bytes) -> Members:
    sample = rows("file,kind", TEST, [0] * 6)
    return {"train.csv": rows("file,kind", TRAIN, cycled(range(5), 20)), "sample.csv": sample, **PHOTOS, **more}


def test_the_other_answer_of_a_doubt_is_a_line_to_uncomment_with_the_metric_that_goes_with_it(tmp_path: Path) -> None:
    text = written(looked_at(tmp_path, grades()))
    assert "# kind: 5 different whole numbers from 0 to 4 in 20 rows: classes (likely)\ntask: classification\n" in text
    assert (
        "# In doubt: are the numbers grades, in this order, instead of classes? Then instead:\n# task: ordinal" in text
    )
    assert "# CHECK THIS: no description names the metric; there are: " in text
    assert "\n# metric: quadratic_kappa\n" in text
    other = text.replace("\ntask: classification\n", "\n").replace("\nmetric: accuracy\n", "\n")
    other = other.replace("# task: ordinal", "task: ordinal").replace("# metric: quad", "metric: quad")
    assert yaml.safe_load(other)["metric"] == "quadratic_kappa"


@pytest.mark.parametrize(
    ("given", "text", "task"),
    [
        ({}, b"Evaluation is by the quadratic weighted kappa.", "ordinal"),
        ({}, b"Evaluation is by balanced accuracy.", "classification"),
        ({"metric": "quadratic_kappa"}, b"", "ordinal"),
        ({"metric": "macro_f1"}, b"", None),
    ],
)
def test_a_metric_decides_between_grades_and_classes(
    tmp_path: Path, given: dict[str, str], text: bytes, task: str | None
) -> None:
    found = looked_at(tmp_path, grades(**{"README.md": text}), **given)
    assert found.settings["task"] == (task or "classification")
    assert bool(found.doubts) == (task is None)


@pytest.mark.parametrize(("metric", "form"), [("accuracy", None), ("f1", None), ("log_loss", "probability")])
def test_a_metric_decides_between_labels_and_a_probability(tmp_path: Path, metric: str, form: str | None) -> None:
    two = {"train.csv": rows("file,kind", TRAIN, cycled([0, 1], 20)), "sample.csv": rows("file,kind", TEST, [0] * 6)}
    found = looked_at(tmp_path, {**two, **PHOTOS}, metric=metric)
    assert found.settings["submission"].get("form") == form
    assert not found.doubts


def test_a_hundred_folders_of_many_photos_are_looked_at_without_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = photos(f"train/{n % 100:02}/{n}.jpg" for n in range(5000)) | photos(f"test/{n}.jpg" for n in range(500))
    members["sample.csv"] = rows("id,kind", range(500), ["00"] * 500)
    read = list[str]()
    monkeypatch.setattr(Contents, "read", lambda self, name, real=Contents.read: read.append(name) or real(self, name))
    assert looked_at(tmp_path, members).settings["names"]["train"] == "train/{label}/{id}"
    assert len(read) < 100


def test_a_table_in_an_archive_inside_the_archive_is_found(tmp_path: Path) -> None:
    found = looked_at(tmp_path, {"all.zip": zipped({"train.csv": LABELS, "sample.csv": SAMPLE, **PHOTOS})})
    assert found.settings["tables"]["train"]["path"] == "all.zip/train.csv"
    assert found.settings["unpack"] == ["all.zip"]
