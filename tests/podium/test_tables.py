from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.tables import Predictions, classes, mean, part_rows, read_csv, write_csv

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
NASTY = ["id", "split", "NA", "1", "a,b", "", "nan", 'say "hi"', " x ", "True"]


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT | st.sampled_from(NASTY)), min_size=1, max_size=5))
def test_ids_and_labels_of_our_own_tables_stay_text(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path, table = tmp_path_factory.getbasetemp() / "own.csv", pd.DataFrame(rows, columns=["id", "label"])
    write_csv(path, table.assign(fold=range(len(rows))))
    found = read_csv(path)
    assert list(found[["id", "label"]].itertuples(index=False, name=None)) == rows
    assert list(found.fold) == list(range(len(rows)))


def test_classes_are_the_training_labels_and_parts_keep_their_order() -> None:
    index = pd.DataFrame(
        {"label": ["b", "a", "b", "c"], "split": ["train"] * 3 + ["validation"], "part": ["t-0", "t-1", "t-0", "v-0"]}
    )
    assert classes(index) == ["a", "b"]
    assert list(part_rows(index, "t-0").label) == ["b", "b"]
    assert list(part_rows(index, "t-0").index) == [0, 1]


FLOAT32 = st.floats(0, 1, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=150, deadline=None)
@given(
    labels=st.lists(TEXT | st.sampled_from(NASTY), min_size=1, max_size=4, unique=True),
    ids=st.lists(TEXT | st.sampled_from(NASTY), min_size=1, max_size=4, unique=True),
    data=st.data(),
)
def test_predictions_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], ids: list[str], data: st.DataObject
) -> None:
    row = st.lists(FLOAT32, min_size=len(labels), max_size=len(labels))
    values = np.array(data.draw(st.lists(row, min_size=len(ids), max_size=len(ids))), np.float32)
    keys = pd.DataFrame({"split": ["train"] * len(ids), "id": ids})
    path = tmp_path_factory.getbasetemp() / "predictions.csv"
    Predictions(keys, labels, values).write(path)
    found = Predictions.read(path)
    assert found.labels == labels
    assert list(found.keys.id) == ids
    assert found.probabilities.dtype == np.float32
    assert np.array_equal(found.probabilities, values)


def test_predictions_of_one_split_keep_their_rows(tmp_path: Path) -> None:
    keys = pd.DataFrame({"split": ["train", "test", "train", "test"], "id": ["a", "b", "c", "a"]})
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    Predictions(keys, NASTY[:2], values).write(tmp_path / "predictions.csv")
    found = Predictions.read(tmp_path / "predictions.csv").of("test")
    assert list(found.keys.id) == ["b", "a"]
    assert list(found.keys.index) == [0, 1]
    assert np.array_equal(found.probabilities, values[[1, 3]])
    assert found.labels == ["id", "split"]


def test_the_mean_is_over_the_tables_that_a_photo_stands_in_and_keeps_the_index_s_order() -> None:
    """The same id in two splits means two photos, and a photo that no table has is left out."""
    index = pd.DataFrame({"split": ["train", "train", "test", "test", "test"], "id": ["a", "NA", "c", "a", "gone"]})
    random, tables = np.random.default_rng(0), []
    for rows in ([3, 0], [1, 2, 3], [2, 3, 0]):
        values = random.dirichlet(np.ones(2), len(rows)).astype(np.float32)
        tables.append(Predictions(index.iloc[rows].reset_index(drop=True), ["x", "y"], values))
    found = mean(tables, index)
    assert found.keys.equals(index.iloc[:4])
    for (split, key), row in zip(found.keys.itertuples(index=False), found.probabilities, strict=True):
        own = [one.probabilities[(one.keys.split == split) & (one.keys.id == key)] for one in tables]
        assert row == pytest.approx(np.concatenate(own).mean(0))
    assert found.labels == ["x", "y"]
    assert found.probabilities.dtype == np.float32
