import io
from pathlib import Path

import numpy as np
import pytest
from conftest import TASK, subject, write_zip
from PIL import Image

from podium.archives import layouts
from podium.archives.opening import Archive
from podium.step import BadInput

PHOTOS = [np.asarray(subject(name).resize((32, 32))) for name in ("chelsea", "coffee", "flower")]
LAYOUT = {"cifar": {"train": ["1.bin", "2.bin"], "test": ["test.bin"], "label_bytes": 1}}


def rows(*labels: list[int]) -> bytes:
    """The photos, one behind the other, each behind its labels: planes of red, green and blue."""
    planes = [photo[:, :, colour] for photo in PHOTOS for colour in range(3)]
    return b"".join(
        bytes(own) + b"".join(plane.tobytes() for plane in planes[3 * place : 3 * place + 3])
        for place, own in enumerate(labels)
    )


MEMBERS = {"1.bin": rows([1], [0], [2]), "2.bin": rows([0], [1]), "test.bin": rows([2])}


def test_photos_come_with_labels_and_with_their_own_colours(tmp_path: Path) -> None:
    archive = Archive(write_zip(tmp_path / "source.zip", MEMBERS))
    found, read = layouts.photos(archive, LAYOUT, TASK), layouts.reader(archive, LAYOUT)
    assert list(found[["split", "id", "label"]].itertuples(index=False, name=None)) == [
        *zip(["train"] * 5, "01234", "10201", strict=True),
        ("test", "0", "2"),
    ]
    for file, wanted in zip(found.file, [*PHOTOS, *PHOTOS[:2], PHOTOS[0]], strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(read(file)))), wanted)


def test_of_two_labels_the_second_counts_and_classes_have_names(tmp_path: Path) -> None:
    members = {name: rows([7, 1], [9, 0]) for name in MEMBERS}
    layout = {"cifar": LAYOUT["cifar"] | {"label_bytes": 2, "classes": ["apple", "bee"]}}
    archive = Archive(write_zip(tmp_path / "source.zip", members))
    assert list(layouts.photos(archive, layout, TASK).label) == ["bee", "apple"] * 3
    pixels = Image.open(io.BytesIO(layouts.reader(archive, layout)("2.bin#1")))
    assert np.array_equal(np.asarray(pixels), PHOTOS[1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("2.bin", MEMBERS["2.bin"][:-1], "2.bin: 6145 bytes are not a whole number of photos of 3073 bytes each"),
        ("test.bin", b"", "test.bin: 0 bytes are not a whole number of photos"),
        ("test.bin", rows([3]), "test.bin: label 3 of photo 0 is not one of the 3 `classes`, 0 to 2"),
    ],
)
def test_a_file_that_is_cut_and_a_label_without_a_name_are_named(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    archive = Archive(write_zip(tmp_path / "source.zip", MEMBERS | {name: content}))
    with pytest.raises(BadInput, match=message):
        layouts.photos(archive, {"cifar": LAYOUT["cifar"] | {"classes": ["a", "b", "c"]}}, TASK)
