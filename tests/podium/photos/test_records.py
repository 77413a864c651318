import io
import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import photo
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.photos import records
from podium.photos.records import Record
from podium.step import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
RECORDS = st.lists(st.builds(Record, TEXT, st.binary(max_size=300), TEXT), max_size=6)
THREE = [Record("a.jpg", b"first" * 50, "crème"), Record("b.jpg", b"", ""), Record("c.jpg", b"third", "x")]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records") / "train-0.tfrecord"


@settings(max_examples=100, deadline=None)
@given(wanted=RECORDS)
def test_records_come_back_as_they_were_written(path: Path, wanted: list[Record]) -> None:
    records.write(path, wanted)
    assert list(records.read(path)) == wanted
    assert records.count(path) == len(wanted)


@pytest.mark.parametrize("length", [127, 128, 16_383, 16_384, 2_097_152])
def test_photos_of_any_length_come_back(path: Path, length: int) -> None:
    records.write(path, [Record("a", bytes(length), "b"), Record("c", photo("coffee", 0), "d")])
    assert [record.image for record in records.read(path)] == [bytes(length), photo("coffee", 0)]


@settings(max_examples=200, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_anywhere_is_found(path: Path, place: float, change: int) -> None:
    records.write(path, THREE)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= change
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"train-0\.tfrecord: record [012] is damaged"):
        list(records.read(path))


def test_a_record_longer_than_any_message_is_not_read(path: Path) -> None:
    """Its own length says so, and is whole."""
    length = struct.pack("<Q", 2**31)
    path.write_bytes(length + records._masked_crc(length) + b"some")

    class Expanded(io.BytesIO):
        """A gzip file of gigabytes would give as much as it is asked for."""

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size < 2**31
            return super().read(size)

    with pytest.raises(BadInput, match="a: record 0 is damaged"):
        list(records.frames(Expanded(path.read_bytes()), "a"))


def test_a_cut_file_is_found_wherever_it_is_not_cut_between_two_records(path: Path) -> None:
    ends = []
    for number in range(4):
        records.write(path, THREE[:number])
        ends.append(path.stat().st_size)
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        if size in ends:
            assert list(records.read(path)) == THREE[: ends.index(size)]
        else:
            whole = sum(end <= size for end in ends) - 1
            with pytest.raises(BadInput, match=f"record {whole} is damaged"):
                list(records.read(path))


LISTS = (
    st.tuples(st.just("bytes"), st.lists(st.binary(max_size=200), max_size=4))
    | st.tuples(st.just("int64"), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40))
    | st.tuples(st.just("float"), st.lists(st.floats(width=32, allow_nan=False), max_size=40))
)


@settings(max_examples=200, deadline=None)
@given(features=st.dictionaries(TEXT, LISTS, max_size=5))
def test_any_features_that_tensorflow_encodes_are_read(features: dict[str, tuple[str, list[Any]]]) -> None:
    import tensorflow as tf

    makers = {"bytes": tf.train.BytesList, "int64": tf.train.Int64List, "float": tf.train.FloatList}
    lists = {name: {f"{kind}_list": makers[kind](value=values)} for name, (kind, values) in features.items()}
    given_features = {name: tf.train.Feature(**each) for name, each in lists.items()}
    data = tf.train.Example(features=tf.train.Features(feature=given_features)).SerializeToString()
    found = records.example(data)
    assert {name: (feature.kind, list(feature.values)) for name, feature in found.items()} == features


def varint(number: int) -> bytes:
    number %= 2**64
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def message(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + varint(len(data)) + data


@settings(max_examples=100, deadline=None)
@given(packed=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9), single=st.lists(st.integers(0, 300), max_size=9))
def test_numbers_that_are_not_packed_are_read_as_tensorflow_reads_them(packed: list[int], single: list[int]) -> None:
    """Protobuf allows both in one list; old writers pack nothing."""
    import tensorflow as tf

    integers = b"".join(b"\x08" + varint(number) for number in single) + message(1, b"".join(map(varint, packed)))
    floats = b"".join(b"\x0d" + struct.pack("<f", number) for number in single)
    entries = {"i": message(3, integers), "f": message(2, floats), "two": message(1, b"") + message(3, integers)}
    features = b"".join(
        message(1, message(1, name.encode()) + message(2, feature)) for name, feature in entries.items()
    )
    data = message(1, features)
    theirs, found = tf.train.Example.FromString(data).features.feature, records.example(data)
    assert list(found["i"].values) == list(found["two"].values) == list(theirs["i"].int64_list.value) == single + packed
    assert list(theirs["two"].int64_list.value) == single + packed
    assert list(found["f"].values) == list(theirs["f"].float_list.value) == single


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: records.encode(THREE[0])[:20] + rest))
def test_any_bytes_are_an_example_or_a_value_error(data: bytes) -> None:
    try:
        found = records.example(data)
    except ValueError:
        return
    assert all(feature.kind in {"", "bytes", "float", "int64"} for feature in found.values())
