"""What is read without zipfile is what zipfile reads."""

import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import memory_below, write_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives.members import Part, expand, members
from podium.archives.opening import Archive, check_zip
from podium.archives.opening import write_zip as write
from podium.step import BadInput

METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
CONTENTS = st.binary(max_size=200) | st.binary(max_size=20).map(lambda data: data * 100)
# Neither reads a comment that contains the mark of the zip's end.
COMMENTS = st.binary(max_size=50).filter(lambda comment: b"PK\5\6" not in comment) | st.just(b"x" * 0xFFFF)
FILES = st.dictionaries(NAMES, st.tuples(CONTENTS, METHODS), max_size=5)


def written(path: Path, files: dict[str, tuple[bytes, int]], before: bytes = b"", comment: bytes = b"") -> Path:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, (data, method) in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w", force_zip64=True) as file:
                file.write(data)
        archive.comment = comment
    path.write_bytes(before + out.getvalue())
    return path


def as_zipfile_reads(path: Path) -> list[tuple[str, int, int, int, int, bytes]]:
    with zipfile.ZipFile(path) as found:
        return [
            (info.filename, info.external_attr >> 16, info.flag_bits, info.compress_type, info.CRC, found.read(info))
            for info in found.infolist()
        ]


def as_we_read(path: Path) -> list[tuple[str, int, int, int, int, bytes]]:
    part, found = Part.whole(path), []
    for each in members(path):
        expand(part, each, data := io.BytesIO())
        found.append((each.name, each.mode, each.flags, each.method, each.crc, data.getvalue()))
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members") / "a.zip"


@settings(max_examples=100, deadline=None)
@given(files=FILES, before=st.binary(max_size=50), comment=COMMENTS)
def test_members_are_those_that_zipfile_finds(
    path: Path, files: dict[str, tuple[bytes, int]], before: bytes, comment: bytes
) -> None:
    written(path, files, before, comment)
    assert as_we_read(path) == as_zipfile_reads(path)


@settings(max_examples=100, deadline=None)
@given(files=FILES, limit=st.integers(0, 300), before=st.binary(max_size=50))
def test_so_they_are_where_sizes_places_or_their_number_need_64_bits(
    path: Path, files: dict[str, tuple[bytes, int]], limit: int, before: bytes
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", limit)
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
        written(path, files, before)
    assert as_we_read(path) == as_zipfile_reads(path)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), wide=st.booleans())
def test_a_damaged_zip_is_refused_or_gives_what_zipfile_gives(path: Path, data: st.DataObject, wide: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 10 if wide else zipfile.ZIP64_LIMIT)
        written(path, {"a/b.jpg": (b"photo" * 9, 0), "c.csv": (b"table" * 9, 8)}, comment=b"of two")
    whole = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        start = data.draw(st.integers(0, len(whole) - 1))
        del whole[start : start + data.draw(st.integers(1, len(whole)))]
    path.write_bytes(whole)
    try:
        check_zip(Part.whole(path))
        archive = Archive(path)
        found = {name: archive.read(name) for name in archive.names()}
    except BadInput:
        return
    try:
        wanted = {name: data for name, *_, data in as_zipfile_reads(path)}
    except (zipfile.BadZipFile, NotImplementedError) as error:
        # Neither another name in a member's header nor a version that a header states does any harm.
        assert "differ" in str(error) or "version" in str(error)
        return
    assert sorted(found.values()) == sorted(wanted.values())


def test_threads_read_at_the_same_time(tmp_path: Path) -> None:
    contents = {f"{number}.jpg": os.urandom(3000) for number in range(200)}
    found = Archive(write_zip(tmp_path / "a.zip", contents))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, [*contents] * 5)) == [*contents.values()] * 5


def test_many_members_take_little_memory_to_check_and_to_keep(tmp_path: Path) -> None:
    """About 200 bytes each with their names, where zipfile takes three times as much."""
    count = 10_000
    write(tmp_path / "a.zip", ((f"train/{number:07}.jpg", b"photo") for number in range(count)))
    with memory_below(250 * count):
        check_zip(Part.whole(tmp_path / "a.zip"))
    with memory_below(400 * count):
        found = Archive(tmp_path / "a.zip")
    assert found.read("0001234.jpg") == b"photo"
    assert len(found.names()) == count
