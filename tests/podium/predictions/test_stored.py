from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.predictions import stored
from podium.predictions.stored import Predictions, mean, write

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
NASTY = ["id", "split", "NA", "1", "a,b", "nan", 'say "hi"', " x ", "True"]
FLOAT32 = st.floats(0, 1, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=150, deadline=None)
@given(
    ids=st.lists(TEXT | st.sampled_from(NASTY), min_size=1, max_size=4, unique=True),
    outputs=st.integers(1, 4),
    data=st.data(),
)
def test_predictions_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], outputs: int, data: st.DataObject
) -> None:
    row = st.lists(FLOAT32, min_size=outputs, max_size=outputs)
    values = np.array(data.draw(st.lists(row, min_size=len(ids), max_size=len(ids))), np.float32)
    keys = pd.DataFrame({"split": ["train"] * len(ids), "id": ids})
    path = tmp_path_factory.getbasetemp() / "predictions.npy"
    Predictions(keys, values).write(path)
    found = Predictions.read(path)
    assert list(found.keys.id) == ids
    assert found.outputs == outputs
    assert found[:].dtype == np.float32
    assert np.array_equal(found[:], values)
    alone = np.load(path)  # with no code of ours
    assert alone["id"].tolist() == ids
    assert np.array_equal(alone["probabilities"], values)


def test_predictions_of_one_split_keep_their_rows(tmp_path: Path) -> None:
    keys = pd.DataFrame({"split": ["train", "test", "train", "test"], "id": ["a", "b", "c", "a"]})
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    Predictions(keys, values).write(tmp_path / "predictions.npy")
    found = Predictions.read(tmp_path / "predictions.npy").of("test")
    assert list(found.keys.id) == ["b", "a"]
    assert list(found.keys.index) == [0, 1]
    assert np.array_equal(found[:], values[[1, 3]])
    assert np.array_equal(found.at(keys.iloc[[3]])[:], values[[3]])
    with pytest.raises(KeyError, match="train"):
        found.at(keys.iloc[[1, 2]])


def test_predictions_of_no_photo_come_back(tmp_path: Path) -> None:
    write(tmp_path / "none.npy", pd.DataFrame(columns=["split", "id"]), 3, [])
    found = Predictions.read(tmp_path / "none.npy")
    assert (len(found), found.outputs, list(found.blocks())) == (0, 3, [])


def test_the_mean_is_over_the_tables_that_a_photo_stands_in_and_keeps_the_index_s_order() -> None:
    """The same id in two splits means two photos, and a photo that no table has is left out."""
    index = pd.DataFrame({"split": ["train", "train", "test", "test", "test"], "id": ["a", "NA", "c", "a", "gone"]})
    random, tables = np.random.default_rng(0), []
    for rows in ([3, 0], [1, 2, 3], [2, 3, 0]):
        values = random.dirichlet(np.ones(2), len(rows)).astype(np.float32)
        tables.append(Predictions(index.iloc[rows], values))
    found = mean(tables, index)
    assert found.keys.equals(index.iloc[:4])
    for (split, key), row in zip(found.keys.itertuples(index=False), found[:], strict=True):
        own = [one[np.flatnonzero((one.keys.split == split) & (one.keys.id == key))] for one in tables]
        assert row == pytest.approx(np.concatenate(own).mean(0))
    assert found[:].dtype == np.float32


def test_blocks_are_bounded_and_join_to_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stored, "CELLS", 10)
    values = np.random.default_rng(0).random((11, 3), np.float32)
    keys = pd.DataFrame({"split": "test", "id": map(str, range(11))})
    Predictions(keys, values).write(tmp_path / "a.npy")
    rows = np.array([10, 3, 3, 0, 7, 8, 9])
    blocks = list(Predictions.read(tmp_path / "a.npy").blocks(rows))
    assert [len(block) for _, block in blocks] == [3, 3, 1]
    assert np.array_equal(np.concatenate([places for places, _ in blocks]), np.arange(7))
    assert np.array_equal(np.concatenate([block for _, block in blocks]), values[rows])
