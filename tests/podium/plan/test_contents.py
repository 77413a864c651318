"""What a user's own files hold is read again only where it may be another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from podium.digests import digest
from podium.plan import contents


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were read, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    names: list[str] = []

    def counted(path: Path) -> str:
        names.append(path.name)
        return digest(path)

    monkeypatch.setattr(contents, "digest", counted)
    return names


def photos(*names: str) -> Path:
    for name in names:
        (path := Path("photos", name)).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Path("photos")


def test_a_file_is_read_once_and_again_if_it_may_be_another(read: list[str]) -> None:
    (path := Path("a.zip")).write_text("one")
    first = contents.content(path)
    assert first == digest(path) == contents.content(path)
    assert read == ["a.zip"]
    os.utime(path, (1, 1))
    assert contents.content(path) == first
    assert read == ["a.zip"] * 2
    path.write_text("two")
    os.utime(path, (1, 1))  # the same size and time, as a copy that keeps times may have
    assert contents.content(path) == digest(path) != first


def test_of_a_folder_only_what_is_new_or_touched_is_read(read: list[str]) -> None:
    folder = photos("a", "b/c", "b/d")
    first = contents.content(folder)
    assert first == digest(folder) == contents.content(folder)
    assert sorted(read) == ["a", "c", "d"]
    read.clear()
    os.utime(folder / "b/c", (1, 1))
    assert contents.content(folder) == first
    assert read == ["c"]
    read.clear()
    photos("b/e")
    (folder / "a").unlink()
    assert contents.content(folder) == digest(folder) != first
    assert read == ["e"]


def test_two_archives_are_remembered_side_by_side(read: list[str]) -> None:
    Path("a.zip").write_text("one")
    Path("b.zip").write_text("two")
    for _ in range(2):
        assert [contents.content(Path(name)) for name in ("a.zip", "b.zip")] == [
            digest(Path("a.zip")),
            digest(Path("b.zip")),
        ]
    assert read == ["a.zip", "b.zip"]


def test_processes_that_ask_at_once_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = photos(*(str(number) for number in range(50)))
    code = "from pathlib import Path; from podium.plan.contents import content; print(content(Path('photos')))"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    command = [sys.executable, "-c", code]
    asked = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert {each.communicate()[0].strip() for each in asked} == {digest(folder)}
    assert len(list((tmp_path / contents.MEMORY).iterdir())) == 1
    assert contents.content(folder) == digest(folder)
