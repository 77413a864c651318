import gzip
import io
import unicodedata
import zipfile
from pathlib import Path

import pytest
from conftest import memory_below, write_zip, zeros
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives import opening as archive
from podium.archives.members import Part
from podium.archives.opening import Archive
from podium.step import BadInput

NFC, NFD = (unicodedata.normalize(form, "crème brûlée.jpg") for form in ("NFC", "NFD"))


def test_members_are_found_below_a_single_top_folder_without_the_litter_of_desktops(tmp_path: Path) -> None:
    names = ["photos/train/a.jpg", "photos/train.csv"]
    litter = ["__MACOSX/photos/._a.jpg", "photos/.DS_Store", "photos/train/Thumbs.db", "photos/train/._a.jpg"]
    found = Archive(write_zip(tmp_path / "a.zip", {name: name.encode() for name in names + litter}))
    assert found.names() == ["train.csv", "train/a.jpg"]
    assert found.read("train/a.jpg") == b"photos/train/a.jpg"
    assert "photos/train.csv" not in found


@pytest.mark.parametrize("names", [["a/x.jpg", "b/x.jpg"], ["a/x.jpg", "x.csv"], ["x.jpg"]])
def test_folders_stay_where_there_is_more_than_one_top(tmp_path: Path, names: list[str]) -> None:
    assert Archive(write_zip(tmp_path / "a.zip", dict.fromkeys(names, b"x"))).names() == names


@pytest.mark.parametrize("stored", [NFC, NFD])
@pytest.mark.parametrize("asked", [NFC, NFD])
def test_both_unicode_forms_of_a_name_mean_one_member(tmp_path: Path, stored: str, asked: str) -> None:
    found = Archive(write_zip(tmp_path / "a.zip", {stored: b"photo", "a.csv": b""}))
    assert asked in found
    assert found.read(asked) == b"photo"


