import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import py7zr
import pytest
from conftest import TABLES, Kaggle, competition, write_zip
from PIL import Image
from sklearn.datasets import load_digits

from download import download
from podium.archives.delimited import archive_table
from podium.archives.opening import Archive
from podium.step import BadInput

MEMBERS = competition(train=1, test=1, validation=1)
Serve = Callable[..., str]


def write_folder(path: Path) -> Path:
    for name, content in MEMBERS.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_tar(path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(write_folder(path.with_name("unpacked")), ".")
    return path


def write_seven_zip(path: Path) -> Path:
    with py7zr.SevenZipFile(path, "w", filters=[{"id": py7zr.FILTER_LZMA2, "preset": 0}]) as out:
        for name, content in MEMBERS.items():
            out.writestr(content, name)
    return path


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server that gives these answers, each a status, a body and how much of it is sent; returns a URL."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: tuple[int, bytes, int | None]) -> str:
        left = iter(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body, sent = next(left)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:sent])

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.01], daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/archive.zip"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_built_in_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    download(tmp_path / "source.zip", archive="builtin:digits", sha256=None, files=None, unpack={})
    found, digits = Archive(tmp_path / "source.zip"), load_digits()
    sample, test = archive_table(found, "sample_submission.csv"), archive_table(found, "test.csv")
    assert sample.column("file") == test.column("file")
    train = archive_table(found, "train.csv")
    labels = dict(zip(train.column("file"), train.column("label"), strict=True))
    for number, (wanted, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        name, held = f"{number:04}.png", number % 5 == 0
        pixels = Image.open(io.BytesIO(found.read(f"{'test' if held else 'train'}/{name}")))
        # Sixteen grey levels lie seventeen apart, so the original comes back exactly.
        assert np.array_equal(np.round(np.asarray(pixels, float) * 16 / 255), wanted)
        assert (name in test.column("file")) == held
        assert labels.get(name) == (None if held else str(label))


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: write_zip(folder / "a.zip", MEMBERS),
        lambda folder: write_tar(folder / "a.tar.gz"),
        lambda folder: write_folder(folder / "in"),
        lambda folder: write_seven_zip(folder / "a.7z"),
    ],
    ids=["zip", "tar.gz", "folder", "7z"],
)
def test_a_zip_a_tar_a_folder_and_a_7z_give_the_same_members(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    archive = make(tmp_path)
    for name in ("first.zip", "second.zip"):
        download(tmp_path / name, archive=str(archive), sha256=None, files=None, unpack={})
    with zipfile.ZipFile(tmp_path / "first.zip") as found:
        assert {name: found.read(name) for name in found.namelist() if name[-1] != "/"} == MEMBERS
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    assert {spec["path"] for spec in TABLES.values()} < set(Archive(tmp_path / "first.zip").names())


def test_archives_inside_are_unpacked_and_a_zip_that_needs_it_not_is_copied(tmp_path: Path, serve: Serve) -> None:
    inner = write_zip(tmp_path / "train.zip", MEMBERS).read_bytes()
    outer = write_zip(tmp_path / "a.zip", {"train.zip": inner, "a.csv": b"table"})
    url, digest = serve((200, inner, None), (200, b"table", None)), hashlib.sha256
    files = {
        name: {"url": url, "sha256": digest(content).hexdigest()}
        for name, content in (("train.zip", inner), ("a.csv", b"table"))
    }
    wanted = {"a.csv", *(f"train.zip/{name}" for name in MEMBERS)}
    for settings in ({"archive": str(outer), "files": None}, {"archive": None, "files": files}):
        download(tmp_path / "source.zip", **settings, sha256=None, unpack={"train.zip": "train.zip"})
        assert set(Archive(tmp_path / "source.zip").names()) == wanted
    download(tmp_path / "source.zip", archive=str(outer), sha256=None, files=None, unpack={})
    assert (tmp_path / "source.zip").read_bytes() == outer.read_bytes()
    with pytest.raises(
        BadInput, match=r"builtin:digits: unpack: 'x\.zip' is not in the archive \(archives there: none"
    ):
        download(tmp_path / "source.zip", archive="builtin:digits", sha256=None, files=None, unpack={"x.zip": "x"})
    assert {path.name for path in tmp_path.iterdir()} == {"train.zip", "a.zip", "source.zip"}


def test_two_downloads_of_the_digits_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        download(tmp_path / name, archive="builtin:digits", sha256=None, files=None, unpack={})
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_sha256_is_checked_and_a_wrong_one_is_shown_beside_the_right_one(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", MEMBERS)
    right, wrong = hashlib.sha256(archive.read_bytes()).hexdigest(), "0" * 64
    download(tmp_path / "source.zip", archive=str(archive), sha256=right, files=None, unpack={})
    with pytest.raises(BadInput, match=f"a.zip: its sha256 is {right}, the competition file states {wrong}"):
        download(tmp_path / "other.zip", archive=str(archive), sha256=wrong, files=None, unpack={})
    assert not (tmp_path / "other.zip").exists()


def test_archives_that_lead_outside_are_named_and_not_copied(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"train.csv": b"", "../evil.csv": b""})
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil.csv"))
    for name in ("a.zip", "a.tar.gz"):
        with pytest.raises(BadInput, match=rf"{name}: '\.\./evil\.csv' leads outside"):
            download(tmp_path / "source.zip", archive=str(tmp_path / name), sha256=None, files=None, unpack={})


def test_names_with_backslashes_are_taken_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    odd = {name.replace("/", "\\"): content for name, content in MEMBERS.items()}
    write_zip(tmp_path / "a.zip", odd)
    (tmp_path / "in").mkdir()
    for name, content in odd.items():
        (tmp_path / "in" / name).write_bytes(content)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "in", ".")
    for archive in ("a.zip", "a.tar.gz", "in"):
        caplog.clear()
        download(tmp_path / "source.zip", archive=str(tmp_path / archive), sha256=None, files=None, unpack={})
        assert set(Archive(tmp_path / "source.zip").names()) == set(MEMBERS)
        (said,) = caplog.messages
        assert "backslashes in names are read as slashes: '" in said
    write_zip(tmp_path / "b.zip", MEMBERS | {"..\\evil.csv": b""})
    with pytest.raises(BadInput, match=r"b\.zip: '\.\.\\evil\.csv' leads outside"):
        download(tmp_path / "source.zip", archive=str(tmp_path / "b.zip"), sha256=None, files=None, unpack={})


