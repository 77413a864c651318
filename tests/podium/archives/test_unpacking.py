"""Archives inside an archive: what is in them, and that nothing dangerous comes out of them."""

import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import py7zr
import pytest
from conftest import memory_below, write_zip

from podium.archives import opening as archive
from podium.archives.delimited import archive_table
from podium.archives.opening import Archive, member_name
from podium.archives.unpacking import Contents, unpacked
from podium.step import BadInput

FILES = {"a.jpg": b"first photo", "deep/b.jpg": b"", "ü.jpg": bytes(range(256)) * 50, "new\nline.jpg": b""}
MB = 1 << 20


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def sevenzipped(members: dict[str, bytes], password: str | None = None) -> bytes:
    out = io.BytesIO()
    fast = None if password else [{"id": py7zr.FILTER_LZMA2, "preset": 0}]
    with py7zr.SevenZipFile(out, "w", password=password, filters=fast) as file:
        for name, data in members.items():
            file.writestr(data, name)
    return out.getvalue()


def renamed(old: str, new: str, *more: str) -> bytes:
    """A 7z with a name of the same length that py7zr would not write, and members of these names."""
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=[{"id": py7zr.FILTER_COPY}]) as file:
        file.set_encoded_header_mode(False)
        for name in (old, *more):
            file.writestr(name.encode(), name)
    whole = out.getvalue().replace(old.encode("utf-16-le"), new.encode("utf-16-le"))
    offset, size = struct.unpack_from("<2Q", whole, 12)
    start = whole[12:28] + struct.pack("<L", zlib.crc32(whole[32 + offset :][:size]))
    return whole[:8] + struct.pack("<L", zlib.crc32(start)) + start + whole[32:]


PACKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "deflated zip": lambda members: zipped(members, zipfile.ZIP_DEFLATED),
    "tar": tarred,
    "tar.gz": lambda members: tarred(members, "w:gz"),
    "tar.bz2": lambda members: tarred(members, "w:bz2"),
    "tar.xz": lambda members: lzma.compress(tarred(members), preset=0),
    "7z": sevenzipped,
}


def written(path: Path, unpack: list[str], folder: Path) -> dict[str, bytes]:
    """What a stored archive contains once it is unpacked like this."""
    archive.write_zip(folder / "source.zip", unpacked(path, "outer", {name: name for name in unpack}, folder))
    found = Archive(folder / "source.zip")
    return {name: found.read(name) for name in found.names()}


@pytest.mark.parametrize(
    ("outer", "inner"), [*(("zip", kind) for kind in PACKERS), *((kind, "tar") for kind in PACKERS)]
)
def test_any_kind_of_archive_lies_in_any_other_whatever_it_is_called(tmp_path: Path, outer: str, inner: str) -> None:
    whole = {"train.tar.gz": PACKERS[inner](FILES), "train.csv": b"id,label\n"}
    (tmp_path / "outer").write_bytes(PACKERS[outer](whole))
    wanted = {f"train.tar.gz/{member_name(name)}": data for name, data in FILES.items()} | {"train.csv": b"id,label\n"}
    assert written(tmp_path / "outer", ["train.tar.gz"], tmp_path) == wanted
    assert {each.name for each in tmp_path.iterdir()} == {"outer", "source.zip"}
    found = Contents(tmp_path / "outer")
    assert found.archives == ["train.tar.gz"]
    assert {name: found.read(name) for name in found.names()} == wanted
    assert {name: found.size(name) for name in found.names()} == {name: len(data) for name, data in wanted.items()}


def test_archives_in_archives_are_unpacked_where_they_are_listed(tmp_path: Path) -> None:
    second = zipped({"c.jpg": b"c", "more.7z": sevenzipped({"d.jpg": b"d"})})
    outer = write_zip(
        tmp_path / "a.zip", {"top/first.zip": zipped({"b.jpg": b"b", "second.zip": second}), "top/a": b"a"}
    )
    assert Contents(outer).archives == ["first.zip", "first.zip/second.zip", "first.zip/second.zip/more.7z"]
    assert Contents(outer).names()[-1] == "first.zip/second.zip/more.7z/d.jpg"
    # The order in which they are listed does not matter; a single top folder is left out, as it always is.
    found = written(outer, ["first.zip/second.zip", "first.zip"], tmp_path)
    assert sorted(found) == ["a", "first.zip/b.jpg", "first.zip/second.zip/c.jpg", "first.zip/second.zip/more.7z"]
    assert sorted(written(outer, ["first.zip"], tmp_path)) == ["a", "first.zip/b.jpg", "first.zip/second.zip"]


