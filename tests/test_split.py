from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.tables import read_csv, write_csv
from split import deal, split

LABELS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=60).map(np.array)
FOLDS, SEEDS = st.integers(2, 12), st.integers(0, 10**9)


def spread(fold: np.ndarray, count: int) -> int:
    sizes = np.bincount(fold, minlength=count)
    return int(sizes.max() - sizes.min())


@settings(max_examples=200, deadline=None)
@given(labels=LABELS, count=FOLDS, seed=SEEDS)
def test_single_photos_are_dealt_evenly_in_each_class_and_overall(labels: np.ndarray, count: int, seed: int) -> None:
    """This holds for classes of one photo and for fewer photos than folds too."""
    fold = deal(labels, np.arange(len(labels)), count, seed)
    assert fold.shape == labels.shape
    assert set(fold) <= set(range(count))
    assert spread(fold, count) <= 1
    for label in set(labels):
        assert spread(fold[labels == label], count) <= 1


@settings(max_examples=200, deadline=None)
@given(labels=LABELS, count=FOLDS, seed=SEEDS, data=st.data())
def test_groups_stay_together_and_their_numbers_do_not_matter(
    labels: np.ndarray, count: int, seed: int, data: st.DataObject
) -> None:
    size = len(labels)
    groups = np.array(data.draw(st.lists(st.integers(0, size // 2), min_size=size, max_size=size)))
    fold = deal(labels, groups, count, seed)
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    _, first = np.unique(groups, return_index=True)
    assert spread(fold[first], count) <= 1
    assert np.array_equal(fold, deal(labels, groups, count, seed))
    assert np.array_equal(fold, deal(labels, groups * 7 + 3, count, seed))


def test_the_seed_decides_the_folds() -> None:
    labels = np.repeat(list("abcd"), 25)
    dealt = {tuple(deal(labels, np.arange(100), 5, seed)) for seed in range(5)}
    assert len(dealt) == 5


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Nine training photos, the last two of which are copies, one class of a single photo, and other splits."""
    table = pd.DataFrame(
        {
            "id": [f"{number:03}" for number in range(11)],
            "label": [*"aaaa", *"bbbb", "NA", "a", ""],
            "split": [*["train"] * 9, "validation", "test"],
            "digest": [*"01234566", "8", "9", "10"],
        }
    )
    write_csv(tmp_path / "index.csv", table)
    return tmp_path / "index.csv"


def test_the_table_gives_each_training_photo_a_fold_and_its_copies_the_same(tmp_path: Path, index: Path) -> None:
    split(index, tmp_path / "folds.csv", count=4, seed=0)
    found, photos = read_csv(tmp_path / "folds.csv"), read_csv(index)
    assert list(found.columns) == ["id", "fold", "group"]
    assert list(found.id) == list(photos.id[photos.split == "train"])
    assert found.fold[6] == found.fold[7]
    assert found.group.nunique() == 8
    assert sorted(found.fold[:4]) == [0, 1, 2, 3]


def test_classes_rarer_than_the_folds_give_a_warning(
    tmp_path: Path, index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split(index, tmp_path / "folds.csv", count=3, seed=0)
    assert "1 classes have fewer than 3 photos" in caplog.text
    caplog.clear()
    split(index, tmp_path / "folds.csv", count=20, seed=0)
    assert "3 classes have fewer than 20 photos" in caplog.text
    assert set(read_csv(tmp_path / "folds.csv").fold) <= set(range(20))