def test_a_missing_member_is_a_key_error_and_a_damaged_one_bad_input(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.jpg": b"good photo", "b.jpg": b"lost photo"})
    path.write_bytes(path.read_bytes().replace(b"lost photo", b"l0st photo"))
    found = Archive(path)
    assert found.read("a.jpg") == b"good photo"
    with pytest.raises(KeyError):
        found.read("c.jpg")
    with pytest.raises(BadInput, match=r"b\.jpg: damaged"):
        found.read("b.jpg")


@pytest.mark.parametrize("name", ["../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "..\\a.jpg", "\\a.jpg", "C:/a.jpg"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="leads outside") as refused:
        archive.check_zip(Part.whole(write_zip(tmp_path / "a.zip", {"good.jpg": b"", name: b""}), "a.zip"))
    assert f"'{name}'" in str(refused.value)


@pytest.mark.parametrize("name", ["a..b.jpg", "...jpg", "a/..b/c.jpg", "a:b.jpg"])
def test_dots_and_colons_within_a_name_are_no_harm(tmp_path: Path, name: str) -> None:
    archive.check_zip(Part.whole(write_zip(tmp_path / "a.zip", {name: b""}), "a.zip"))


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(BadInput, match=r"'link\.jpg' is a link"):
        archive.check_zip(Part.whole(tmp_path / "a.zip", "a.zip"))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.jpg", b"photo")
        out.infolist()[0].flag_bits |= 1
    with pytest.raises(BadInput, match=r"'a\.jpg' is encrypted"):
        archive.check_zip(Part.whole(tmp_path / "a.zip", "a.zip"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.jpg", b"one")
        out.writestr("a.jpg", b"two")
    with pytest.raises(BadInput, match=r"'a\.jpg' occurs twice in the archive"):
        archive.check_zip(Part.whole(tmp_path / "a.zip", "a.zip"))
    with pytest.raises(BadInput, match=r"'a\.jpg' occurs twice in the archive"):
        archive.write_zip(tmp_path / "b.zip", [("a.jpg", b"one"), ("a.jpg", b"two")])


@settings(max_examples=40, deadline=None)
@given(members=st.dictionaries(st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.jpg", fullmatch=True), st.binary()))
def test_a_written_zip_reads_back_and_its_bytes_depend_on_its_members_alone(members: dict[str, bytes]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    for out in (first, second):
        archive.write_zip(out, members.items())
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as found:
        assert {name: found.read(name) for name in found.namelist()} == members


def write_packed(path: Path, name: str, packed: bytes, size: int, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of one member that is packed already, and says that it expands to this size."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(name, packed)
        (info,) = out.infolist()
        info.compress_type, info.file_size = method, size
    return path


GB, MB = 1 << 30, 1 << 20


def test_a_member_that_expands_a_thousandfold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    packed = zeros(10 << 10)
    assert len(packed) < 12 * MB
    path = write_packed(tmp_path / "a.zip", "a.csv", packed, 10 * GB)
    with memory_below(MB):
        with pytest.raises(BadInput, match=r"^a\.zip: expands to more than 2,[\d,]+ bytes, the limit for 10,"):
            archive.check_zip(Part.whole(path, "a.zip"))
        with pytest.raises(BadInput, match=r"^a\.csv: expands to more than 2,[\d,]+ bytes"):
            Archive(path).read("a.csv")


def test_no_more_is_expanded_than_a_member_says_that_it_holds(tmp_path: Path) -> None:
    lying = Archive(write_packed(tmp_path / "a.zip", "a.csv", zeros(1 << 10), 1000))
    with memory_below(4 * MB), pytest.raises(BadInput, match=r"a\.csv: damaged in the archive \(Bad CRC"):
        lying.read("a.csv")


@pytest.mark.parametrize("method", [9, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_expanded_within_bounds_is_refused(tmp_path: Path, method: int) -> None:
    path = write_packed(tmp_path / "a.zip", "a.csv", b"packed", 1000, method)
    for read in (lambda: archive.check_zip(Part.whole(path, "a.zip")), lambda: Archive(path).read("a.csv")):
        with pytest.raises(BadInput, match=rf"a\.csv'?: packed by zip method {method}; pack it again by deflate"):
            read()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_stored_and_deflated_come_back_whole(tmp_path: Path, method: int) -> None:
    content = {"empty": b"", "short": b"photo", "long": bytes(range(256)) * 4_000}
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as out:
        for name, data in content.items():
            out.writestr(name, data)
    archive.check_zip(Part.whole(tmp_path / "a.zip", "a.zip"))
    found = Archive(tmp_path / "a.zip")
    assert {name: found.read(name) for name in found.names()} == content


def test_what_a_gzip_file_expands_to_is_bounded_by_its_place_in_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 8 * MB)
    bomb = zeros(10 << 10, wbits=31)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("bomb.gz", bomb)
        out.writestr("good.gz", gzip.compress(bytes(8 * MB)))
        out.writestr("two.gz", gzip.compress(b"one ") + gzip.compress(b"two"))
    found = Archive(tmp_path / "a.zip")
    assert found.unpacked("good.gz") == bytes(8 * MB)
    assert found.unpacked("two.gz") == b"one two"
    with (
        memory_below(40 * MB),
        pytest.raises(BadInput, match=r"^bomb\.gz: expands to more than 1?\d,\d{3},\d{3} bytes"),
    ):
        found.unpacked("bomb.gz")


def test_a_large_member_of_photos_is_read_and_equal_numbers_too() -> None:
    """Three GB that hardly shrink, and a table of 300 MB that shrinks to a hundredth, are what competitions have."""
    archive.check_size("train.tfrecord", 3 * GB, 3 * GB)
    archive.check_size("train-images.gz", 3 * GB, 300 * MB)
    archive.check_size("sample.csv", 300 * MB, 3 * MB)
    archive.check_size("labels", 200 * MB, 100)
    for size, packed in ((300 * MB, MB), (17 * GB, 17 * GB)):
        with pytest.raises(BadInput, match=r"^a: expands to more than"):
            archive.check_size("a", size, packed)


def test_many_members_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 4 * MB)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(50):
            out.writestr(f"{number}.jpg", bytes(MB))
    with pytest.raises(BadInput, match=r"^a\.zip: expands to more than"):
        archive.check_zip(Part.whole(tmp_path / "a.zip", "a.zip"))


def test_backslashes_in_names_are_slashes(tmp_path: Path) -> None:
    names = ["photos\\", "photos\\train\\a.jpg", "photos/train/b.jpg", "photos\\train.csv", "photos\\train\\Thumbs.db"]
    path = write_zip(tmp_path / "a.zip", {name: name.encode() for name in names})
    archive.check_zip(Part.whole(path, "a.zip"))
    found = Archive(path)
    assert found.names() == ["train.csv", "train/a.jpg", "train/b.jpg"]
    assert found.read("train/a.jpg") == found.read("train\\a.jpg") == names[1].encode()
    twice = write_zip(tmp_path / "b.zip", {"a/b.jpg": b"", "a\\b.jpg": b""})
    with pytest.raises(
        BadInput, match=r"'a\\\\b\.jpg' occurs twice in the archive|'a\\b\.jpg' occurs twice in the archive"
    ):
        archive.check_zip(Part.whole(twice, "b.zip"))


def test_control_characters_in_names_are_escaped(tmp_path: Path) -> None:
    found = Archive(write_zip(tmp_path / "a.zip", {"a\nb\x1b.jpg": b"photo", "c.jpg": b""}))
    assert found.names() == [r"a\nb\x1b.jpg", "c.jpg"]
    assert found.read(found.names()[0]) == found.read("a\nb\x1b.jpg") == b"photo"


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(BadInput, match=r"a\.zip: not a complete zip file"):
        Archive(tmp_path / "a.zip")