def test_the_folder_that_takes_an_archive_s_place_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    first = zipped({"b.jpg": b"b", "second.zip": zipped({"c.jpg": b"c"})})
    outer = write_zip(tmp_path / "a.zip", {"top/first.zip": first, "top/first/a.jpg": b"a"})
    for unpack, wanted in (
        ({"first.zip": "first"}, ["first/a.jpg", "first/b.jpg", "first/second.zip"]),
        ({"first.zip": "x", "first.zip/second.zip": "first/y"}, ["first/a.jpg", "first/y/c.jpg", "x/b.jpg"]),
    ):
        archive.write_zip(tmp_path / "source.zip", unpacked(outer, "outer", unpack, tmp_path))
        assert Archive(tmp_path / "source.zip").names() == wanted
    with pytest.raises(BadInput, match=r"^outer: unpack: '\.\./x' leads outside the archive"):
        list(unpacked(outer, "outer", {"first.zip": "../x"}, tmp_path))


def test_an_archive_that_contains_nothing_but_another_keeps_its_name(tmp_path: Path) -> None:
    outer = write_zip(tmp_path / "a.zip", {"all.zip": zipped({"x/train.csv": b"", "x/a.jpg": b""})})
    assert (
        sorted(written(outer, ["all.zip"], tmp_path))
        == Contents(outer).names()
        == ["all.zip/x/a.jpg", "all.zip/x/train.csv"]
    )


def linked() -> bytes:
    """A tar with a link."""
    out, link = io.BytesIO(), tarfile.TarInfo("link.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(link)
    return out.getvalue()


def linked_in_seven_zip(folder: Path) -> bytes:
    (folder / "a.jpg").touch()
    (folder / "link.jpg").symlink_to("a.jpg")
    with py7zr.SevenZipFile(folder / "link.7z", "w") as file:
        file.write(folder / "link.jpg", "link.jpg")
    return (folder / "link.7z").read_bytes()


WRONG: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "outside, zip": (lambda _: zipped({"../a.jpg": b""}), r"'\.\./a\.jpg' leads outside the archive"),
    "outside, tar": (lambda _: tarred({"../a.jpg": b""}, "w:gz"), r"'\.\./a\.jpg' leads outside the archive"),
    "outside, 7z": (lambda _: renamed("xx/a.jpg", "../a.jpg"), r"'\.\./a\.jpg' leads outside the archive"),
    "link, tar": (lambda _: linked(), r"'link\.jpg' is a link or a device"),
    "link, 7z": (linked_in_seven_zip, r"'link\.jpg' is a link or a device"),
    "twice, tar": (lambda _: tarred({"a": b"", "./a": b""}), r"'a' occurs twice in the archive"),
    "twice, 7z": (lambda _: renamed("a", "b", "b"), r"'b' occurs twice in the archive"),
    "encrypted, 7z": (lambda _: sevenzipped(FILES, password="secret"), "is encrypted"),
    "cut, zip": (lambda _: zipped(FILES)[:-30], "neither a complete zip nor a tar nor a 7z file"),
    "cut, tar": (lambda _: tarred(FILES)[:-10240], "not a complete tar file"),
    "cut, 7z": (lambda _: sevenzipped(FILES)[:-30], "not a complete 7z file"),
    "a table": (lambda _: b"id,label\n", "neither a complete zip nor a tar nor a 7z file"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_an_archive_inside_is_checked_like_one_by_itself_and_named(
    tmp_path: Path, make: Callable[[Path], bytes], message: str
) -> None:
    outer = write_zip(tmp_path / "a.zip", {"train": make(tmp_path), "b.csv": b""})
    with pytest.raises(BadInput, match=rf"^outer: 'train'.*{message}|^outer: '{message}") as refused:
        list(unpacked(outer, "outer", {"train": "train"}, tmp_path))
    assert "\n" not in str(refused.value)


def test_an_archive_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    outer = write_zip(tmp_path / "a.zip", {"train.zip": zipped({"more.7z": b""}), "b.tgz": b"", "c.csv": b""})
    for unpack, message in (
        (["test.zip"], "outer: unpack: 'test.zip' is not in the archive (archives there: train.zip, b.tgz)"),
        (["train.zip/more.7z"], "'train.zip/more.7z' is not in the archive (archives there: train.zip, b.tgz)"),
        (
            ["train.zip", "train.zip/x.7z"],
            "outer: unpack: 'train.zip/x.7z' is not in the archive (archives there: train.zip/mo",
        ),
    ):
        with pytest.raises(BadInput, match=re.escape(message)):
            list(unpacked(outer, "outer", dict(zip(unpack, unpack, strict=True)), tmp_path))


def test_a_damaged_file_of_an_archive_inside_is_named(tmp_path: Path) -> None:
    inner = zipped(FILES).replace(b"first photo", b"f1rst photo")
    outer = write_zip(tmp_path / "a.zip", {"train.zip": inner, "b.csv": b""})
    with pytest.raises(BadInput, match=r"^outer: 'train\.zip/a\.jpg': damaged in the archive \(Bad CRC"):
        list(unpacked(outer, "outer", {"train.zip": "train.zip"}, tmp_path))


def test_a_file_both_inside_an_archive_and_beside_it_is_refused(tmp_path: Path) -> None:
    outer = write_zip(tmp_path / "a.zip", {"train": zipped(FILES), "train/a.jpg": b"", "b.csv": b""})
    with pytest.raises(BadInput, match=r"'train/a\.jpg' occurs twice in the archive"):
        written(outer, ["train"], tmp_path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "7z"])
def test_bombs_inside_are_refused_before_they_are_expanded(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 4 * MB)
    bomb = {"zip": PACKERS["deflated zip"], "tar.gz": PACKERS["tar.gz"], "7z": sevenzipped}[kind]({"a": bytes(60 * MB)})
    outer = write_zip(tmp_path / "a.zip", {"train": bomb, "b.csv": b""})
    with (
        memory_below(24 * MB),
        pytest.raises(BadInput, match=r"^outer: 'train'(: 'a')?: expands to more than [\d,]+ bytes"),
    ):
        list(unpacked(outer, "outer", {"train": "train"}, tmp_path))


def test_what_expands_at_each_of_several_levels_counts_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "ALWAYS", 4 * MB)
    inner = zipped({str(number): bytes(MB) for number in range(20)}, zipfile.ZIP_DEFLATED)
    (tmp_path / "a.zip").write_bytes(zipped({"train": inner, "b.csv": b""}, zipfile.ZIP_DEFLATED))
    assert 200 * len(inner) < 20 * MB < 200 * len(inner) * 30
    with pytest.raises(BadInput, match=r"^outer: 'train': expands to more than"):
        list(unpacked(tmp_path / "a.zip", "outer", {"train": "train"}, tmp_path))


