"""Weights that pay, fitted on photos other than those that they are judged by."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, TASK, kept, taught
from sklearn.metrics import log_loss

from blend import _greedy, blend
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import judge
from podium.tables import write_csv
from podium.tasks.measures import charged

LABELS = ["NA", "a,b", "c"]
NAMES = ["first", "second", "third"]


def made(seed: int, counts: dict[str, int], copies: int = 1) -> pd.DataFrame:
    """An index of so many photos in each split, `copies` of each, of three classes."""
    rows = [(split, f"{number}.jpg", number // copies) for split, count in counts.items() for number in range(count)]
    index = pd.DataFrame(rows, columns=["split", "id", "number"])
    index["label"] = np.random.default_rng(seed).choice(LABELS, len(index))
    index.loc[:2, "label"] = LABELS
    digest = index.split + index.number.map(str)
    return index.assign(digest=digest, group=digest.factorize()[0]).drop(columns="number")


def member(seed: int, index: pd.DataFrame, **skill: float) -> Predictions:
    """Predictions with so much skill on each split: 0 is noise, 3 is nearly always right."""
    random, truth = np.random.default_rng(seed), index.label.map(LABELS.index).to_numpy()
    logits = random.normal(size=(len(index), 3)) + index.split.map(skill).to_numpy()[:, None] * np.eye(3)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Predictions(index[["split", "id"]], probabilities.astype(np.float32))


def blended(folder: Path, index: pd.DataFrame, members: list[Predictions]) -> tuple[Predictions, np.ndarray]:
    """The blend as it stands in its file, and the weights as they stand in theirs."""
    write_csv(folder / "index.csv", taught(index, LABELS))
    paths = [folder / f"{name}.npy" for name in NAMES]
    for path, each in zip(paths, members, strict=True):
        each.write(path)
    blend(paths, folder / "index.csv", folder / "pooled.npy", folder / "weights.csv", task=CLASSIFICATION, names=NAMES)
    weights = pd.read_csv(folder / "weights.csv")
    assert list(weights.experiment) == NAMES
    return kept(Predictions.read(folder / "pooled.npy")), weights.weight.to_numpy()


def loss(index: pd.DataFrame, probabilities: np.ndarray, split: str) -> float:
    rows = (index.split == split).to_numpy()
    return log_loss(index.label[rows], probabilities[rows], labels=LABELS)


def plain(members: list[Predictions]) -> np.ndarray:
    return np.mean([each[:].astype(float) for each in members], axis=0)


def test_a_good_member_is_found_among_noise(tmp_path: Path) -> None:
    index = made(0, {"train": 300, "test": 90})
    members = [member(n, index, train=skill, test=skill) for n, skill in enumerate((0.0, 3.0, 0.0))]
    found, weights = blended(tmp_path, index, members)
    assert weights[1] > 0.8
    assert weights.sum() == pytest.approx(1)
    for split in ("train", "test"):
        assert loss(index, found[:], split) < loss(index, plain(members), split)
    assert found.keys.equals(index[["split", "id"]])


def test_rows_off_the_yardstick_are_the_mean_with_the_weights_of_the_file(tmp_path: Path) -> None:
    index = made(0, {"train": 80, "validation": 60, "test": 50})
    members = [member(n, index, train=1, validation=skill, test=1) for n, skill in enumerate((1.0, 3.0, 0.0))]
    found, weights = blended(tmp_path, index, members)
    assert len(set(weights)) > 1
    by_hand = sum(w * each[:].astype(float) for w, each in zip(weights, members, strict=True))
    others = (index.split != "validation").to_numpy()
    np.testing.assert_allclose(found[others], by_hand[others], atol=1e-6)
    np.testing.assert_allclose(found[:].sum(1), 1, atol=1e-5)


def test_a_member_is_worth_what_a_contest_charges() -> None:
    """Both are wrong and sure of it about five photos; that one is less so saves nothing below 1e-15."""
    truth = np.arange(60) % 3
    stacked = np.stack([share * np.eye(3)[truth] + (1 - share) / 3 for share in (0.8, 0.7)]).astype(np.float32)
    wrong = np.eye(3, dtype=np.float32)[(truth[:5] + 1) % 3]
    stacked[:, :5] = [np.where(wrong > 0, 1, least) for least in (1e-35, 1e-16)]
    given = np.stack([TASK.given(truth, each) for each in stacked])
    losses = [charged(each).mean() for each in given]
    assert losses[0] < losses[1]
    assert list(_greedy(TASK, truth, stacked)) == [1, 0]


@pytest.mark.parametrize(("count", "least"), [(5, 1), (12, 5), (40, 5)])
def test_the_blend_is_never_worse_than_the_plain_mean_and_is_it_where_weights_do_not_pay(
    tmp_path: Path, count: int, least: int
) -> None:
    """Members of equal skill: weights fitted to a few photos are fitted to noise, and mostly lose on others."""
    kept = 0
    for seed in range(10):
        index = made(seed, {"train": count, "test": 10})
        members = [member(10 * seed + n, index, train=1.5, test=1.5) for n in range(3)]
        found, weights = blended(tmp_path, index, members)
        assert loss(index, found[:], "train") <= loss(index, plain(members), "train") + 1e-6
        if len(set(weights)) == 1:
            kept += 1
            np.testing.assert_allclose(found[:], plain(members), atol=1e-6)
    assert kept >= least


def weights_of_rows(found: Predictions, members: list[Predictions]) -> np.ndarray:
    """The weights [n, members] that each row was blended with: three equations for three unknowns."""
    sides = np.stack([each[:].astype(float) for each in members], axis=2)
    return np.linalg.solve(sides, found[:].astype(float)[..., None])[..., 0]


def test_labels_of_a_part_of_the_yardstick_do_not_change_its_own_rows(tmp_path: Path) -> None:
    index = made(0, {"train": 100, "test": 10})
    members = [member(n, index, train=skill, test=skill) for n, skill in enumerate((0.0, 2.5, 2.0))]
    before, weights = blended(tmp_path, index, members)
    yardstick = judge(TASK, index, members[0])
    part = yardstick.rows[yardstick.parts(5) == 2]
    assert 10 < len(part) < 30
    index.loc[part[:4], "label"] = index.label[part[:4]].map(lambda label: LABELS[LABELS.index(label) - 1])
    after, changed = blended(tmp_path, index, members)
    assert len(set(weights)) > 1 < len(set(changed))  # no plain mean
    others = np.setdiff1d(np.arange(100), part)
    np.testing.assert_array_equal(after[part], before[part])
    assert (after[others] != before[others]).any()


@pytest.mark.parametrize("copies", [True, False], ids=["copies", "a patient's photos"])
def test_photos_of_a_group_are_blended_with_the_same_weights(tmp_path: Path, copies: bool) -> None:
    """Weights that were fitted on a photo would be judged on its copy."""
    index = made(1, {"train": 80, "test": 10}, copies=4)
    index = index if copies else index.assign(digest=index.split + index.id)
    members = [member(n, index, train=skill, test=skill) for n, skill in enumerate((0.0, 1.0, 1.2))]
    found, _ = blended(tmp_path, index, members)
    rounds = pd.DataFrame(np.round(weights_of_rows(found, members)[:80] * 25).astype(int))
    assert (rounds.sum(axis=1) == 25).all()
    assert 1 < len(rounds.drop_duplicates()) <= 5
    assert (rounds.groupby(index.group[:80]).nunique() == 1).all(axis=None)


@pytest.mark.parametrize(
    ("counts", "chosen"),
    [
        ({"train": 60, "validation": 60, "test": 60}, 1),
        ({"validation": 60, "test": 60}, 1),
        ({"train": 60, "test": 60}, 0),
    ],
)
def test_the_validation_table_decides_where_there_is_one_and_the_test_labels_never(
    tmp_path: Path, counts: dict[str, int], chosen: int
) -> None:
    """Each member is good on one split alone; all labels are known."""
    index = made(2, counts)
    skills = [(3, 0, 0), (0, 3, 0), (0, 0, 3)]
    members = [member(n, index, train=a, validation=b, test=c) for n, (a, b, c) in enumerate(skills)]
    _, weights = blended(tmp_path, index, members)
    assert weights.argmax() == chosen
    assert weights[chosen] > 0.7


def test_a_held_out_fold_decides_where_there_is_nothing_else(tmp_path: Path) -> None:
    index = made(3, {"train": 120, "test": 30})
    seen = (index.split == "test") | (index.index < 40)
    whole = [member(n, index, train=skill, test=skill) for n, skill in enumerate((0.0, 0.0, 3.0))]
    members = [Predictions(index.loc[seen, ["split", "id"]], each[seen]) for each in whole]
    found, weights = blended(tmp_path, index, members)
    assert weights.argmax() == 2
    assert len(found.keys) == 70


def test_where_no_photo_judges_a_blend_is_the_plain_mean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The labels of the test photos are there and one member is right about all of them."""
    caplog.set_level(logging.INFO, "podium")
    index = made(5, {"train": 30, "test": 60})
    members = [member(n, index, train=1, test=skill).of("test") for n, skill in enumerate((0.0, 9.0, 0.0))]
    found, weights = blended(tmp_path, index, members)
    assert weights == pytest.approx([1 / 3] * 3)
    np.testing.assert_allclose(found[:], plain(members), atol=1e-6)
    assert caplog.messages == ["no photo judges the members, so the blend is their plain mean"]


def test_a_member_on_all_photos_and_one_in_folds_meet_on_the_validation_table(tmp_path: Path) -> None:
    """One has out-of-fold rows and the other has none; both answer for the validation and the test photos."""
    index = made(4, {"train": 30, "validation": 60, "test": 20})
    whole = [member(n, index, train=1, validation=skill, test=skill) for n, skill in enumerate((3.0, 0.0, 0.0))]
    keys = index.loc[index.split != "train", ["split", "id"]].reset_index(drop=True)
    alone = Predictions(keys, whole[0][30:])
    for members in ([alone, *whole[1:]], [whole[1], alone, whole[2]]):
        found, weights = blended(tmp_path, index, members)
        assert weights.argmax() == [each is alone for each in members].index(True)
        assert list(found.of("validation").keys.id) == list(index.id[index.split == "validation"])
        by_hand = sum(w * each.of("test")[:] for w, each in zip(weights, members, strict=True))
        np.testing.assert_allclose(found.of("test")[:], by_hand, atol=1e-6)
