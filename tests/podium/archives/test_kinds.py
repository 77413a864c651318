import gzip
import tarfile
from pathlib import Path

import pytest
from conftest import memory_below, write_tar, zeros
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives import kinds
from podium.archives import opening as archive
from podium.archives.members import Part
from podium.step import BadInput

GB, MB = 1 << 30, 1 << 20
OUTSIDE = ["../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "..\\a.jpg", "\\a.jpg", "C:/a.jpg"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_in_a_tar_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="leads outside"):
        list(kinds.tar_members(Part.whole(write_tar(tmp_path / "a.tar", {"good.jpg": b"", name: b""}), "a.tar")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("odd.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(member)
    with pytest.raises(BadInput, match=r"'odd\.jpg' is a link or a device"):
        list(kinds.tar_members(Part.whole(tmp_path / "a.tar", "a.tar")))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression_gives_its_plain_files(tmp_path: Path, mode: str) -> None:
    path = write_tar(tmp_path / "a.tar", {"./train/a.jpg": b"photo", "train.csv": b"table"}, mode)
    assert dict(kinds.tar_members(Part.whole(path, path.name))) == {"train/a.jpg": b"photo", "train.csv": b"table"}


@settings(max_examples=60, deadline=None)
@given(mode=st.sampled_from(["w", "w:gz"]), part=st.floats(0, 1, exclude_max=True))
def test_a_tar_that_was_cut_short_never_loses_members_in_silence(
    tmp_path_factory: pytest.TempPathFactory, mode: str, part: float
) -> None:
    members = {f"{number}.jpg": bytes([number]) * 700 for number in range(20)}
    path = write_tar(tmp_path_factory.getbasetemp() / "cut.tar", members, mode)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    try:
        found = dict(kinds.tar_members(Part.whole(path, path.name)))
    except BadInput:
        return
    assert found == members


def test_a_folder_gives_its_files_in_order_and_follows_links_to_files_only(tmp_path: Path) -> None:
    (tmp_path / "in/train").mkdir(parents=True)
    (tmp_path / "in/train/b.jpg").write_bytes(b"b")
    (tmp_path / "in/a.csv").write_bytes(b"a")
    (tmp_path / "in/train/a.jpg").symlink_to(tmp_path / "in/train/b.jpg")
    assert list(kinds.folder_members(tmp_path / "in")) == [
        ("a.csv", b"a"),
        ("train/a.jpg", b"b"),
        ("train/b.jpg", b"b"),
    ]
    (tmp_path / "in/lost.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"lost\.jpg: a link to a folder or to nothing"):
        list(kinds.folder_members(tmp_path / "in"))


def test_a_member_of_a_tar_that_expands_a_thousandfold_is_refused_before_it_is_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.csv")
    info.size = 10 * GB
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf()) + zeros(10 << 10, wbits=31))
    with (
        memory_below(MB),
        pytest.raises(BadInput, match=r"^a\.tar: expands to more than 2,[\d,]+ bytes, the limit for"),
    ):
        list(kinds.tar_members(Part.whole(tmp_path / "a.tar.gz", "a.tar")))


def test_many_members_of_a_tar_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 4 * MB)
    path = write_tar(tmp_path / "a.tar.gz", {f"{number}.jpg": bytes(MB) for number in range(50)})
    with pytest.raises(BadInput, match=r"^a\.tar: expands to more than"):
        list(kinds.tar_members(Part.whole(path, "a.tar")))


def test_many_members_of_a_tar_take_no_memory(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{number}.jpg": b"" for number in range(5_000)}, "w")
    with memory_below(MB):
        assert sum(1 for _ in kinds.tar_members(Part.whole(path, "a.tar"))) == 5_000


def test_a_tar_whose_header_says_that_it_goes_on_for_gigabytes_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5 * GB
    good = tarfile.TarInfo("a.jpg").tobuf()
    for name, before in (("first.tar", b""), ("second.tar", good)):
        (tmp_path / name).write_bytes(before + info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
        with pytest.raises(BadInput, match=rf"^{name}: not a complete tar file"):
            list(kinds.tar_members(Part.whole(tmp_path / name, name)))
        assert kinds.is_tar(Part.whole(tmp_path / name)) == (name == "second.tar")


def test_a_long_name_in_a_tar_is_read(tmp_path: Path) -> None:
    name = f"{'folder/' * 40}ä.jpg"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "a.tar", "w", format=form) as tar:
            tar.addfile(tarfile.TarInfo(name))
        assert dict(kinds.tar_members(Part.whole(tmp_path / "a.tar", "a.tar"))) == {name: b""}
