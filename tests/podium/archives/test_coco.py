import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import write_zip
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.archives.delimited import Table, archive_table
from podium.archives.opening import Archive
from podium.step import BadInput

IMAGES = [
    {"id": 7, "file_name": "a/7.jpg", "width": 3.5, "location": "north", "tags": ["x"]},
    {"id": 8, "file_name": "a/8.jpg", "width": 640, "seq": True},
    {"id": 9, "file_name": "a/9.jpg", "width": None, "location": "a\nb, é"},
]
ANNOTATIONS = [
    {"id": 1, "image_id": 9, "category_id": 40, "bbox": [1, 2, 3, 4]},
    {"id": 2, "image_id": 7, "category_id": 2, "location": "paw"},
    {"id": 3, "image_id": 9, "category_id": 2},
]
CATEGORIES = [{"id": 2, "name": "cat"}, {"id": 40, "name": "empty"}]
COCO = {"info": {"year": 2020}, "images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES}


def read(folder: Path, content: Any) -> Table:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return archive_table(Archive(write_zip(folder / "a.zip", {"t.json": data, "a.csv": b""})), "t.json")


def test_images_come_with_their_annotations_and_the_names_of_their_categories(tmp_path: Path) -> None:
    found = read(tmp_path, COCO)
    assert found.header == [
        *("id", "file_name", "width", "location", "seq"),
        *("annotation_id", "category_id", "category", "annotation_location"),
    ]
    assert found.rows == [
        ["7", "a/7.jpg", "3.5", "north", "", "2", "2", "cat", "paw"],
        ["8", "a/8.jpg", "640", "", "1", "", "", "", ""],
        ["9", "a/9.jpg", "", "a\nb, é", "", "1", "40", "empty", ""],
        ["9", "a/9.jpg", "", "a\nb, é", "", "3", "2", "cat", ""],
    ]
    assert found.lines == [1, 2, 3, 3]
    assert (found.name, found.delimiter, found.newline, found.encoding) == ("t.json", ",", "\n", "utf-8")


def test_images_without_annotations_are_a_table_by_themselves(tmp_path: Path) -> None:
    found = read(tmp_path, {"images": IMAGES, "categories": CATEGORIES})
    assert (found.header, found.lines) == (["id", "file_name", "width", "location", "seq"], [1, 2, 3])


def test_ids_that_are_numbers_in_one_list_and_texts_in_the_other_are_the_same(tmp_path: Path) -> None:
    found = read(tmp_path, {"images": [{"id": "7"}], "annotations": [{"image_id": 7, "grade": 2}]})
    assert (found.header, found.rows) == (["id", "grade"], [["7", "2"]])


def test_a_list_of_objects_is_a_table_of_their_plain_values(tmp_path: Path) -> None:
    found = read(tmp_path, [{"id": "01", "label": "x"}, {"label": False, "box": {"x": 1}, "score": 0.25}])
    assert (found.header, found.rows) == (["id", "label", "score"], [["01", "x", ""], ["", "0", "0.25"]])
    assert found.lines == [1, 2]
    assert found.column("label") == ["x", "0"]
    assert read(tmp_path, b"\xef\xbb\xbf" + json.dumps([{"a": 1}]).encode()).rows == [["1"]]


def changed(key: str, place: int, **values: Any) -> dict[str, Any]:
    """The whole with other values in one object; a value of None removes it."""
    rows = [dict(each) for each in COCO[key]]
    rows[place] = {name: value for name, value in (rows[place] | values).items() if value is not None}
    return COCO | {key: rows}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"a": 1}', "not JSON (Expecting ',' delimiter: line 1"),
        (b"\xff\xfe\xfa", "not JSON ("),
        (b"[" * 100_000, "not JSON ("),
        (b"", "not JSON ("),
        (
            {"0": "cat", "1": "dog"},
            "neither a list of objects nor COCO's form, which has the key 'images' (it has '0, 1')",
        ),
        (b"3", "neither a list of objects nor COCO's form, which has the key 'images' (it has int)"),
        ([], "contains no rows"),
        ({"images": []}, "contains no rows"),
        ([{"a": 1}, 2], "[1] is not an object"),
        (COCO | {"annotations": {}}, "annotations is not a list"),
        (COCO | {"images": [3]}, "images[0] is not an object"),
        (changed("images", 1, id=None), "images[1].id is missing"),
        (changed("images", 2, id=7), "images[2].id: '7' is that of images[0] too"),
        (changed("annotations", 1, image_id=3), "annotations[1].image_id: no image has the id '3'"),
        (changed("annotations", 1, image_id=None), "annotations[1].image_id is missing"),
        (changed("annotations", 0, category_id=41), "annotations[0].category_id: no category has the id '41'"),
        (
            changed("images", 0, annotation_id=1),
            "the header contains a column name twice: id, file_name, width, location, annotation_id, seq, ann",
        ),
        (changed("categories", 1, id=2), "categories[1].id: '2' is that of categories[0] too"),
        (changed("categories", 1, id=[2]), "categories[1].id is missing"),
    ],
)
def test_what_is_no_table_is_said_with_its_key(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(BadInput, match=rf"^t\.json: {re.escape(message)}") as refused:
        read(tmp_path, content)
    assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "image_id", "category_id", "name", "a"]), inner, max_size=3)
    ),
    max_leaves=8,
)
LISTS = st.dictionaries(st.sampled_from(["images", "annotations", "categories"]), JSON | st.lists(JSON), min_size=1)


@settings(max_examples=300, deadline=None)
@given(content=LISTS | JSON)
def test_any_json_is_a_table_or_bad_input(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    try:
        found = read(tmp_path_factory.getbasetemp(), content)
    except BadInput as error:
        assert str(error).startswith("t.json: ")
    else:
        assert found.rows
        assert {len(row) for row in found.rows} == {len(found.header)}
        assert len(found.lines) == len(found.rows)
        assert all(isinstance(cell, str) for row in found.rows for cell in row)
