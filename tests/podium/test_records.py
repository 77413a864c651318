from pathlib import Path

import pytest
from conftest import photo
from hypothesis import given, settings
from hypothesis import strategies as st

from podium import records
from podium.records import Record
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
