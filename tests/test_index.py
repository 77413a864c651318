import hashlib
import io
import json
import logging
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import (
    GROCERY,
    LISTING,
    ROOT,
    SUBJECTS,
    TABLES,
    TASK,
    competition,
    encoded,
    photo,
    subject,
    table,
    write_tfrecord,
    write_zip,
)
from PIL import Image, ImageOps

from index import _set_aside, index
from podium.archives.delimited import format_table
from podium.photos import images, records
from podium.step import BadInput
from podium.tables import read_csv
from podium.tasks import task

MEMBERS = competition(train=2, test=1, validation=1)
OUTPUTS = ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")


def listed(folder: Path, members: dict[str, bytes], **settings: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The index and the quarantine of an archive of these members."""
    paths = [folder / name for name in OUTPUTS]
    index(write_zip(folder / "source.zip", members), *paths, **{"layout": {"tables": TABLES}} | LISTING | settings)
    return read_csv(paths[0]), read_csv(paths[1])


def edited(name: str, old: str, new: str) -> dict[str, bytes]:
    """The members with a text in one table replaced."""
    assert old in MEMBERS[name].decode()
    return MEMBERS | {name: MEMBERS[name].replace(old.encode(), new.encode())}


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in MEMBERS.items() if name not in names}


def folders(tmp_path: Path, members: dict[str, bytes], **settings: Any) -> pd.DataFrame:
    """The index of an archive of class folders."""
    layout = {"path": "", "holdout": 0.25, "seed": 0} | settings
    return listed(tmp_path, members, layout={"folders": layout})[0]


def test_every_row_of_the_tables_is_listed_in_order_with_what_its_photo_is(tmp_path: Path) -> None:
    found, quarantine = listed(tmp_path, MEMBERS)
    assert quarantine.empty
    wanted = []
    for split, spec in TABLES.items():
        rows = pd.read_csv(io.BytesIO(MEMBERS[spec["path"]]))
        rows["label"] = rows.get("label", "")
        wanted += [(name, f"{split}/{name}", label, split) for name, label in zip(rows.file, rows.label, strict=True)]
    assert list(found[["id", "file", "label", "split"]].itertuples(index=False, name=None)) == wanted
    assert (found[["width", "height"]] == 160).all(axis=None)
    assert (found.format == "JPEG").all()
    assert (found.part == found.split + "-0").all()
    assert list(found.digest) == [hashlib.sha256(MEMBERS[file]).hexdigest() for file in found.file]


@pytest.mark.parametrize("file", ["train/ch0.jpg", "validation/ch100.jpg", "test/ch200.jpg"])
@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "not an image"),
        (photo("chelsea", 0)[:400], "."),
        (photo("chelsea", 0, format="PNG")[:40], "."),
    ],
    ids=["empty", "text", "cut-jpeg", "cut-png"],
)
def test_a_photo_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, file: str, content: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole, _ = listed(tmp_path, MEMBERS)
    found, quarantine = listed(tmp_path, MEMBERS | {file: content})
    pd.testing.assert_frame_equal(found, whole[whole.file != file].reset_index(drop=True).assign(group=range(15)))
    (row,) = quarantine.to_dict("records")
    assert (row["file"], row["split"], row["id"]) == (file, *file.split("/"))
    assert row["label"] == ("" if row["split"] == "test" else "chelsea")
    assert pd.Series([row["reason"]]).str.contains(reason).all()
    assert f"1 {row['split']} photos cannot be read" in caplog.text
    assert file in caplog.text


def test_a_photo_that_is_cut_off_is_used_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut = {name: MEMBERS[name][:-800] for name in ("train/co1.jpg", "test/ch200.jpg")}
    found, quarantine = listed(tmp_path, MEMBERS | cut)
    assert quarantine.empty
    assert len(found) == 16
    noted = found[found.note != ""]
    assert set(noted.file) == set(cut)
    assert noted.note.str.contains("truncated").all()
    assert "2 photos are used only in part: see `note` in index.csv; the first is train/co1.jpg (image" in caplog.text


def deep(most: float, dtype: type = np.uint16) -> dict[str, bytes]:
    """The members with all training photos of more than 8 bits, and a brighter one among the test photos."""
    random = np.random.default_rng(0)
    names = [*(name for name in MEMBERS if name.startswith("train/")), "test/ch200.jpg"]
    format = "PNG" if dtype is np.uint16 else "TIFF"
    values = {name: random.uniform(0, most * (2 if "test" in name else 1), (20, 30)) for name in names}
    for each in values.values():
        each[0, :2] = 0, each.max().round()
    return MEMBERS | {name: encoded(Image.fromarray(each.astype(dtype)), format) for name, each in values.items()}


def shown(folder: Path, members: dict[str, bytes], **settings: Any) -> list[float] | None:
    listed(folder, members, **settings)
    return json.loads((folder / "depth.json").read_text())["range"]


@pytest.mark.parametrize(
    ("most", "dtype", "message"),
    [
        (2000, np.uint16, r"9 16-bit photos contain 0 to (\d+), and are scaled as if they contained 0 to 65535: set"),
        (100_000, np.int32, r"9 32-bit photos contain 0 to (\d+), and are scaled as if they contained 0 to 65535: set"),
        (500, np.float32, r"9 float photos contain 0 to (\d+), and each is scaled by its own largest value: set"),
        (30_000, np.uint16, None),
        (0.5, np.float32, None),
    ],
)
def test_photos_that_use_few_of_their_bits_give_a_warning_that_says_the_range(
    tmp_path: Path, most: float, dtype: type, message: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    members = deep(most, dtype)
    assert shown(tmp_path, members) is None
    if message is None:
        assert "photos contain" not in caplog.text
        return
    largest = re.search(message, caplog.text)
    assert largest
    assert f"set `index.range: [0, {largest[1]}]`, or `index.percentile: 99.9`" in caplog.text
    assert most < int(largest[1]) <= 2 * most
    caplog.clear()
    assert shown(tmp_path, members, range=[0, int(largest[1])]) == [0, int(largest[1])]
    assert "WARNING" not in caplog.text


def test_a_percentile_is_that_of_the_training_photos(tmp_path: Path) -> None:
    least, most = shown(tmp_path, deep(1000), percentile=99) or (0, 0)
    assert 5 <= least <= 15
    assert 985 <= most <= 995
    assert shown(tmp_path, deep(1000), percentile=99, threads=1) == [least, most]


def test_a_range_that_shows_nothing_is_said_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert shown(tmp_path, MEMBERS, percentile=99) is None
    assert "`index.percentile` has no effect: no photo has more than 8 bits a pixel" in caplog.text
    flat = {name: encoded(Image.new("I;16", (4, 4), 7), "PNG") for name in MEMBERS if name.startswith("train/")}
    with pytest.raises(BadInput, match=r"index\.percentile: 99 % of the training photos' values are 7"):
        shown(tmp_path, MEMBERS | flat, percentile=99)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded(Image.new("L", (1200, 1000)), "PNG"), "1200 x 1000 pixels are 1 megapixels, more than `index.max_m"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF files need a package: "),
    ],
    ids=["large", "heic"],
)
def test_what_a_setting_or_a_package_would_make_readable_stops_or_is_set_aside(
    tmp_path: Path, content: bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    members = MEMBERS | {"test/ch200.jpg": content}
    with pytest.raises(BadInput) as refused:
        listed(tmp_path, members, max_megapixels=1)
    assert str(refused.value).startswith(f"test/ch200.jpg: {message}")
    found, quarantine = listed(tmp_path, members, max_megapixels=1, strict=False)
    assert len(found) == 15
    assert quarantine.reason[0].startswith(message)


def test_a_member_with_a_wrong_checksum_is_set_aside(tmp_path: Path) -> None:
    source = write_zip(tmp_path / "source.zip", MEMBERS)
    data, content = source.read_bytes(), MEMBERS["train/fl1.jpg"]
    source.write_bytes(data.replace(content, content[:-100] + bytes(98) + content[-2:]))
    paths = [tmp_path / name for name in OUTPUTS]
    index(source, *paths, layout={"tables": TABLES}, **LISTING)
    assert list(read_csv(paths[1]).file) == ["train/fl1.jpg"]
    assert "train/fl1.jpg: damaged" in read_csv(paths[1]).reason[0]
    assert len(read_csv(paths[0])) == 15


def test_photos_of_many_forms_are_listed_as_a_viewer_would_show_them(tmp_path: Path) -> None:
    wide = subject("coffee").resize((90, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    forms = {
        "ch0": (encoded(wide, "PNG"), "PNG"),  # in a file named .jpg
        "co0": (encoded(wide.convert("CMYK"), "JPEG"), "JPEG"),
        "fl0": (encoded(wide.convert("L"), "JPEG"), "JPEG"),
        "te0": (encoded(wide.quantize(16), "PNG"), "PNG"),
        "ch1": (encoded(wide.convert("L").convert("I;16"), "PNG"), "PNG"),
        "co1": (encoded(wide, "JPEG", exif=exif), "JPEG"),
        "fl1": (encoded(wide, "TIFF"), "TIFF"),
        "te1": (encoded(wide.convert("RGBA"), "WEBP"), "WEBP"),
    }
    found, quarantine = listed(tmp_path, MEMBERS | {f"train/{name}.jpg": data for name, (data, _) in forms.items()})
    assert quarantine.empty
    train = found[found.split == "train"].set_index("id")
    for name, (data, format) in forms.items():
        width, height = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size
        assert tuple(train.loc[f"{name}.jpg", ["width", "height", "format"]]) == (width, height, format)


@pytest.mark.parametrize(
    "name, old, new, message",
    [
        ("train.csv", "ch0.jpg", "gone.jpg", "train.csv: line 2: 'train/gone.jpg' is not in the archive"),
        ("train.csv", "ch0.jpg,chelsea\n", "", "train/ch0.jpg: no table has a row for this file"),
        (
            "train.csv",
            "ch0.jpg,chelsea",
            "ch0,chelsea",
            "train.csv: line 2: 'train/ch0' is not in the archive, but 'train/ch0.jpg' is (`strict: false` sets",
        ),
        (
            "train.csv",
            "ch0.jpg,chelsea\n",
            "ch0.jpg,chelsea\nch0.jpg,coffee\n",
            "train.csv: line 3: 'ch0.jpg' has two labels, 'chelsea' in line 2 and 'coffee'",
        ),
        (
            "train.csv",
            "file,label",
            "file,kind",
            "train.csv: no column 'label', which tables.train.label names (there are: f",
        ),
        ("test.csv", "file", "photo", "test.csv: no column 'file', which tables.test.id names (there are: photo)"),
        (
            "train.csv",
            "ch0.jpg,chelsea",
            "ch0.jpg,",
            "train.csv: line 2: the label is empty (`strict: false` sets such rows aside)",
        ),
        ("train.csv", "ch0.jpg,chelsea", ",chelsea", "train.csv: line 2: the id is empty"),
        (
            "train.csv",
            "ch0.jpg,chelsea",
            'ch0.jpg,"chel\nsea"',
            "train.csv: line 3: 'ch0.jpg' or its label contains a line break",
        ),
        ("train.csv", "ch0.jpg,chelsea", "ch0.jpg,chelsea,x", "train.csv: line 2 has 3 cells, but the header has 2"),
        (
            "validation.csv",
            "co100.jpg,coffee",
            "co100.jpg,dog",
            "validation.csv: line 3: no training photo has the label 'dog'",
        ),
    ],
)
def test_a_mismatch_stops_and_names_its_row_file_or_column(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(BadInput) as refused:
        listed(tmp_path, edited(name, old, new))
    assert str(refused.value).startswith(message)
    assert not (tmp_path / "index.csv").exists()


@pytest.mark.parametrize("name", ["train.csv", "validation.csv"])
def test_a_missing_table_is_named_beside_those_that_are_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=rf"{name}: not in the archive \(its tables: .*test\.csv"):
        listed(tmp_path, without(name))


def test_a_column_of_the_image_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    tables = TABLES | {"test": TABLES["test"] | {"image": "test/{photo}.jpg"}}
    with pytest.raises(BadInput, match=r"test\.csv: no column 'photo'"):
        listed(tmp_path, MEMBERS, layout={"tables": tables})


def plain_ids(*suffixes: str) -> dict[str, bytes]:
    """The members, their tables without suffixes, the training photos with these in turn."""
    members = {name: data.replace(b".jpg", b"") if name.endswith(".csv") else data for name, data in MEMBERS.items()}
    for number, name in enumerate(name for name in MEMBERS if name.startswith("train/")):
        members[name.removesuffix(".jpg") + suffixes[number % len(suffixes)]] = members.pop(name)
    return members


def with_suffix(suffix: str) -> dict[str, Any]:
    """The layout whose tables have ids without suffixes, with this one in the training table."""
    tables = {split: spec | {"image": f"{spec['image']}.jpg"} for split, spec in TABLES.items()}
    return {"tables": tables | {"train": TABLES["train"] | {"image": f"train/{{file}}{suffix}"}}}


@pytest.mark.parametrize(
    ("there", "written", "found", "right"),
    [
        ([".jpg"], "", "train/ch0.jpg", ".jpg"),
        ([".JPG"], ".jpg", "train/ch0.JPG", ".JPG"),
        ([".png"], ".jpeg", "train/ch0.png", ".png"),
        ([".jpg", ".png"], ".png", "train/ch0.jpg", ".*"),
        ([".jpg", ".png"], "", "train/ch0.jpg", ".*"),
        ([""], ".jpg", "train/ch0", ""),
        ([".v2.jpg"], ".jpg", None, None),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_a_template_of_another_suffix_is_answered_by_the_right_one(
    tmp_path: Path, there: list[str], written: str, found: str | None, right: str | None, strict: bool
) -> None:
    members = plain_ids(*there)
    some = not strict and there == [".jpg", ".png"] and written == ".png"  # so half of the rows are found
    if not some:
        with pytest.raises(BadInput) as refused:
            listed(tmp_path, members, layout=with_suffix(written), strict=strict)
        missing = f"train.csv: line 2: 'train/ch0{written}' is not in the archive"
        hint = f"{missing}, but '{found}' is: write image: \"train/{{file}}{right}\""
        assert str(refused.value) == (hint if found else f"{missing}, nor is any other file of this table")
    if right is not None:
        assert listed(tmp_path, members, layout=with_suffix(right))[1].empty


def test_whichever_suffix_a_photo_has_it_is_found_and_of_two_the_first_is_taken_only_if_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = plain_ids(".jpg", ".PNG") | {"train/ch0.txt": b"no photo", "train/ch0.jpg.bak": b"nor this"}
    found, _ = listed(tmp_path, members, layout=with_suffix(".*"))
    assert sorted(found.file[:2]) == ["train/ch0.jpg", "train/co0.PNG"]
    assert list(found.id[:2]) == ["ch0", "co0"]
    members["train/ch0.png"] = photo("coffee", 7, format="PNG")
    message = (
        "train.csv: line 2: 'train/ch0.jpg' and 'train/ch0.png' both fit 'train/ch0.*' (`strict: false` takes the f"
    )
    with pytest.raises(BadInput, match=re.escape(message)):
        listed(tmp_path, members, layout=with_suffix(".*"))
    assert listed(tmp_path, members, layout=with_suffix(".*"), strict=False)[0].equals(found)
    assert "train.csv: several photos fit each of 1 rows; the first is taken" in caplog.text
    assert "left out 1 files for which no table has a row, such as train/ch0.png" in caplog.text


def test_a_row_that_stands_there_twice_counts_once_and_another_one_of_its_id_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, _ = listed(tmp_path, MEMBERS)
    for name, row in (("train.csv", "co0.jpg,coffee\n"), ("test.csv", "fl200.jpg\n")):
        found, _ = listed(tmp_path, edited(name, row, row * 3))
        pd.testing.assert_frame_equal(found, whole)
        said = (
            "line 4 repeats line 3, line 5 repeats line 3" if name == "train.csv" else "line 5 repeats line 4, line 6"
        )
        assert f"{name}: repeated rows count once: {said}" in caplog.text
    members = MEMBERS | {"train.csv": MEMBERS["train.csv"].replace(b"\n", b",1\n").replace(b"label,1", b"label,site")}
    twice = members["train.csv"] + b"co0.jpg,coffee,2\n"
    layout = {"tables": TABLES | {"train": TABLES["train"] | {"group": "site"}}}
    message = r"train\.csv: line 10: 'co0\.jpg' occurs twice: 'site' is '1' in line 3 and '2'"
    with pytest.raises(BadInput, match=message):
        listed(tmp_path, members | {"train.csv": twice}, layout=layout)


def test_tables_of_windows_name_photos_and_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for encoding in ("cp1252", "utf-16"):
        members = edited("train.csv", "ch0.jpg,chelsea", "brûlée.jpg,crème")
        members["train.csv"] = members["train.csv"].decode().replace("\n", "\r\n").encode(encoding)
        members["train/brûlée.jpg"] = members.pop("train/ch0.jpg")
        found, _ = listed(tmp_path, members)
        assert found.loc[0, ["id", "file", "label"]].to_list() == ["brûlée.jpg", "train/brûlée.jpg", "crème"]
    assert caplog.text.count("line 2 is not UTF-8, so the table is read as cp1252 (Windows): 'brûlée.jpg,crème'") == 1


def warned(tmp_path: Path, caplog: pytest.LogCaptureFixture, labels: list[str]) -> list[str]:
    """What is said of the labels of a table of so many copies of one photo."""
    members = {name: data for name, data in MEMBERS.items() if name.startswith("test")}
    members |= {f"train/{number}": photo("coffee", 0, 8) for number in range(len(labels))}
    rows = [[str(number), label] for number, label in enumerate(labels)]
    members["train.csv"] = format_table(["file", "price"], rows).encode()
    tables = {"train": TABLES["train"] | {"label": "price"}, "test": TABLES["test"]}
    caplog.clear()
    listed(tmp_path, members, layout={"tables": tables})
    return [said for said in caplog.messages if "class of its own" in said or "classes of their own" in said]


TAGS = ["clear primary", "haze primary water", "clear primary water", "haze road", "clear road water", "primary road"]
DISHES = ["Bananas, apples & pears", "Eggs", "Salad & cress", "Beer, wine & spirits", "Milk, butter & cheese"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [f"{number * 1.5 + 0.05:.2f}" for number in range(28)] * 2,
            "'price' contains 28 different numbers in 56 rows: a n",
        ),
        ([str(number % 10) for number in range(60)], None),
        ([str(number) for number in range(30)] * 4, None),
        ([*map(str, range(40)), "none"], None),
        (TAGS * 3, "'price' looks like several labels per photo (`task: multilabel`), such as 'clear primary'"),
        (["a;b", "b;c", "a;c"], "'price' looks like several labels per photo (`task: multilabel`), such as 'a;b'"),
        (["['a', 'b']", "['a']", "['b', 'c']", "['a', 'c', 'b']"], "'price' looks like several labels per photo"),
        (DISHES * 2, None),
        (["red rose", "red tulip", "yellow rose", "yellow tulip"], None),
        ([f"{euros},{cents}" for euros in range(5) for cents in ("49", "99")], None),
        (
            ["Cat", "dog", "cat", " dog", "cat", "cow"],
            "labels that differ only in case or spaces are classes of their own: "
            "' dog' (1 photos) and 'dog' (1 photos), 'Cat' (1 photos) and 'cat' (2 photos)",
        ),
        (["A", "a", "B", "b"], None),
    ],
)
def test_labels_that_may_mean_another_task_or_one_class_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, labels: list[str], message: str | None
) -> None:
    said = warned(tmp_path, caplog, labels)
    assert len(said) == (message is not None)
    assert all(each.startswith(f"WARNING: {message}") for each in said)


def test_a_column_of_ids_in_the_place_of_labels_gives_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warned(tmp_path, caplog, [f"img_{number:x}" for number in range(40)])
    assert "WARNING: 'price' has 40 different labels in 40 rows, too few of each to learn from" in caplog.text
    warned(tmp_path, caplog, [f"breed {number % 20}" for number in range(40)])
    assert "too few of each" not in caplog.text


def test_a_wrong_folder_is_answered_by_where_the_file_is(tmp_path: Path) -> None:
    tables = {**TABLES, "train": TABLES["train"] | {"image": "photos/{file}"}}
    with pytest.raises(
        BadInput, match=r"'photos/ch0\.jpg' is not in the archive, but 'train/ch0\.jpg' is: correct the"
    ):
        listed(tmp_path, MEMBERS, layout={"tables": tables})


def test_a_share_of_the_photos_whose_names_say_their_labels_is_held_out(tmp_path: Path) -> None:
    members = {f"{label}.{number}.jpg": photo(label, number) for label in ("coffee", "temple") for number in range(4)}
    layout = {"names": {"train": "{label}.{number}.*", "holdout": 0.25, "seed": 0}}
    found = listed(tmp_path, members, layout=layout)[0]
    assert found.groupby("split").label.value_counts().to_dict() == {
        **{("test", label): 1 for label in ("coffee", "temple")},
        **{("train", label): 3 for label in ("coffee", "temple")},
    }
    assert set(found.id) == set(found.file) == set(members)


def test_labels_of_class_folders_are_looked_at_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders(tmp_path, shop({"Tea": 4, "tea": 4, "milk": 4}))
    assert "classes of their own: 'Tea' (4 photos) and 'tea' (4 photos)" in caplog.text


def test_a_control_character_in_a_name_breaks_no_line(tmp_path: Path) -> None:
    """Neither of the index nor of the quarantine; the photo itself is read under its escaped name."""
    odd = "shop/te\x1ba/one\rtwo\nthree\tfour\u2028.png"
    members = shop({"apple": 8, "tea": 4}) | {odd: photo("coffee", 0, 8, "PNG"), f"{odd}.txt": b"no photo"}
    found, broken = listed(tmp_path, members, layout={"folders": {"path": "", "holdout": 0.25, "seed": 0}})
    plain = r"te\x1ba/one\rtwo\nthree\tfour\u2028.png"
    assert found.set_index("id").loc[plain, ["file", "label"]].to_list() == [plain, r"te\x1ba"]
    assert (broken.id[0], broken.reason[0]) == (f"{plain}.txt", "not an image")
    lines = [(tmp_path / name).read_bytes().decode().splitlines() for name in ("index.csv", "quarantine.csv")]
    assert [len(each) for each in lines] == [len(found) + 1, 2]
    assert all(line.isprintable() for each in lines for line in each)


def test_a_control_character_in_a_reason_breaks_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(data: bytes) -> tuple[int, int, str]:
        raise images.Unreadable(f"no such chunk: {data[:3].decode()!s}")

    plain = images.Seen(8, 8, "JPEG", "", None)
    monkeypatch.setattr("index.images.examine", lambda data, _: unreadable(data) if data[:1] == b"\n" else plain)
    listed(tmp_path, MEMBERS | {"train/ch0.jpg": b"\n\x1b\t"})
    assert (tmp_path / "quarantine.csv").read_bytes().count(b"\n") == 2
    assert (tmp_path / "quarantine.csv").read_text().endswith("no such chunk: \\n\\x1b\\t\n")


def test_without_strict_rows_without_a_label_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole, _ = listed(tmp_path, MEMBERS)
    members = edited("train.csv", "ch0.jpg,chelsea", "ch0.jpg,") | {
        "validation.csv": MEMBERS["validation.csv"].replace(b"co100.jpg,coffee", b"co100.jpg, ")
    }
    found, quarantine = listed(tmp_path, members, strict=False)
    assert list(quarantine.file) == ["train/ch0.jpg", "validation/co100.jpg"]
    assert set(quarantine.reason) == {"the label is empty"}
    assert list(found.file) == [file for file in whole.file if file not in set(quarantine.file)]
    assert (
        "2 rows have no label and are left out: see quarantine.csv; the first is that of train/ch0.jpg" in caplog.text
    )


@pytest.mark.parametrize(
    ("task", "cells"),
    [
        ({"ordinal": {"fit": "cumulative"}}, ["0", "1"]),
        ({"regression": {"range": None, "columns": ["label"]}}, ["0.0", "1.5"]),
    ],
)
def test_rows_without_a_grade_or_a_number_are_set_aside_too(
    tmp_path: Path, task: dict[str, Any], cells: list[str]
) -> None:
    graded = {name: MEMBERS[name] for name in ("train.csv", "validation.csv")}
    for place, name in enumerate(SUBJECTS):
        cell = f",{cells[place % 2]}".encode()
        graded = {table: rows.replace(f",{name}".encode(), cell) for table, rows in graded.items()}
    graded["train.csv"] = graded["train.csv"].replace(b"ch0.jpg," + cells[0].encode(), b"ch0.jpg,")
    found, quarantine = listed(tmp_path, MEMBERS | graded, strict=False, task=task)
    assert list(quarantine.file) == ["train/ch0.jpg"]
    assert len(found) == 15


def test_without_strict_missing_files_are_set_aside_and_unlisted_ones_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = edited("train.csv", "ch0.jpg,chelsea", "gone.jpg,chelsea")
    found, quarantine = listed(tmp_path, members, strict=False)
    assert quarantine[["file", "reason"]].values.tolist() == [["train/gone.jpg", "not in the archive"]]
    assert "train/ch0.jpg" not in set(found.file)
    assert len(found) == 15
    assert "left out 1 files for which no table has a row, such as train/ch0.jpg" in caplog.text


def test_files_that_are_no_photos_need_no_row(tmp_path: Path) -> None:
    found, _ = listed(tmp_path, MEMBERS | {"train/README.txt": b"", "other/extra.jpg": photo("coffee", 9)})
    assert len(found) == 16


def test_labels_and_ids_survive_whatever_they_hold(tmp_path: Path) -> None:
    labels = ["a, b", "tab\there", "Tom & Jerry", "crème 東京", 'say "hi"', "NA", " led ", "007", "1e5", "true", "-"]
    ids = [f"{label}.png" for label in labels]
    photos = {f"train/{number}": photo("coffee", number, 16, "PNG") for number in range(len(labels))}
    rows = [[key, str(number), label] for number, (key, label) in enumerate(zip(ids, labels, strict=True))]
    members = without("validation.csv", "train.csv") | photos
    members["train.csv"] = format_table(["name", "file", "label"], rows).encode()
    tables = {"train": TABLES["train"] | {"id": "name"}, "test": TABLES["test"]}
    found, _ = listed(tmp_path, members, layout={"tables": tables}, strict=False)
    train = found[found.split == "train"]
    assert list(train.label) == labels
    assert list(train.id) == ids


def test_an_id_may_be_the_name_of_another_photo_s_file(tmp_path: Path) -> None:
    rows = [["ch0.jpg", "fl0.jpg", "flower"], ["fl0.jpg", "ch0.jpg", "chelsea"]]
    members = {f"{name}.jpg": MEMBERS[f"train/{name}.jpg"] for name in ("ch0", "fl0")}
    members |= {"train.csv": table(["name", "file", "label"], rows), "test.csv": MEMBERS["test.csv"]}
    members |= {name: data for name, data in MEMBERS.items() if name.startswith("test/")}
    train = {"path": "train.csv", "image": "{file}", "id": "name", "label": "label"}
    found, _ = listed(tmp_path, members, layout={"tables": {"train": train, "test": TABLES["test"]}})
    assert found[["id", "file"]].values.tolist()[:2] == [row[:2] for row in rows]


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_file_is_found_in_either_unicode_form(tmp_path: Path, stored: str, written: str) -> None:
    name = "crème.jpg"
    members = edited("train.csv", "ch0.jpg", unicodedata.normalize(written, name))
    members[f"train/{unicodedata.normalize(stored, name)}"] = members.pop("train/ch0.jpg")
    found, quarantine = listed(tmp_path, members)
    assert (len(found), len(quarantine)) == (16, 0)


def test_a_single_top_folder_is_looked_through(tmp_path: Path) -> None:
    found, _ = listed(tmp_path, {f"hackathon/{name}": content for name, content in MEMBERS.items()})
    assert len(found) == 16


@pytest.mark.parametrize("shards", [1, 3, 8, 20])
def test_shards_cut_each_split_into_runs_of_nearly_equal_length(tmp_path: Path, shards: int) -> None:
    found, _ = listed(tmp_path, MEMBERS, shards=shards)
    for split, own in found.groupby("split"):
        numbers = own.part.str.removeprefix(f"{split}-").astype(int)
        assert numbers.is_monotonic_increasing
        assert numbers.between(0, shards - 1).all()
        sizes = numbers.value_counts().reindex(range(shards), fill_value=0)
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("threads", [1, 8])
def test_the_number_of_threads_changes_nothing(tmp_path: Path, threads: int) -> None:
    usual, _ = listed(tmp_path, MEMBERS)
    pd.testing.assert_frame_equal(listed(tmp_path, MEMBERS, threads=threads)[0], usual)


@pytest.mark.parametrize("file", ["validation/ch100.jpg", "test/ch200.jpg"])
def test_a_training_photo_in_another_split_gives_a_warning(
    tmp_path: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    listed(tmp_path, MEMBERS)
    assert "also training photos" not in caplog.text
    listed(tmp_path, MEMBERS | {file: MEMBERS["train/ch1.jpg"]})
    assert f"1 {file.split('/', maxsplit=1)[0]} photos are also training photos, such as {file}" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def patients(names: dict[str, str], *splits: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The members with a column of patients in the tables of these splits, empty where a file has no name here."""
    members, tables = dict(MEMBERS), dict(TABLES)
    for split in splits:
        rows = [line.split(",") for line in MEMBERS[f"{split}.csv"].decode().splitlines()[1:]]
        rows = [[*row, names.get(row[0], "")] for row in rows]
        members[f"{split}.csv"] = table(["file", "label", "patient"], rows)
        tables[split] = TABLES[split] | {"group": "patient"}
    return members, {"tables": tables}


def test_photos_of_one_name_and_copies_belong_together_and_chains_join(tmp_path: Path) -> None:
    """co0 is a copy of ch0; fl0 is another photo of ch0's patient, fl1 of co0's; te1 is alone."""
    names = {"ch0.jpg": "anna", "co0.jpg": "ben", "fl0.jpg": "anna", "fl1.jpg": "ben", "ch1.jpg": "7", "te0.jpg": "7"}
    members, layout = patients(names, "train")
    members["train/co0.jpg"] = members["train/ch0.jpg"]
    found = listed(tmp_path, members, layout=layout)[0].set_index("id").group
    chain = ["ch0.jpg", "co0.jpg", "fl0.jpg", "fl1.jpg"]
    assert found[chain].nunique() == 1
    assert found["ch1.jpg"] == found["te0.jpg"]
    assert found.nunique() == len(found) - 4
    assert list(found.drop_duplicates()) == list(range(found.nunique()))
    plain = listed(tmp_path, members)[0].set_index("id").group
    assert plain["ch0.jpg"] == plain["co0.jpg"]
    assert plain.nunique() == len(plain) - 1


def test_an_unknown_column_of_groups_is_named(tmp_path: Path) -> None:
    tables = TABLES | {"validation": TABLES["validation"] | {"group": "patient"}}
    with pytest.raises(BadInput, match=r"no column 'patient', which tables\.validation\.group names \(there are: f"):
        listed(tmp_path, MEMBERS, layout={"tables": tables})


def test_a_group_in_training_and_validation_gives_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its validation photos count all the same, but for copies, which have a warning of their own."""
    names = {"ch0.jpg": "anna", "co100.jpg": "anna", "te100.jpg": "zoe", "fl100.jpg": "zoe"}
    members, layout = patients(names, "train", "validation")
    listed(tmp_path, members | {"validation/ch100.jpg": MEMBERS["train/ch0.jpg"]}, layout=layout)
    assert caplog.messages == [
        "WARNING: 1 validation photos are also training photos, such as validation/ch100.jpg",
        "WARNING: 1 validation photos share a group with training photos, such as validation/co100.jpg: "
        "scores on them are too optimistic",
    ]


def test_a_training_photo_under_two_labels_gives_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed(tmp_path, MEMBERS | {"train/co1.jpg": MEMBERS["train/ch0.jpg"]})
    assert "1 training photos have copies with other labels, such as train/ch0.jpg" in caplog.text


def test_it_stops_where_nothing_can_be_learned(tmp_path: Path) -> None:
    unreadable = {name: b"" for name in MEMBERS if name.startswith(("train/ch", "train/co", "train/fl"))}
    with pytest.raises(BadInput, match=r"1 classes among the 2 training photos.*train/ch0\.jpg \(the file is empty\)"):
        listed(tmp_path, MEMBERS | unreadable)


def test_unreadable_test_photos_stop_nothing_even_if_all_are(tmp_path: Path) -> None:
    found, broken = listed(tmp_path, MEMBERS | {name: b"" for name in MEMBERS if name.startswith("test/")})
    assert set(found.split) == {"train", "validation"}
    assert set(broken.split) == {"test"}


def test_one_file_with_other_labels_in_other_tables_stops(tmp_path: Path) -> None:
    tables = TABLES | {"validation": TABLES["validation"] | {"image": "train/{file}"}}
    members = MEMBERS | {"validation.csv": table(["file", "label"], [["ch0.jpg", "coffee"]])}
    with pytest.raises(
        BadInput, match=r"'train/ch0.jpg' has two labels: 'chelsea' \(train\) and 'coffee' \(validation\)"
    ):
        listed(tmp_path, members, layout={"tables": tables})


def shop(counts: dict[str, int]) -> dict[str, bytes]:
    """A folder of small photos for each class."""
    return {
        f"shop/{label}/{number}.png": photo("flower", number * 10 + place, 8, "PNG")
        for place, (label, count) in enumerate(counts.items())
        for number in range(count)
    }


def test_class_folders_are_labels_and_a_share_of_each_is_held_out(tmp_path: Path) -> None:
    found = folders(tmp_path, shop({"apple": 8, "milk, fresh": 4, "tea": 1}) | {"LICENSE.txt": b""}, path="shop/")
    assert list(found.file) == [f"shop/{key}" for key in found.id]
    assert list(found.label) == [key.split("/")[0] for key in found.id]
    counts = pd.crosstab(found.label, found.split)
    assert counts.to_dict() == {
        "test": {"apple": 2, "milk, fresh": 1, "tea": 0},
        "train": {"apple": 6, "milk, fresh": 3, "tea": 1},
    }


def test_a_share_of_the_records_of_tfrecord_files_is_held_out(tmp_path: Path) -> None:
    members = {}
    for part in range(2):
        own = [
            records.Record(f"{label}{number}", photo(label, number, 8), label)
            for number in range(4 * part, 4 * part + 4)
            for label in ("coffee", "flower")
        ]
        records.write(tmp_path / "part", own)
        members[f"part-{part}.tfrecord"] = (tmp_path / "part").read_bytes()
    features = {"train": "*.tfrecord", "image": "image", "label": "label", "id": "id"}
    layout = {"tfrecord": features | {"holdout": 0.25, "seed": 0}}
    found, _ = listed(tmp_path, members, layout=layout)
    assert pd.crosstab(found.label, found.split).values.tolist() == [[2, 6], [2, 6]]
    assert sorted(found.id) == sorted(f"{label}{number}" for label in ("coffee", "flower") for number in range(8))
    for row in found.itertuples():
        assert row.digest == hashlib.sha256(photo(row.label, int(row.id[-1]), 8)).hexdigest()
    with pytest.raises(BadInput, match=r"tfrecord\.holdout: a share of 0\.01 of each class is less than one photo"):
        listed(tmp_path, members, layout={"tfrecord": features | {"holdout": 0.01, "seed": 0}})


def bursts(folder: Path, *sizes: int) -> dict[str, bytes]:
    """A TFRecord file of bursts of so many photos: coffee and flower in turn, every third one of both."""
    made = []
    for number, size in enumerate(sizes):
        for shot in range(size):
            label = ("coffee", "flower")[(number + (shot if number % 3 == 2 else 0)) % 2]
            made.append({"image": photo(label, 100 * number + shot, 8), "label": label.encode(), "burst": number})
    return {"train": write_tfrecord(folder / "train", *made).read_bytes()}


@pytest.mark.parametrize("seed", range(4))
def test_whole_groups_are_held_out_as_near_to_the_share_as_they_allow(tmp_path: Path, seed: int) -> None:
    members, sizes = bursts(tmp_path, *[5, 1, 4, 2, 3, 6, 2] * 4), pd.Series([5, 1, 4, 2, 3, 6, 2] * 4)
    features = {"train": "train", "image": "image", "label": "label", "group": "burst"}
    found, _ = listed(tmp_path, members, layout={"tfrecord": features | {"holdout": 0.25, "seed": seed}})
    assert (found.groupby("group").split.nunique() == 1).all()
    assert sorted(found.groupby("group").size()) == sorted(sizes)
    counts = pd.crosstab(found.label, found.split)
    assert (abs(counts.test - 0.25 * counts.sum(axis=1)) <= max(sizes)).all()


def test_validation_records_stay_what_they_are_beside_a_share_held_out(tmp_path: Path) -> None:
    members = bursts(tmp_path, *[1] * 16)
    members["valid"] = bursts(tmp_path, *[2] * 3)["train"]
    features = {"train": "train", "validation": "valid", "image": "image", "label": "label"}
    found, _ = listed(tmp_path, members, layout={"tfrecord": features | {"holdout": 0.25, "seed": 0}})
    assert found.split.drop_duplicates().tolist() == ["train", "validation", "test"]
    assert list(found.file[found.split == "validation"]) == [f"valid#{number}" for number in range(6)]
    assert found.split.value_counts()[["train", "test"]].tolist() == [12, 4]


def test_what_is_held_out_depends_on_the_seed_alone(tmp_path: Path) -> None:
    members = shop({"apple": 12, "milk": 12})
    first, again, other = (
        set(folders(tmp_path, members, seed=seed).query("split == 'test'").file) for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize("holdout", [0.25, 0.9])
@pytest.mark.parametrize("seed", range(6))
def test_copies_stay_on_one_side_and_no_class_leaves_the_training(tmp_path: Path, seed: int, holdout: float) -> None:
    members = shop({"apple": 6, "milk": 3, "tea": 1})
    members |= {f"shop/apple/copy{number}.png": members[f"shop/apple/{number}.png"] for number in range(3)}
    found = folders(tmp_path, members, seed=seed, holdout=holdout)
    assert (found.groupby("digest").split.nunique() == 1).all()
    assert set(found.label[found.split == "train"]) == {"apple", "milk", "tea"}
    assert found.split.is_monotonic_decreasing


@pytest.mark.parametrize("seed", range(6))
def test_a_class_of_another_s_copies_stays_in_the_training(tmp_path: Path, seed: int) -> None:
    members = shop({"apple": 3, "milk": 3})
    members |= {f"shop/tea/{number}.png": members[f"shop/apple/{number}.png"] for number in range(2)}
    found = folders(tmp_path, members, seed=seed, holdout=0.6)
    assert (found.groupby("digest").split.nunique() == 1).all()
    assert set(found.label[found.split == "train"]) == {"apple", "milk", "tea"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"folders\.path: the archive has no folder of photos below 'market/'"):
        folders(tmp_path, shop({"apple": 2, "milk": 2}), path="market")


@pytest.mark.skipif(not GROCERY.is_file(), reason="the hackathon's zip is not there")
def test_the_real_hackathon_is_read_whole(tmp_path: Path) -> None:
    facts = yaml.safe_load((ROOT / "config/competitions/grocery.yaml").read_text())
    paths = [tmp_path / name for name in OUTPUTS]
    index(GROCERY, *paths, layout={"tables": facts["tables"]}, **LISTING)
    found = read_csv(paths[0])
    assert found.split.value_counts().to_dict() == {"train": 2640, "test": 2485, "validation": 296}
    assert len(TASK.taught(found)) == 81
    assert read_csv(paths[1]).empty


def test_no_label_loses_its_last_training_photo_to_the_test_part() -> None:
    """`z` is never the rarest label of its photos."""
    labels = ['["a", "z"]', '["a"]', '["b", "z"]', '["b"]']
    photos = pd.DataFrame({"label": labels, "split": "train", "digest": list("1234"), "group": range(4)})
    several = task({"multilabel": {"separator": " "}})
    for seed in range(20):
        left = _set_aside(several, photos, "folders", 0.5, seed)
        assert several.taught(left) == ["a", "b", "z"]
        assert (left.split == "test").any()
