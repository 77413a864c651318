"""TFRecord files that TensorFlow itself wrote, in the forms in which competitions and tutorials have them."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TASK, Values, photo, write_tfrecord, write_zip
from PIL import Image

from podium.archives import layouts
from podium.archives.opening import Archive
from podium.step import BadInput

GREY = np.random.default_rng(0).integers(0, 256, (4, 6, 5), np.uint8)


def written(folder: Path, *examples: dict[str, Values]) -> bytes:
    return write_tfrecord(folder / "some.tfrecord", *examples).read_bytes()


def made(folder: Path, members: dict[str, bytes], **spec: Any) -> tuple[Archive, dict[str, Any]]:
    layout = {"train": "train*", "test": "test*", "image": "image", "label": "label"} | spec
    return Archive(write_zip(folder / "source.zip", members)), {"tfrecord": layout}


def refused(folder: Path, members: dict[str, bytes], **spec: Any) -> str:
    archive, layout = made(folder, {"test": b""} | members, **spec)
    with pytest.raises(BadInput) as error:
        layouts.photos(archive, layout, TASK)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_encoded_images_with_ids_and_class_numbers(tmp_path: Path) -> None:
    """As Kaggle's flower competition has them, in several files; some test records say their class."""
    images = [photo("coffee", number, 16) for number in range(5)]
    records = [{"image": data, "class": 4 - number, "id": b"f%d" % number} for number, data in enumerate(images)]
    members = {"a/train-1.tfrec": written(tmp_path, *records[2:4]), "a/train-0.tfrec": written(tmp_path, *records[:2])}
    members["test.tfrec"] = gzip.compress(written(tmp_path, records[4], {"image": images[4], "id": b"unknown"}))
    classes = ["daisy", "rose", "tulip", "dandelion", "sunflower"]
    archive, layout = made(tmp_path, members, train="a/train-*", label="class", id="id", classes=classes)
    found, read = layouts.photos(archive, layout, TASK), layouts.reader(archive, layout)
    assert list(found[["split", "id", "label", "file"]].itertuples(index=False, name=None)) == [
        ("train", "f0", "sunflower", "a/train-0.tfrec#0"),
        ("train", "f1", "dandelion", "a/train-0.tfrec#1"),
        ("train", "f2", "tulip", "a/train-1.tfrec#0"),
        ("train", "f3", "rose", "a/train-1.tfrec#1"),
        ("test", "f4", "daisy", "test.tfrec#0"),
        ("test", "unknown", "", "test.tfrec#1"),
    ]
    assert [read(file) for file in found.file] == [*images, images[4]]


def test_groups_are_texts_or_numbers_and_test_records_may_lack_them(tmp_path: Path) -> None:
    patients: list[Values] = [b"7 a", 12]
    records = [{"image": photo("coffee", 0, 8), "label": 1, "patient": patient} for patient in patients]
    tests = [records[0], {"image": photo("coffee", 0, 8)}]
    members = {"train-0": written(tmp_path, records[0]), "train-1": written(tmp_path, records[1])}
    archive, layout = made(tmp_path, members | {"test": written(tmp_path, *tests)}, group="patient")
    assert list(layouts.photos(archive, layout, TASK).group) == ["7 a", "12", "7 a", ""]
    nobody = {"image": b"x", "label": 1}
    said = refused(tmp_path, {"train": written(tmp_path, nobody)}, group="patient")
    assert said == "train: record 0 has no feature 'patient' (there are: image, label)"


LABELS: dict[str, tuple[list[Values], dict[str, Any], list[str]]] = {
    "texts": ([b"rose", "crème, 東京".encode()], {}, ["rose", "crème, 東京"]),
    "numbers": ([3, 10], {}, ["3", "10"]),
    "one-hot integers": ([[0, 0, 1], [1, 0, 0]], {"classes": ["a", "b", "c"]}, ["c", "a"]),
    "one-hot floats": ([[0.0, 1.0], [1.0, 0.0]], {}, ["1", "0"]),
}


@pytest.mark.parametrize(("labels", "spec", "expected"), LABELS.values(), ids=LABELS)
def test_labels_of_every_form(tmp_path: Path, labels: list[Values], spec: dict[str, Any], expected: list[str]) -> None:
    records = written(tmp_path, *({"image": photo("coffee", 0, 8), "label": label} for label in labels))
    found = layouts.photos(*made(tmp_path, {"train": records, "test": b""}, **spec), TASK)
    assert list(found.label) == expected
    assert list(found.id) == ["0", "1"]


RAW: dict[str, tuple[list[dict[str, Values]], list[int | str]]] = {
    "bytes": ([{"image": pixels.tobytes()} for pixels in GREY], [6, 5]),
    "bytes of one colour": ([{"image": pixels.tobytes()} for pixels in GREY], [6, 5, 1]),
    "integers": ([{"image": pixels.ravel().tolist()} for pixels in GREY], [6, 5]),
    "floats": ([{"image": (pixels.ravel() / 255.0).tolist()} for pixels in GREY], [6, 5]),
    "sides in features": ([{"image": pixels.tobytes(), "h": 6, "w": 5} for pixels in GREY], ["h", "w", 1]),
}


