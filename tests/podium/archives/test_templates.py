"""Which files the rows of a table mean."""

import re
from pathlib import Path

import pytest
from conftest import table, write_zip
from hypothesis import given
from hypothesis import strategies as st

from podium.archives import templates
from podium.archives.delimited import parse_table
from podium.archives.opening import Archive
from podium.step import BadInput


def fitting(
    folder: Path, template: str, rows: list[list[str]], names: list[str], strict: bool = True
) -> list[list[str]]:
    """The files of rows of `id` and `part`, in an archive of files with these names."""
    archive = Archive(write_zip(folder / "source.zip", dict.fromkeys([*names, "train.csv"], b"")))
    return templates.files(archive, parse_table("train.csv", table(["id", "part"], rows)), template, strict)


@pytest.mark.parametrize(
    ("template", "names", "first", "second"),
    [
        ("images_*/{id}.png", "images_1/b.png images_2/a.png more/a.png", "images_2/a.png", "images_1/b.png"),
        ("*/images/{id}.*", "x/images/a.JPG images/b.png y/images/b.txt", "x/images/a.JPG", "*/images/b.*"),
        ("{id}_*.png", "a_2.png a_1.png b_9.png ab_1.png", "a_1.png a_2.png", "b_9.png"),
        ("{id}/*.*", "a/2.jpg a/1.png a/notes.txt b/1.jpg", "a/1.png a/2.jpg", "b/1.jpg"),
        ("{id}/*", "a/2.jpg a/1.png a/notes.txt b/1.jpg", "a/1.png a/2.jpg", "b/1.jpg"),
        ("p*/{id}_*_x.jpg", "p1/a_1_x.jpg p2/a__x.jpg p2/b_0_y.jpg", "p1/a_1_x.jpg p2/a__x.jpg", "p*/b_*_x.jpg"),
        ("*{id}.png", "1a.png 2a.png 3b.png", "1a.png 2a.png", "3b.png"),
        ("*/{part}/{id}.png", "x/1/2/a.png y/b.png x/3/b.png", "x/1/2/a.png", "x/3/b.png"),
    ],
)
def test_a_star_is_any_text_within_a_part_of_the_path(
    tmp_path: Path, template: str, names: str, first: str, second: str
) -> None:
    """In the last part several files may fit, which are all photos of the row."""
    found = fitting(tmp_path, template, [["a", "1/2"], ["b", "3"]], names.split())
    assert found == [first.split(), second.split()]


def test_a_star_in_a_cell_is_a_star(tmp_path: Path) -> None:
    assert fitting(tmp_path, "*/{id}.png", [["a*", ""]], ["x/ab.png", "x/a*.png"]) == [["x/a*.png"]]


def test_two_files_for_one_photo_stop_unless_the_first_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = ("images_*/{id}.png", [["a", ""]], ["images_1/a.png", "images_2/a.png"])
    with pytest.raises(BadInput) as refused:
        fitting(tmp_path, *given)
    both = "train.csv: line 2: 'images_1/a.png' and 'images_2/a.png' both fit 'images_*/a.png' (`strict: false` takes"
    assert str(refused.value).startswith(both)
    assert fitting(tmp_path, *given, strict=False) == [["images_1/a.png"]]
    assert "several photos fit each of 1 rows; the first is taken" in caplog.text


TEXT = st.text("ab_/.", max_size=5)


@given(st.lists(TEXT.map(lambda text: f"{text}x"), min_size=1, max_size=12, unique=True), TEXT, TEXT, TEXT, TEXT)
def test_what_fits_is_what_a_search_of_all_names_finds(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], first: str, key: str, middle: str, last: str
) -> None:
    archive = Archive(write_zip(tmp_path_factory.getbasetemp() / "names.zip", dict.fromkeys(names, b"")))
    pattern = f"{first}*{key}{middle}*{last}x"
    wanted = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))))
    found = templates.Names(archive, "{id}x").fitting(pattern.replace("*", templates.MARK))
    assert found == [name for name in archive.names() if wanted.fullmatch(name)]


def test_of_many_files_each_row_looks_at_few(tmp_path: Path) -> None:
    names = [f"images_{number % 12}/{number:05}.png" for number in range(5000)]
    archive = Archive(write_zip(tmp_path / "source.zip", dict.fromkeys(names, b"")))
    for template in ("images_*/{id}.png", "*/{id}.*", "*_*/{id}*"):
        there = templates.Names(archive, template)
        row = template.replace("{id}", "00042").removesuffix(".*").replace("*", templates.MARK)
        assert len(list(there._candidates(row))) == 1
