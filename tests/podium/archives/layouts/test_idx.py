import gzip
import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TASK, write_zip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from podium.archives import layouts
from podium.archives.opening import Archive
from podium.step import BadInput

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 4), np.uint8)
LABELS = np.array([2, 0, 1, 1, 0, 2, 2], np.uint8)
SPEC = {
    "train": {"images": "train-images.gz", "labels": "train-labels.gz"},
    "test": {"images": "test-images", "labels": "test-labels"},
}
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def idx(values: np.ndarray, type: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, type, values.ndim, *values.shape) + values.tobytes()


MEMBERS = {
    "train-images.gz": gzip.compress(idx(PIXELS)),
    "train-labels.gz": gzip.compress(idx(LABELS)),
    "test-images": idx(PIXELS[:3]),
    "test-labels": idx(LABELS[:3]),
}


def opened(folder: Path, **members: bytes) -> Archive:
    named = {name.replace("_", "-"): content for name, content in members.items()}
    return Archive(write_zip(folder / "source.zip", MEMBERS | named))


def refused(folder: Path, name: str, content: bytes, spec: dict[str, Any] = SPEC) -> str:
    archive = Archive(write_zip(folder / "source.zip", MEMBERS | {name: content}))
    with pytest.raises(BadInput) as error:
        layouts.photos(archive, {"idx": spec}, TASK)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("classes", [None, ["cat", "dog", "a, b"]])
def test_every_photo_is_listed_with_its_label_and_comes_as_the_pixels_that_it_is(
    tmp_path: Path, classes: list[str] | None
) -> None:
    archive, layout = opened(tmp_path), {"idx": SPEC | ({"classes": classes} if classes else {})}
    found, read = layouts.photos(archive, layout, TASK), layouts.reader(archive, layout)
    assert list(found.split) == ["train"] * 7 + ["test"] * 3
    assert list(found.id) == [*"0123456", *"012"]
    assert list(found.label) == [(classes or "012")[number] for number in [*LABELS, *LABELS[:3]]]
    assert not found.reason.any()
    for file, wanted in zip(found.file, [*PIXELS, *PIXELS[:3]], strict=True):
        image = Image.open(io.BytesIO(read(file)))
        assert (image.format, image.mode) == ("PNG", "L")
        assert np.array_equal(np.asarray(image), wanted)


def test_colours_and_a_test_part_without_labels(tmp_path: Path) -> None:
    colours = np.random.default_rng(1).integers(0, 256, (7, 5, 4, 3), np.uint8)
    archive = opened(tmp_path, train_images=b"", test_images=idx(colours))
    layout = {"idx": SPEC | {"test": {"images": "test-images"}, "train": SPEC["train"] | {"images": "test-images"}}}
    found, read = layouts.photos(archive, layout, TASK), layouts.reader(archive, layout)
    assert set(found.label[found.split == "test"]) == {""}
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(read("test-images#6")))), colours[6])


def test_a_file_is_opened_once_where_photos_are_asked_for_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, layout, asked = opened(tmp_path), {"idx": SPEC}, []
    found, unpacked = layouts.photos(archive, layout, TASK), archive.unpacked
    monkeypatch.setattr(archive, "unpacked", lambda name: (asked.append(name), unpacked(name))[1])
    read = layouts.reader(archive, layout)
    for file in found.file:
        read(file)
    assert asked == ["train-images.gz", "test-images"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(PIXELS)[:-1], "139 bytes after the header, but 7 x 5 x 4 values of 1 bytes are 140"),
        (idx(PIXELS) + b"\0", "141 bytes after the header"),
        (idx(PIXELS)[:10], "the IDX file is cut off in its header"),
        (b"\0\1" + idx(PIXELS)[2:], "not an IDX file (it begins with 00 01 08 03)"),
        (idx(PIXELS, 0x07), "not an IDX file (it begins with 00 00 07 03)"),
        (b"", "not an IDX file (it begins with nothing)"),
        (idx(LABELS), "images must be bytes of 3 dimensions, or 4 with the colours, not uint8 of shape 7"),
        (
            idx(PIXELS.astype(">f4"), 0x0D),
            "images must be bytes of 3 dimensions, or 4 with the colours, not float32",
        ),
        (gzip.compress(idx(PIXELS))[:-9], "not a complete gzip file"),
    ],
    ids=["cut", "more", "cut header", "magic", "type", "empty", "labels", "floats", "cut gzip"],
)
def test_a_file_of_images_that_is_not_one_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tmp_path, "train-images.gz", content).startswith(f"train-images.gz: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(LABELS[:6]), "train-labels.gz: 6 labels, but train-images.gz contains 7 images"),
        (
            idx(PIXELS),
            "train-labels.gz: labels must be whole numbers of one dimension, not uint8 of shape 7 x 5 x 4",
        ),
        (
            idx(LABELS.astype(">f8"), 0x0E),
            "train-labels.gz: labels must be whole numbers of one dimension, not float64",
        ),
    ],
    ids=["fewer", "images", "floats"],
)
def test_labels_that_do_not_fit_the_images_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    assert refused(tmp_path, "train-labels.gz", content).startswith(message)


def test_a_class_without_a_name_and_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    found = refused(tmp_path, "more", b"", SPEC | {"classes": ["cat", "dog"]})
    assert found == "train-labels.gz: label 2 of photo 0 is not one of the 2 `classes`, 0 to 1"
    found = refused(tmp_path, "more", b"", SPEC | {"test": {"images": "t10k"}})
    assert (
        found
        == "t10k: not in the archive (there are: more, test-images, test-labels, train-images.gz, train-labels.gz)"
    )


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: b"\0\0\x08\3" + rest))
def test_any_bytes_are_images_or_bad_input(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    archive = opened(tmp_path_factory.getbasetemp(), test_images=data)
    try:
        read = layouts.reader(archive, {"idx": SPEC})("test-images#0")
    except (BadInput, IndexError) as error:  # IndexError: a whole file of no images
        assert isinstance(error, IndexError) or re.match("test-images: ", str(error))
    else:
        assert Image.open(io.BytesIO(read)).size == (
            int.from_bytes(data[12:16], "big"),
            int.from_bytes(data[8:12], "big"),
        )


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debian_s_fashion_mnist_is_read_whole(tmp_path: Path) -> None:
    members = {path.name: path.read_bytes() for path in DEBIAN.glob("*.gz")}
    spec = {
        split: {"images": f"{name}-images-idx3-ubyte.gz", "labels": f"{name}-labels-idx1-ubyte.gz"}
        for split, name in (("train", "train"), ("test", "t10k"))
    }
    found = layouts.photos(Archive(write_zip(tmp_path / "source.zip", members)), {"idx": spec})
    counts = found.groupby(["split", "label"]).size()
    assert (counts["train"] == 6000).all()
    assert (counts["test"] == 1000).all()
