"""What is kept of every score, and what differs between two settings."""

from pathlib import Path
from typing import Any

import pytest

from podium.predictions.history import Scored, add, differences, plain, read

DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "nothing": ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
    "a number": (
        {"train": {"cnn": {"epochs": 12}}},
        {"train": {"cnn": {"epochs": 6}}},
        {"train.cnn.epochs": "12 -> 6"},
    ),
    "a list": ({"views": ["plain"]}, {"views": ["plain", "flip"]}, {"views": "[plain] -> [plain, flip]"}),
    "true and null": ({"a": True, "b": None}, {"a": False, "b": 2}, {"a": "true -> false", "b": "null -> 2"}),
    "text and number": ({"a": "1"}, {"a": 1}, {"a": "'1' -> 1"}),
    "another network": (
        {"network": "head", "head": {"penalties": [1]}},
        {"network": "cnn", "cnn": {"width": 8}, "size": 12},
        {"network": "head -> cnn", "head": "left out", "cnn": "added", "size": "added, 12"},
    ),
}


@pytest.mark.parametrize(("before", "after", "expected"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_differences_are_said_by_name_and_as_yaml(
    before: dict[str, Any], after: dict[str, Any], expected: dict[str, str]
) -> None:
    assert differences(before, after) == expected


def test_lines_come_back_as_they_were_and_a_line_is_known_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "scored.jsonl"
    assert read(path) == []
    first = Scored({"weights": "größe.h5", "views": ("plain",)}, "photos", {"test": {"photos": 3}})
    add(path, first)
    (found,) = read(path)
    assert found == first._replace(settings=plain(first.settings))
    assert found.digest == first.digest
    assert found._replace(photos="other").digest != first.digest