@pytest.mark.parametrize("kind", ["deflated zip", "tar.gz", "7z"])
def test_no_more_than_one_file_is_in_memory(tmp_path: Path, kind: str) -> None:
    files = {str(number): bytes([number]) * MB for number in range(40)}
    (tmp_path / "a.zip").write_bytes(zipped({"train": PACKERS[kind](files), "b.csv": b""}))
    with memory_below(24 * MB):  # 16 of them are py7zr's
        found = sum(len(data) for _, data in unpacked(tmp_path / "a.zip", "outer", {"train": "train"}, tmp_path))
    assert found == 40 * MB


def test_what_only_looks_like_an_archive_by_its_name_is_a_file(tmp_path: Path) -> None:
    outer = write_zip(
        tmp_path / "a.zip", {"labels.tar.gz": gzip.compress(b"numbers" * 200), "b.zip": b"", "c.tar": b"x" * 999}
    )
    found = Contents(outer)
    assert (found.names(), found.archives) == (["b.zip", "c.tar", "labels.tar.gz"], [])
    assert found.unpacked("labels.tar.gz") == b"numbers" * 200


def test_an_archive_that_contains_itself_is_looked_into_only_so_far(tmp_path: Path) -> None:
    whole = b"photo"
    for _ in range(6):
        whole = zipped({"a.zip": whole, "b": b""})
    (tmp_path / "a.zip").write_bytes(whole)
    assert len(Contents(tmp_path / "a.zip").archives) == 3


def test_archives_by_the_hundred_are_what_an_archive_is_about(tmp_path: Path) -> None:
    patients = {f"{number}.zip": zipped({"a.jpg": b""}) for number in range(101)}
    (tmp_path / "a.zip").write_bytes(zipped({"all.zip": zipped(patients), "a.csv": b""}))
    found = Contents(tmp_path / "a.zip")
    assert (found.archives, len(found.names())) == (["all.zip"], 102)
    assert f"{found.names()[1]}/a.jpg" in written(tmp_path / "a.zip", found.archives + found.names()[1:2], tmp_path)


def test_a_folder_with_archives_is_looked_into_and_unpacked(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/train.7z").write_bytes(sevenzipped(FILES))
    (tmp_path / "in/deep/a.csv").write_bytes(b"a\n1\n")
    found = Contents(tmp_path / "in")
    assert found.names() == ["deep/a.csv", *(f"train.7z/{name}" for name in sorted(map(member_name, FILES)))]
    assert archive_table(found, "deep/a.csv").rows == [["1"]]
    assert written(tmp_path / "in", ["train.7z"], tmp_path)["train.7z/a.jpg"] == b"first photo"
