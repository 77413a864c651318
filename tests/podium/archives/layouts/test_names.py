from pathlib import Path
from typing import Any

import pytest
from conftest import TASK, write_zip

from podium.archives import layouts
from podium.archives.opening import Archive
from podium.step import BadInput

Row = tuple[str, str, str, str]


def listed(folder: Path, files: list[str], strict: bool = True, **names: Any) -> list[Row]:
    """Split, id, label and file of each photo, and its group if it has one."""
    archive = Archive(write_zip(folder / "source.zip", {file: file.encode() for file in files}))
    found, read = (
        layouts.photos(archive, {"names": names}, TASK, strict=strict),
        layouts.reader(archive, {"names": names}),
    )
    assert list(found.columns) == layouts.LISTED
    assert all(read(file) == file.encode() for file in found.file)
    assert (found.reason == "").all()
    columns = ["split", "id", "label", "file", *(["group"] if (found.group != "").any() else [])]
    return list(found[columns].itertuples(index=False, name=None))


def test_class_folders_beside_a_folder_of_test_photos(tmp_path: Path) -> None:
    files = ["train/cat/1.png", "train/dog, big/2.jpg", "train/notes.txt", "test/3.jpg", "test/notes.txt", "sample.csv"]
    assert listed(tmp_path, files, train="train/{label}/{id}", test="test/{id}") == [
        ("train", "1.png", "cat", "train/cat/1.png"),
        ("train", "2.jpg", "dog, big", "train/dog, big/2.jpg"),
        ("test", "3.jpg", "", "test/3.jpg"),
    ]


@pytest.mark.parametrize(
    ("pattern", "file", "wanted"),
    [
        ("train/{label}.{number}.jpg", "train/cat.12.jpg", ("cat.12.jpg", "cat")),
        ("train/{label}.{id}.*", "train/cat.12.PNG", ("12", "cat")),
        ("train/{label}.{id}", "train/cat.12.jpg", ("jpg", "cat.12")),  # a name takes as much as it can
        ("train/{label}_{number}.*", "train/new_york_12.jpg", ("new_york_12.jpg", "new_york")),
        ("train/{label}/{label}_{id}.*", "train/a_b/a_b_c.jpg", ("c", "a_b")),
        ("{group}/x/{label}/{file}", "train/x/cat/1.jpg", ("train/x/cat/1.jpg", "cat", "train")),
        ("train/{label}/{a b}/{id}.*", "train/crème/[1]+/1.2.840.jpg", ("1.2.840", "crème")),
        ("a+b (1)/{label}-{id}", "a+b (1)/cat-1", ("1", "cat")),
    ],
)
def test_what_a_path_says(tmp_path: Path, pattern: str, file: str, wanted: tuple[str, ...]) -> None:
    (_, key, label, _, *group), *_ = listed(tmp_path, [file, "test/1.jpg"], train=pattern, test="test/{id}.*")
    assert (key, label, *group) == wanted


def test_a_name_that_occurs_twice_stands_for_the_same_text(tmp_path: Path) -> None:
    files = ["train/cat/cat_1.jpg", "train/cat/dog_1.jpg", "test/1.jpg"]
    pattern = {"train": "train/{label}/{label}_{id}.jpg", "test": "test/{id}.jpg"}
    assert len(listed(tmp_path, files, strict=False, **pattern)) == 2
    with pytest.raises(BadInput, match=r"does not fit 'train/cat/dog_1\.jpg' \(`strict"):
        listed(tmp_path, files, **pattern)


def test_a_photo_that_several_patterns_fit_belongs_to_the_first_split(tmp_path: Path) -> None:
    files = ["images/3.jpg", "images/cat-2.jpg", "images/cat_1.jpg", "sample.csv"]
    patterns = {"train": "images/{label}_{id}.jpg", "validation": "images/{label}-{id}.jpg", "test": "images/{id}.jpg"}
    found = [row[:3] for row in listed(tmp_path, files, **patterns)]
    assert found == [("train", "1", "cat"), ("validation", "2", "cat"), ("test", "3", "")]


def test_test_photos_have_the_labels_that_their_pattern_says(tmp_path: Path) -> None:
    files = ["train/cat/1.jpg", "test/dog/1.jpg"]
    found = listed(tmp_path, files, train="train/{label}/{id}", test="test/{label}/{id}")
    assert [row[:3] for row in found] == [("train", "1.jpg", "cat"), ("test", "1.jpg", "dog")]
    assert layouts.LAYOUTS["names"].may_label_test({"test": "test/{label}/{id}"})
    assert layouts.LAYOUTS["names"].may_label_test({"holdout": 0.2})
    assert not layouts.LAYOUTS["names"].may_label_test({"test": "test/{id}"})


def test_files_without_a_photo_s_suffix_count_if_there_are_no_others(tmp_path: Path) -> None:
    files = ["train/cat/IM-0001", "train/dog/1.2.840", "test/1.jpg", "test/readme.txt"]
    found = listed(tmp_path, files, train="train/{label}/{id}", test="test/{id}")
    assert [row[1] for row in found] == ["IM-0001", "1.2.840", "1.jpg"]


TRAIN = {"train": "train/{label}/{id}", "test": "test/{id}.*"}


@pytest.mark.parametrize(
    ("files", "names", "message"),
    [
        (
            ["train/a.jpg"],
            {},
            r"names\.train: no file of the archive fits 'train/\{label\}/\{id\}' \(the first in 'train/' is ",
        ),
        (["x/a.jpg"], {}, r"names\.train: no file of the archive fits '.*' \(there are: test/0\.jpg, x/a\.jpg\)"),
        (["train/a/1.jpg"], {"test": "none/{id}"}, r"names\.test: no file of the archive fits 'none/\{id\}'"),
        (
            ["train/a/1.jpg", "train/b/1.jpg"],
            {},
            r"names\.train: '.*': 'train/a/1\.jpg' and 'train/b/1\.jpg' have the same id '1\.jpg' "
            r"\(with another name for \{id\}, the path below 'train/' is the id\)",
        ),
        (
            ["train/a/1.jpg", "test/0.png"],
            {},
            r"names\.test: '.*': 'test/0\.jpg' and 'test/0\.png' have the same id '0'",
        ),
        (
            ["train/a/1.jpg", "train/2.jpg", "train/a/b/3.jpg"],
            {},
            r"names\.train: 'train/\{label\}/\{id\}' does not fit 'train/2\.jpg', nor 1 more in 'train/' \(`strict",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_pattern(
    tmp_path: Path, files: list[str], names: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=f"^{message}"):
        listed(tmp_path, [*files, "test/0.jpg"], **(TRAIN | names))


def test_without_strict_photos_that_do_not_fit_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(listed(tmp_path, ["train/a/1.jpg", "train/2.jpg", "test/0.jpg"], strict=False, **TRAIN)) == 2
    assert "names.train: left out 1 photos that do not fit, such as train/2.jpg" in caplog.text