def test_a_file_too_large_to_be_held_is_refused_before_it_is_read(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podium.archives.opening.LARGEST", 5000)
    (tmp_path / "in").mkdir()
    for name, size in (("in/small", 5000), ("in/large", 5001)):
        (tmp_path / name).write_bytes(bytes(size))
    with pytest.raises(BadInput, match=r"/in/large: expands to more than 5,000 bytes"):
        download(tmp_path / "source.zip", archive=str(tmp_path / "in"), sha256=None, files=None, unpack={})
    url = serve((200, bytes(5001), None))
    files = {"a": {"url": url, "sha256": hashlib.sha256(bytes(5001)).hexdigest()}}
    with pytest.raises(BadInput, match=rf"{url}: expands to more than 5,000 bytes"):
        download(tmp_path / "source.zip", archive=None, sha256=None, files=files, unpack={})


def test_what_is_no_whole_archive_is_named(tmp_path: Path) -> None:
    whole_zip, whole_tar = (
        write_zip(tmp_path / "a.zip", MEMBERS).read_bytes(),
        write_tar(tmp_path / "a.tgz").read_bytes(),
    )
    broken = {
        "cut.zip": whole_zip[:-100],
        "cut.tgz": whole_tar[: len(whole_tar) // 2],
        "page.zip": b"<html>",
        "empty.zip": b"",
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=f"{name}: n.*complete"):
            download(tmp_path / "source.zip", archive=str(tmp_path / name), sha256=None, files=None, unpack={})
    with pytest.raises(BadInput, match=r"gone\.zip: no such archive"):
        download(tmp_path / "source.zip", archive=str(tmp_path / "gone.zip"), sha256=None, files=None, unpack={})


def test_a_download_that_breaks_off_is_tried_again(tmp_path: Path, serve: Serve) -> None:
    body = write_zip(tmp_path / "a.zip", MEMBERS).read_bytes()
    url = serve((200, body, len(body) // 2), (200, body, None))
    (tmp_path / "out").mkdir()
    download(tmp_path / "out/source.zip", archive=url, sha256=hashlib.sha256(body).hexdigest(), files=None, unpack={})
    assert (tmp_path / "out/source.zip").read_bytes() == body
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/source.zip"]


def test_a_url_that_is_not_there_is_named(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("download.RETRIES", 0)
    url = serve((404, b"", None))
    with pytest.raises(BadInput, match=rf"{url}: cannot be downloaded .*404"):
        download(tmp_path / "source.zip", archive=url, sha256=None, files=None, unpack={})


def test_kaggle_s_archive_comes_through_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_zip(tmp_path / "a.zip", MEMBERS)
    fake = Kaggle(tmp_path / "bin", archive)
    monkeypatch.setenv("PATH", str(fake.folder), prepend=":")
    (tmp_path / "out").mkdir()
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    download(tmp_path / "out/source.zip", archive="kaggle:pets", sha256=digest, files=None, unpack={})
    assert (tmp_path / "out/source.zip").read_bytes() == archive.read_bytes()
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/source.zip"]
    ((*command, folder, quiet),) = fake.calls()
    assert (command, quiet) == (["competitions", "download", "-c", "pets", "-p"], "-q")
    assert Path(folder).parent == tmp_path / "out"
    with pytest.raises(BadInput, match="kaggle:pets: its sha256 is"):
        download(tmp_path / "out/source.zip", archive="kaggle:pets", sha256="0" * 64, files=None, unpack={})
    with pytest.raises(BadInput, match="kaggle:cats: download: no such competition"):
        download(tmp_path / "out/source.zip", archive="kaggle:cats", sha256=None, files=None, unpack={})
    (fake.folder / "token").unlink()
    with pytest.raises(BadInput, match="kaggle:pets: download: no token: make one at"):
        download(tmp_path / "out/source.zip", archive="kaggle:pets", sha256=None, files=None, unpack={})


def test_what_a_url_gives_is_checked_like_a_file(tmp_path: Path, serve: Serve) -> None:
    body = write_zip(tmp_path / "a.zip", MEMBERS).read_bytes()
    url = serve((200, body, None), (200, b"<html>sign in</html>", None))
    with pytest.raises(BadInput, match=f"{url}: its sha256 is {hashlib.sha256(body).hexdigest()}"):
        download(tmp_path / "source.zip", archive=url, sha256="0" * 64, files=None, unpack={})
    with pytest.raises(BadInput, match=f"{url}: neither a complete zip nor a tar nor a 7z file"):
        download(tmp_path / "source.zip", archive=url, sha256=None, files=None, unpack={})


def test_files_at_their_own_urls_become_one_archive_in_their_order(tmp_path: Path, serve: Serve) -> None:
    bodies = {"b.gz": b"second letter, first file", "a.gz": b"first letter"}
    url = serve(*((200, body, None) for body in bodies.values()))
    files = {name: {"url": url, "sha256": hashlib.sha256(body).hexdigest()} for name, body in bodies.items()}
    download(tmp_path / "source.zip", archive=None, sha256=None, files=files, unpack={})
    with zipfile.ZipFile(tmp_path / "source.zip") as found:
        assert {name: found.read(name) for name in found.namelist()} == bodies
        assert found.namelist() == ["b.gz", "a.gz"]
    assert list(tmp_path.iterdir()) == [tmp_path / "source.zip"]


def test_each_of_several_files_is_checked(tmp_path: Path, serve: Serve) -> None:
    url = serve((200, b"good", None), (200, b"bad", None))
    right = {"url": url, "sha256": hashlib.sha256(b"good").hexdigest()}
    wrong = hashlib.sha256(b"bad").hexdigest()
    with pytest.raises(BadInput, match=f"{url}: its sha256 is {wrong}, the competition file states {right['sha256']}"):
        download(tmp_path / "source.zip", archive=None, sha256=None, files={"a": right, "b": right}, unpack={})
