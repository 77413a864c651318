import io
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from conftest import write_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from podium import archive
from podium.archive import Archive
from podium.step import BadInput

NFC, NFD = (unicodedata.normalize(form, "crème brûlée.jpg") for form in ("NFC", "NFD"))


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


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
        archive.check_zip(write_zip(tmp_path / "a.zip", {"good.jpg": b"", name: b""}), "a.zip")
    assert f"'{name}'" in str(refused.value)
    with pytest.raises(BadInput, match="leads outside"):
        list(archive.tar_members(write_tar(tmp_path / "a.tar", {"good.jpg": b"", name: b""}), "a.tar"))


@pytest.mark.parametrize("name", ["a..b.jpg", "...jpg", "a/..b/c.jpg", "a:b.jpg"])
def test_dots_and_colons_within_a_name_are_no_harm(tmp_path: Path, name: str) -> None:
    archive.check_zip(write_zip(tmp_path / "a.zip", {name: b""}), "a.zip")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(link, "/etc/passwd")
    with pytest.raises(BadInput, match=r"'link\.jpg' is a link"):
        archive.check_zip(tmp_path / "a.zip", "a.zip")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("odd.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(member)
    with pytest.raises(BadInput, match=r"'odd\.jpg' is a link or a device"):
        list(archive.tar_members(tmp_path / "a.tar", "a.tar"))


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.jpg", b"photo")
        out.infolist()[0].flag_bits |= 1
    with pytest.raises(BadInput, match=r"'a\.jpg' is encrypted"):
        archive.check_zip(tmp_path / "a.zip", "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("a.jpg", b"one")
        out.writestr("a.jpg", b"two")
    with pytest.raises(BadInput, match=r"'a\.jpg' is in the archive twice"):
        archive.check_zip(tmp_path / "a.zip", "a.zip")
    with pytest.raises(BadInput, match=r"'a\.jpg' is in the archive twice"):
        archive.write_zip(tmp_path / "b.zip", [("a.jpg", b"one"), ("a.jpg", b"two")])


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression_gives_its_plain_files(tmp_path: Path, mode: str) -> None:
    path = write_tar(tmp_path / "a.tar", {"./train/a.jpg": b"photo", "train.csv": b"table"}, mode)
    assert dict(archive.tar_members(path, path.name)) == {"train/a.jpg": b"photo", "train.csv": b"table"}


@settings(max_examples=60, deadline=None)
@given(mode=st.sampled_from(["w", "w:gz"]), part=st.floats(0, 1, exclude_max=True))
def test_a_tar_that_was_cut_short_never_loses_members_in_silence(
    tmp_path_factory: pytest.TempPathFactory, mode: str, part: float
) -> None:
    members = {f"{number}.jpg": bytes([number]) * 700 for number in range(20)}
    path = write_tar(tmp_path_factory.getbasetemp() / "cut.tar", members, mode)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    try:
        found = dict(archive.tar_members(path, path.name))
    except BadInput:
        return
    assert found == members


def test_a_folder_gives_its_files_in_order_and_follows_links_to_files_only(tmp_path: Path) -> None:
    (tmp_path / "in/train").mkdir(parents=True)
    (tmp_path / "in/train/b.jpg").write_bytes(b"b")
    (tmp_path / "in/a.csv").write_bytes(b"a")
    (tmp_path / "in/train/a.jpg").symlink_to(tmp_path / "in/train/b.jpg")
    assert list(archive.folder_members(tmp_path / "in")) == [
        ("a.csv", b"a"),
        ("train/a.jpg", b"b"),
        ("train/b.jpg", b"b"),
    ]
    (tmp_path / "in/lost.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"lost\.jpg: a link to a folder or to nothing"):
        list(archive.folder_members(tmp_path / "in"))


@settings(max_examples=40, deadline=None)
@given(members=st.dictionaries(st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4})?\.jpg", fullmatch=True), st.binary()))
def test_a_written_zip_reads_back_and_its_bytes_depend_on_its_members_alone(members: dict[str, bytes]) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    for out in (first, second):
        archive.write_zip(out, members.items())
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as found:
        assert {name: found.read(name) for name in found.namelist()} == members


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(BadInput, match=r"a\.zip: not a whole zip file"):
        Archive(tmp_path / "a.zip")
