import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import LISTING, TABLES, competition, encoded, write_zip
from PIL import Image

from index import index
from pack import pack
from podium.archives.opening import Archive
from podium.photos import images, records
from podium.photos.records import Record
from podium.tables import read_csv

MEMBERS = competition(train=2, test=1, validation=1)
LAYOUT = {"tables": TABLES}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an indexed archive and the records of its parts, two to a split."""
    folder = tmp_path_factory.mktemp("packed")
    # One of the labels is not ASCII.
    members = MEMBERS | {"train.csv": MEMBERS["train.csv"].replace(b"coffee", "café".encode())}
    members["validation.csv"] = MEMBERS["validation.csv"].replace(b"coffee", "café".encode())
    source = write_zip(folder / "source.zip", members)
    paths = [folder / name for name in ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")]
    index(source, *paths, layout=LAYOUT, **LISTING | {"shards": 2})
    pack(source, folder / "index.csv", folder / "records", shards=2, layout=LAYOUT)
    return folder


def wanted(photos: pd.DataFrame) -> list[Record]:
    return [Record(row.id, MEMBERS[row.file], row.label) for row in photos.itertuples()]


def test_the_parts_hold_every_photo_of_the_index_once_and_unchanged(packed: Path) -> None:
    photos = read_csv(packed / "index.csv")
    assert len(photos) == 16
    for part in ("train-0", "train-1", "validation-0", "validation-1", "test-0", "test-1"):
        own = photos[photos.part == part]
        assert records.count(packed / "records" / f"{part}.tfrecord") == len(own) > 0
        assert list(records.read(packed / "records" / f"{part}.tfrecord")) == wanted(own)


def test_tensorflow_reads_the_records(packed: Path) -> None:
    import tensorflow as tf

    photos = read_csv(packed / "index.csv")
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("id", "image", "label")}
    files = [str(packed / f"records/train-{shard}.tfrecord") for shard in (0, 1)]
    found = tf.data.TFRecordDataset(files).map(lambda record: tf.io.parse_single_example(record, features))
    rows = [Record(row["id"].decode(), row["image"], row["label"].decode()) for row in found.as_numpy_iterator()]
    assert rows == wanted(photos[photos.split == "train"])
    assert "café" in {row.label for row in rows}
    assert tf.io.decode_image(rows[0].image).shape == (160, 160, 3)


def test_records_that_tensorflow_wrote_are_read(tmp_path: Path) -> None:
    import tensorflow as tf

    given = [Record("a.jpg", MEMBERS["train/ch0.jpg"], "café"), Record("b.jpg", b"", "")]
    path = tmp_path / "train-0.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in given:
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[tf.compat.as_bytes(value)]))
                for name, value in record._asdict().items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    assert list(records.read(path)) == given


def test_pixels_of_an_idx_file_are_packed_as_photos(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 5), np.uint8)
    members = {"images": b"\0\0\x08\3" + struct.pack(">3I", 4, 6, 5) + pixels.tobytes()}
    members["labels"] = b"\0\0\x08\1" + struct.pack(">I", 4) + bytes([1, 0, 1, 0])
    source = write_zip(tmp_path / "source.zip", members)
    layout = {"idx": {split: {"images": "images", "labels": "labels"} for split in ("train", "test")}}
    paths = [tmp_path / name for name in ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")]
    index(source, *paths, layout=layout, **LISTING | {"shards": 2})
    pack(source, tmp_path / "index.csv", tmp_path / "records", shards=2, layout=layout)
    found = list(records.read(tmp_path / "records/test-1.tfrecord"))
    assert [(record.id, record.label) for record in found] == [("2", "1"), ("3", "0")]
    for record, wanted in zip(found, pixels[2:], strict=True):
        assert np.array_equal(images.decode(record.image, 5), images.decode(encoded(Image.fromarray(wanted), "PNG"), 5))
    assert (read_csv(tmp_path / "index.csv")[["width", "height", "format"]] == [5, 6, "PNG"]).all(axis=None)


def test_a_part_without_photos_is_an_empty_file(packed: Path, tmp_path: Path) -> None:
    """As some are where there are more shards than photos."""
    pack(packed / "source.zip", packed / "index.csv", tmp_path / "records", shards=3, layout=LAYOUT)
    assert [path.name for path in sorted((tmp_path / "records").iterdir())] == [
        f"{split}-{shard}.tfrecord" for split in ("test", "train", "validation") for shard in range(3)
    ]
    assert list(records.read(tmp_path / "records/test-2.tfrecord")) == []


@pytest.mark.parametrize("shards", [1, 8])
def test_however_many_shards_there_are_a_member_of_many_photos_is_opened_once(
    tmp_path: Path, shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 6, 5), np.uint8)
    members = {"images": b"\0\0\x08\3" + struct.pack(">3I", 16, 6, 5) + pixels.tobytes()}
    members["labels"] = b"\0\0\x08\1" + struct.pack(">I", 16) + bytes([1, 0] * 8)
    source = write_zip(tmp_path / "source.zip", members)
    layout = {"idx": {"train": {"images": "images", "labels": "labels"}, "holdout": 0.5, "seed": 0}}
    paths = [tmp_path / name for name in ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")]
    index(source, *paths, layout=layout, **LISTING | {"shards": shards})
    opened, unpacked = list[str](), Archive.unpacked
    monkeypatch.setattr(Archive, "unpacked", lambda self, name: (opened.append(name), unpacked(self, name))[1])
    pack(source, tmp_path / "index.csv", tmp_path / "records", shards=shards, layout=layout)
    assert opened == ["images"]
    assert sum(records.count(path) for path in (tmp_path / "records").iterdir()) == 16
