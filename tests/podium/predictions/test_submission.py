import re

import pytest
from conftest import TASK
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives.delimited import Table, format_table, parse_table
from podium.predictions.submission import check_submission, read_sample
from podium.step import BadInput
from podium.tasks.cells import Form, Sample

LABELS, PROBABILITIES = Form("labels", 5, " "), Form("probabilities", 5, " ")

CELLS = st.text(st.sampled_from("ab,;\t\"' \r\nNA0é東\ufeff\0"), max_size=6) | st.text(max_size=8)


def parsed(text: str, name: str = "t.csv") -> Table:
    return parse_table(name, text.encode())


TEST = {"a.jpg": "test.csv: line 2", "b.jpg": "test.csv: line 3", "c.jpg": "test.csv: line 4"}


@pytest.mark.parametrize(
    "text, written",
    [
        ("file,label\nc.jpg,x\na.jpg,x\nb.jpg,x\n", 'file,label\nc.jpg,1\na.jpg,"2,3"\nb.jpg,4\n'),
        (
            "label\tfile\r\n\tc.jpg\r\n\ta.jpg\r\n\tb.jpg\r\n",
            "label\tfile\r\n1\tc.jpg\r\n2,3\ta.jpg\r\n4\tb.jpg\r\n",
        ),
        ("Id,Class\nc.jpg,x\na.jpg,x\nb.jpg,x\n", 'Id,Class\nc.jpg,1\na.jpg,"2,3"\nb.jpg,4\n'),
    ],
)
def test_a_submission_takes_the_form_and_order_of_the_sample(text: str, written: str) -> None:
    sample = read_sample(parsed(text, "sample.csv"), "file", TEST, "test.csv")
    found = sample.format([["1"], ["2,3"], ["4"]])
    assert found.decode() == written
    check_submission("submission.csv", found, sample, TASK, ["1", "2,3", "4"], LABELS)


