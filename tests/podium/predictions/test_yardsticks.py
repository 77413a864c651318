import logging

import numpy as np
import pandas as pd
import pytest
from conftest import TASK

from podium import JUDGES, SPLITS
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import judge, yardsticks
from podium.step import BadInput

LABELS = ["a", "b"]
# id, split, label and digest; t2 is a copy of t1, v1 of a training photo, v2 and v3 are one group, and nobody saw a
# training photo of a "c".
INDEX = pd.DataFrame(
    [
        ["t0", "train", "a", "0"],
        ["t1", "train", "b", "1"],
        ["t2", "train", "b", "1"],
        ["t3", "train", "a", "3"],
        ["t0", "validation", "b", "4"],
        ["v1", "validation", "a", "3"],
        ["v2", "validation", "c", "5"],
        ["v3", "validation", "a", "6"],
        ["x0", "test", "a", "7"],
        ["x1", "test", "", "8"],
    ],
    columns=["id", "split", "label", "digest"],
).assign(group=[0, 1, 1, 2, 3, 2, 4, 4, 5, 6])
PREDICTED = {
    "all folds": (["train", "validation", "test"], ["out_of_fold", "validation", "test"]),
    "folds, without a validation table": (["train", "test"], ["out_of_fold", "test"]),
    "one fit of all photos": (["validation", "test"], ["validation", "test"]),
}


def predictions(rows: pd.Series) -> Predictions:
    """Predictions of these rows of the index, in another order, and of a test photo that could not be read."""
    keys = INDEX.loc[rows, ["split", "id"]].sample(frac=1, random_state=0)
    keys = pd.concat([keys, pd.DataFrame({"split": ["test"], "id": ["lost"]})], ignore_index=True)
    values = np.random.default_rng(0).dirichlet(np.ones(2), len(keys)).astype(np.float32)
    return Predictions(keys, values)


@pytest.mark.parametrize(("splits", "names"), PREDICTED.values(), ids=PREDICTED)
def test_what_was_predicted_names_the_yardsticks(splits: list[str], names: list[str]) -> None:
    found = yardsticks(TASK, INDEX, predictions(INDEX.split.isin(splits)))
    assert [each.name for each in found] == names


def test_a_part_of_the_training_photos_is_a_held_out_fold() -> None:
    some = (INDEX.split != "train") | INDEX.id.isin(["t1", "t2"])
    held_out, *_ = yardsticks(TASK, INDEX, predictions(some))
    assert held_out.name == "held_out"
    assert list(held_out.photos.id) == ["t1", "t2"]  # copies within the fold count both


def test_rows_truth_and_photos_belong_together() -> None:
    given = predictions(INDEX.split != "")
    for each, split in zip(yardsticks(TASK, INDEX, given), SPLITS, strict=True):
        assert list(given.keys.id.iloc[each.rows]) == list(each.photos.id)
        assert set(given.keys.split.iloc[each.rows]) == {split} == set(each.photos.split)
        assert [LABELS[number] if number >= 0 else "c" for number in each.truth] == list(each.photos.label)


def test_copies_of_training_photos_do_not_count_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "podium")
    out_of_fold, validation, test = yardsticks(TASK, INDEX, predictions(INDEX.split != ""))
    assert len(out_of_fold.rows) == 4
    assert list(validation.photos.id) == ["t0", "v2", "v3"]
    assert list(test.photos.id) == ["x0"]  # and one without a label
    assert caplog.messages == ["1 validation photos are copies of training photos and do not count"]


def test_a_label_that_no_training_photo_has_is_wrong_and_nothing_is_fitted_to_it() -> None:
    given = predictions(INDEX.split != "")
    _, validation, _ = yardsticks(TASK, INDEX, given)
    assert list(validation.truth) == [1, -1, 0]
    judged = judge(TASK, INDEX, given)
    assert judged.name == "validation"
    assert list(judged.truth) == [1, 0]
    assert list(judged.photos.id) == list(given.keys.id.iloc[judged.rows]) == ["t0", "v3"]
    assert list(judged.photos.index) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        (INDEX.split != "", "validation"),
        (INDEX.split != "train", "validation"),
        (INDEX.split != "validation", "out_of_fold"),
        ((INDEX.split == "test") | (INDEX.id == "t1"), "held_out"),
    ],
)
def test_the_first_of_the_judges_that_is_there_decides_and_the_test_photos_never(rows: pd.Series, name: str) -> None:
    assert judge(TASK, INDEX, predictions(rows)).name == name
    assert JUDGES == ("validation", "out_of_fold", "held_out")


def test_nothing_judges_what_has_predicted_test_photos_alone_and_a_validation_table_that_cannot_is_refused() -> None:
    index = INDEX[INDEX.split != "validation"]
    given = predictions(INDEX.split == "test")
    assert [each.name for each in yardsticks(TASK, index, given)] == ["test"]
    assert judge(TASK, index, given) is None
    copies = INDEX[INDEX.id.isin(["v1", "v2"]) | (INDEX.split != "validation")]
    with pytest.raises(BadInput, match="no photo to judge by: all validation photos are copies"):
        judge(TASK, copies, predictions(INDEX.split != "train"))


def test_parts_are_even_and_keep_groups_together() -> None:
    ids = [str(number) for number in range(300)]
    photos = pd.DataFrame({"id": ids, "split": "train", "label": "a", "digest": ids, "group": np.arange(300) // 3})
    shuffled = photos.sample(frac=1, random_state=1).reset_index(drop=True)
    given = Predictions(photos, np.ones((300, 1), np.float32))
    (yardstick,) = yardsticks(TASK, shuffled, given)
    parts = pd.Series(yardstick.parts(5))
    assert (parts.groupby(shuffled.group).nunique() == 1).all()
    assert parts.value_counts().tolist() == [60] * 5
    assert (yardstick.parts(5) == parts).all()
    assert (yardstick.parts(5, seed=1) != parts).any()
