import codecs
import re
from pathlib import Path

import pytest
from conftest import TASK, write_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives.delimited import Table, archive_table, format_table, parse_table
from podium.archives.opening import Archive
from podium.predictions.submission import check_submission, read_sample
from podium.step import BadInput
from podium.tasks.cells import Form

LABELS, PROBABILITIES = Form("labels", 5, " "), Form("probabilities", 5, " ")

CELLS = st.text(st.sampled_from("ab,;\t\"' \r\nNA0é東\ufeff\0"), max_size=6) | st.text(max_size=8)


def parsed(text: str, name: str = "t.csv") -> Table:
    return parse_table(name, text.encode())


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    delimiter=st.sampled_from(",\t;"),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_formatted_is_parsed_back(rows: list[tuple[str, str]], delimiter: str, newline: str) -> None:
    cells = [list(row) for row in rows]
    found = parsed(format_table(["file", "label"], cells, delimiter, newline))
    assert (found.header, found.rows) == (["file", "label"], cells)
    assert (found.delimiter, found.newline) == (delimiter, newline)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60) | CELLS.map(str.encode))
def test_any_bytes_are_a_table_or_bad_input(data: bytes) -> None:
    try:
        found = parse_table("t.csv", data)
    except BadInput as error:
        assert str(error).startswith("t.csv: ")
    else:
        assert found.rows
        assert {len(row) for row in found.rows} == {len(found.header)}


@pytest.mark.parametrize(
    "name, text, delimiter, header",
    [
        ("t.csv", "a,b\n1,2\n", ",", ["a", "b"]),
        ("t.csv", "a\tb\n1,5\t2\n", "\t", ["a", "b"]),
        ("t.tsv", "a;b\n1,5;2\n", ";", ["a", "b"]),
        ("t.csv", "a b\n1\n", ",", ["a b"]),
        ("t.tsv", "a\n1\n", "\t", ["a"]),
        ("t.csv", "\ufeffa,b\n1,2\n", ",", ["a", "b"]),
    ],
)
def test_the_header_tells_the_delimiter(name: str, text: str, delimiter: str, header: list[str]) -> None:
    found = parsed(text, name)
    assert (found.delimiter, found.header) == (delimiter, header)


TEXT = 'file,label\na.jpg,"crème; brûlée"\nb.jpg,€\n'


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("cp1252"), "cp1252"),
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-8 with a mark", "cp1252"],
)
def test_a_table_is_read_in_the_encoding_that_it_is_in_and_handed_in_in_it(
    data: bytes, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = parse_table("t.csv", data)
    assert (found.header, found.encoding) == (["file", "label"], encoding)
    assert found.rows == [["a.jpg", "crème; brûlée"], ["b.jpg", "€"]]
    said = "t.csv: line 2 is not UTF-8, so the table is read as cp1252 (Windows): 'a.jpg,\"crème; brûlée\"'"
    assert [said in message for message in caplog.messages] == ([True] if encoding == "cp1252" else [])
    sample = read_sample(found, "file", dict.fromkeys(["a.jpg", "b.jpg"], "test.csv"), "test.csv")
    written = sample.format([["Ã©"], ["é"]])  # in cp1252 the first is also UTF-8 for the second
    assert written.decode(encoding) == "file,label\na.jpg,Ã©\nb.jpg,é\n"
    check_submission("s.csv", written, sample, TASK, ["Ã©", "é"], LABELS)


def test_rows_know_their_lines() -> None:
    found = parsed('a,b\n1,2\n\n3,"4\n5"\n6,7')
    assert found.rows == [["1", "2"], ["3", "4\n5"], ["6", "7"]]
    # A row that spans lines counts where it ends.
    assert found.lines == [2, 5, 6]
    assert found.column("b") == ["2", "4\n5", "7"]
    with pytest.raises(BadInput, match=re.escape("t.csv: no column 'c' (there are: a, b)")):
        found.column("c")


@pytest.mark.parametrize(
    "data, message",
    [
        (b"a,b\n1,2\n3\n", "line 3 has 1 cells, but the header has 2"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4 has 3 cells, but the header has 2"),
        (b"a,b\n1,2\ncr\xe8me,\x81\n", "line 3 is neither UTF-8 nor cp1252 text"),
        (b"\xef\xbb\xbfa,b\n\xe9clair,2\n", "line 2 is not UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "line 2 is not UTF-16 text"),
        (b'a,b\n1,"2"x\n', "line 2: "),
        (b'a,b\n1,"2\n', "line 2: "),
        (b"a,b\n", "contains no rows"),
        (b"", "contains no rows"),
        (b"a,a\n1,2\n", "the header contains a column name twice: a, a"),
    ],
)
def test_a_broken_table_is_refused_by_line(data: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(f"t.csv: {message}")):
        parse_table("t.csv", data)


def test_a_table_that_is_not_in_the_archive_is_named_beside_those_that_are(tmp_path: Path) -> None:
    archive = Archive(write_zip(tmp_path / "a.zip", {"a.csv": b"x\n1\n", "b.tsv": b"", "c.jpg": b""}))
    assert archive_table(archive, "a.csv").rows == [["1"]]
    with pytest.raises(BadInput, match=re.escape("d.csv: not in the archive (its tables: a.csv, b.tsv)")):
        archive_table(archive, "d.csv")