@pytest.mark.parametrize(("records", "shape"), RAW.values(), ids=RAW)
def test_pixels_of_every_form_come_as_the_same_photos(
    tmp_path: Path, records: list[dict[str, Values]], shape: list[int | str]
) -> None:
    data = written(tmp_path, *(record | {"label": 1} for record in records))
    archive, layout = made(tmp_path, {"train": data, "test": data}, shape=shape)
    read = layouts.reader(archive, layout)
    for file, wanted in zip(layouts.photos(archive, layout, TASK).file, [*GREY, *GREY], strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(read(file)))), wanted)


def test_colours_are_the_last_side(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (6, 5, 3), np.uint8)
    data = written(tmp_path, {"image": colours.tobytes(), "label": 1})
    archive, layout = made(tmp_path, {"train": data, "test": data}, shape=[6, 5, 3])
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(layouts.reader(archive, layout)("train#0")))), colours)


WRONG: dict[str, tuple[dict[str, Values], dict[str, Any], str]] = {
    "no image": ({"photo": b"x", "label": 1}, {}, "has no feature 'image' (there are: label, photo)"),
    "no label": ({"image": b"x"}, {}, "has no feature 'label' (there are: image)"),
    "names of texts": (
        {"image": b"x", "label": b"rose"},
        {"classes": ["a", "rose"]},
        ": 'label' contains 1 values of type bytes; labels that are texts need no names, so leave `classes` out",
    ),
    "no id": ({"image": b"x", "label": 1}, {"id": "name"}, "has no feature 'name' (there are: image, label)"),
    "no features": ({}, {}, "has no feature 'image' (there are: none)"),
    "pixels without a shape": (
        {"image": [1, 2], "label": 1},
        {},
        ": 'image' contains 2 values of type int64; it must contain one encoded image; raw pixels need a shape",
    ),
    "fewer pixels": (
        {"image": bytes(29), "label": 1},
        {"shape": [6, 5]},
        ": 'image' contains 29 values of type bytes; the shape requires 6 x 5",
    ),
    "more pixels": (
        {"image": [1] * 31, "label": 1, "h": 6},
        {"shape": ["h", 5]},
        ": 'image' contains 31 values of type int64; the shape requires 6 x 5",
    ),
    "too bright": (
        {"image": [256] * 30, "label": 1},
        {"shape": [6, 5]},
        ": 'image' contains 30 values of type int64; pixels of this type must be from 0 to 255",
    ),
    "not a share": (
        {"image": [float("nan")] * 30, "label": 1},
        {"shape": [6, 5]},
        ": 'image' contains 30 values of type float; pixels of this type must be from 0 to 1",
    ),
    "two labels": (
        {"image": b"x", "label": [1, 1]},
        {},
        ": 'label' contains 2 values of type int64; a label must be one number, or one 1 among zeros",
    ),
    "a float label": (
        {"image": b"x", "label": 2.0},
        {},
        ": 'label' contains 1 values of type float; a label must be one number, or one 1 among zeros",
    ),
    "two texts": (
        {"image": b"x", "label": [b"a", b"b"]},
        {},
        ": 'label' contains 2 values of type bytes; it must contain one text or one whole number",
    ),
    "a label of no text": ({"image": b"x", "label": b"\xff"}, {}, ": 'label' is not UTF-8 text"),
    "an empty label": ({"image": b"x", "label": b""}, {}, ": 'label' is empty"),
    "a label of two lines": ({"image": b"x", "label": b"a\nb"}, {}, ": 'label' contains a line break"),
    "a class without a name": (
        {"image": b"x", "label": 2},
        {"classes": ["a", "b"]},
        ", 'label': label 2 of photo 0 is not one of the 2 `classes`, 0 to 1",
    ),
}


@pytest.mark.parametrize(("example", "spec", "message"), WRONG.values(), ids=WRONG)
def test_a_record_that_is_not_as_the_competition_file_says_is_named(
    tmp_path: Path, example: dict[str, Values], spec: dict[str, Any], message: str
) -> None:
    good: dict[str, Values] = {"image": bytes(30), "label": 1, "h": 6, "name": b"a"}
    said = refused(tmp_path, {"train.tfrecord": written(tmp_path, good, example)}, **spec)
    assert said == f"train.tfrecord: record 1{message if message[0] in ':,' else f' {message}'}"


def test_damaged_files_other_records_and_names_that_fit_no_file_are_named(tmp_path: Path) -> None:
    data = written(tmp_path, *[{"image": b"x", "label": 1, "id": b"same"}] * 2)
    broken = bytearray(data)
    broken[-1] ^= 1
    assert refused(tmp_path, {"train": bytes(broken)}) == "train: record 1 is damaged"
    assert refused(tmp_path, {"train": data[:-1]}) == "train: record 1 is damaged"
    assert refused(tmp_path, {"train": data}, id="id") == "train#1: the id 'same' occurs twice"
    none = "tfrecord.train: no file in the archive matches '*.tfrec' (there are: test, train)"
    assert refused(tmp_path, {"train": data}, train="*.tfrec") == none

    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "text.tfrecord")) as writer:
        writer.write(b"no message")
    said = refused(tmp_path, {"train": (tmp_path / "text.tfrecord").read_bytes()})
    assert said.startswith("train: record 0 is not a tf.train.Example (")