@pytest.mark.parametrize(
    "rows, message",
    [
        ("a.jpg,x\nz.jpg,x\nb.jpg,x\n", "sample.csv: line 3: 'z.jpg' is not an id of test.csv, whose first is 'a.jpg'"),
        ("a.jpg,x\nb.jpg,x\na.jpg,y\n", "sample.csv: line 4: 'a.jpg' occurs twice"),
        ("b.jpg,x\na.jpg,x\n", "test.csv: line 4: 'c.jpg' is not in sample.csv, whose first is 'b.jpg'"),
    ],
)
def test_a_sample_that_does_not_fit_the_test_table_is_refused(rows: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        read_sample(parsed(f"file,label\n{rows}", "sample.csv"), "file", TEST, "test.csv")


def test_a_row_of_the_sample_that_stands_there_twice_is_handed_in_twice(caplog: pytest.LogCaptureFixture) -> None:
    text = "file,label\na.jpg,x\nb.jpg,x\na.jpg,x\nc.jpg,x\n"
    sample = read_sample(parsed(text, "sample.csv"), "file", TEST, "test.csv")
    assert sample.ids == ["a.jpg", "b.jpg", "a.jpg", "c.jpg"]
    assert "sample.csv: line 4 repeats line 2" in caplog.text
    check_submission("s.csv", sample.format([["y"]] * 4), sample, TASK, ["y"], LABELS)


@pytest.mark.parametrize(
    "test, rows, message",
    [
        ("a.jpg\nb.jpg\n", "a.png\na.gif\n", "sample.csv: line 3: 'a.jpg' occurs twice"),
        ("a.jpg\nb.jpg\n", "a.png\nc.png\n", "sample.csv: line 3: 'c.png' is not an id of test.csv"),
        ("a.jpg\nb.jpg\n", "a.png\n", "test.csv: line 3: 'b.jpg' is not in sample.csv"),
        ("a.jpg\na.png\n", "a.jpg\na.png\n", "test.csv: line 3: 'a.png' and 'a.jpg' differ only in the suffix"),
    ],
    ids=["twice", "unknown", "missing", "ambiguous"],
)
def test_ids_of_other_suffixes_are_matched_one_to_one_or_refused(test: str, rows: str, message: str) -> None:
    sample = parsed("file\tlabel\n" + rows.replace("\n", "\tx\n"), "sample.csv")
    with pytest.raises(BadInput, match=re.escape(message)):
        places = {key: f"test.csv: line {line}" for line, key in enumerate(test.split(), 2)}
        read_sample(sample, "file", places, "test.csv", "test")


def test_a_sample_of_one_column_is_refused() -> None:
    with pytest.raises(BadInput, match=re.escape("sample.csv: one column (file)")):
        read_sample(parsed("file\na.jpg\n", "sample.csv"), "file", TEST, "test.csv")


def three(columns: str) -> Sample:
    """A sample of three ids with these columns, in which the ids stand in `file`."""
    cells = ",".join("x" if column == "file" else "" for column in columns.split(","))
    rows = "".join(cells.replace("x", f"{name}.jpg") + "\n" for name in "abc")
    return read_sample(parsed(f"{columns}\n{rows}", "sample.csv"), "file", TEST, "test.csv")


@pytest.mark.parametrize(
    ("columns", "form", "message"),
    [
        ("file,label,score", LABELS, "2 columns next to the id (label, score), but `form: labels` requires one"),
        ("file,x,z", PROBABILITIES, "sample.csv: line 1: no column for the label 'y' (first columns: 'x', 'z')"),
        ("file,1,2,3", Form("top", 2, " "), "3 columns next to the id (1, 2, 3), but `form: top` requires one or 2"),
        ("file,labels", Form("top", 3, " "), "submission.top: 3 is more than the 2 that there are"),
        ("file,labels", Form("top", 2, "y"), "submission.separator: 'y' occurs in the label 'y'; choose another"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_the_sample_is_refused(columns: str, form: Form, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        TASK.check_form(three(columns), form, ["x", "y"])


def test_forms_that_fit_are_taken() -> None:
    for columns, form in [
        ("file,species", LABELS),
        ("file,y,x", PROBABILITIES),
        ("x,file,y", PROBABILITIES),
        ("file,x,unseen,y", PROBABILITIES),
        ("file,labels", Form("top", 2, " ")),
        ("file,first,second", Form("top", 2, "y")),
    ]:
        TASK.check_form(three(columns), form, ["x", "y"])


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,label\na.jpg,x\nb.jpg,x\nc.jpg,y\n", "line 1: the header is 'id,label'"),
        ("file\tlabel\na.jpg\tx\nb.jpg\tx\nc.jpg\ty\n", "line 1: the header is"),
        ("file,label\na.jpg,x\nb.jpg,x\n", "'c.jpg' is missing after line 3"),
        ("file,label\na.jpg,x\nb.jpg,x\nc.jpg,y\nd.jpg,y\n", "line 5: 'd.jpg' is one row more than in sample.csv"),
        ("file,label\na.jpg,x\nc.jpg,x\nb.jpg,y\n", "line 3: the id is 'c.jpg', but in sample.csv it is 'b.jpg'"),
        ("file,label\na.jpg,x\nb.jpg,z\nc.jpg,\n", "line 3: 'z' is not a label of the training photos"),
        ("file,label\na.jpg,x\nb.jpg,x\nc.jpg,\n", "line 4: '' is not a label"),
        ("file,label\na.jpg,x\nb.jpg\nc.jpg,y\n", "line 3 has 1 cells"),
        ("file,label\n", "contains no rows"),
    ],
)
def test_a_submission_that_is_not_what_the_sample_asks_is_refused_by_line(text: str, message: str) -> None:
    sample = read_sample(parsed("file,label\na.jpg,x\nb.jpg,x\nc.jpg,x\n", "sample.csv"), "file", TEST, "test.csv")
    check_submission("submission.csv", b"file,label\na.jpg,x\nb.jpg,x\nc.jpg,y\n", sample, TASK, ["x", "y"], LABELS)
    with pytest.raises(BadInput, match=re.escape(f"submission.csv: {message}")):
        check_submission("submission.csv", text.encode(), sample, TASK, ["x", "y"], LABELS)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("0.25,0.25,0.5", None),
        ("1,0,0", None),
        ("1e-9,0.99999999,0", None),
        ("0.25,0.25,", "'' in column 'x' is not a probability"),
        ("0.25,nan,0.75", "'nan' in column 'z' is not a probability"),
        ("inf,0,0", "'inf' in column 'y' is not a probability"),
        ("1.5,-0.5,0", "'1.5' in column 'y' is not a probability"),
        ("0.5,-0.5,1", "'-0.5' in column 'z' is not a probability"),
        ("0.5,half,0", "'half' in column 'z' is not a probability"),
        ("0.5,0.25,0.24", "the probabilities sum to 0.99, not to 1"),
        ("0.5,0.5,0.001", "the probabilities sum to 1.001, not to 1"),
    ],
)
def test_probabilities_are_checked_by_row(cells: str, message: str | None) -> None:
    data = f"file,y,z,x\na.jpg,0,0,1\nb.jpg,{cells}\nc.jpg,0,1,0\n".encode()
    if message is None:
        check_submission("s.csv", data, three("file,y,z,x"), TASK, ["x", "y", "z"], PROBABILITIES)
        return
    with pytest.raises(BadInput, match=f"^{re.escape(f's.csv: line 3: {message}')}$"):
        check_submission("s.csv", data, three("file,y,z,x"), TASK, ["x", "y", "z"], PROBABILITIES)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x", "z"], None),
        (["x", "w"], "'w' is not a label of the training photos"),
        (["x", "x"], "'x' occurs twice"),
        (["x", ""], "'' is not a label"),
    ],
)
@pytest.mark.parametrize("columns", ["file,labels", "file,first,second"])
def test_lists_of_labels_are_checked_by_row(columns: str, cells: list[str], message: str | None) -> None:
    delimiter = "|" if columns == "file,labels" else ","
    rows = {"a": ["y", "x"], "b": cells, "c": ["z", "x"]}
    data = f"{columns}\n{''.join(f'{key}.jpg,{delimiter.join(row)}' + chr(10) for key, row in rows.items())}".encode()
    if message is None:
        check_submission("s.csv", data, three(columns), TASK, ["x", "y", "z"], Form("top", 2, "|"))
        return
    with pytest.raises(BadInput, match=re.escape(f"s.csv: line 3: {message}")):
        check_submission("s.csv", data, three(columns), TASK, ["x", "y", "z"], Form("top", 2, "|"))


def test_a_list_of_another_length_is_refused() -> None:
    data = b"file,labels\na.jpg,x y\nb.jpg,x\nc.jpg,x y\n"
    with pytest.raises(BadInput, match=re.escape("s.csv: line 3: 1 labels, but 2 are required")):
        check_submission("s.csv", data, three("file,labels"), TASK, ["x", "y"], Form("top", 2, " "))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), form=st.sampled_from([LABELS, PROBABILITIES, Form("top", 2, "|")]))
def test_any_change_of_a_cell_is_refused_or_says_something_allowed(data: st.DataObject, form: Form) -> None:
    """Whatever is written over one cell of a right submission, what passes is a right submission."""
    columns = "file,x,y,z" if form.kind == "probabilities" else "file,label"
    right = {"labels": ["x"], "probabilities": ["0.5", "0.25", "0.25"], "top": ["y|x"]}[form.kind]
    rows = [[f"{name}.jpg", *right] for name in "abc"]
    row, column = data.draw(st.integers(0, 2)), data.draw(st.integers(0, len(right)))
    cell = data.draw(CELLS | st.sampled_from(["y", "z|x", "x|x", "0.5", "1", "0.250001", "nan", "a.jpg"]))
    rows[row][column] = cell
    text = format_table(columns.split(","), rows)
    try:
        check_submission("s.csv", text.encode(), three(columns), TASK, ["x", "y", "z"], form)
    except BadInput as error:
        assert str(error).startswith("s.csv: line ")
        return
    assert [each[0] for each in rows] == ["a.jpg", "b.jpg", "c.jpg"]
    if form.kind == "probabilities":
        values = [float(each) for each in rows[row][1:]]
        assert abs(sum(values) - 1) < 1e-3
        assert min(values) >= 0
    else:
        said = rows[row][1].split("|") if form.kind == "top" else [rows[row][1]]
        assert len(set(said)) == form.labels
        assert set(said) <= {"x", "y", "z"}
