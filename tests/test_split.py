from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from podium.networks import head
from podium.step import BadInput
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


@settings(max_examples=100, deadline=None)
@given(labels=LABELS, count=FOLDS, seed=SEEDS)
def test_single_photos_are_shuffled_sorted_by_class_and_dealt_like_cards(
    labels: np.ndarray, count: int, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    expected = np.empty(len(labels), int)
    expected[shuffled[np.argsort(labels[shuffled], kind="stable")]] = np.arange(len(labels)) % count
    np.testing.assert_array_equal(deal(labels, np.arange(len(labels)), count, seed), expected)


@settings(max_examples=200, deadline=None)
@given(labels=LABELS, count=FOLDS, seed=SEEDS, data=st.data())
def test_groups_stay_together_and_their_numbers_do_not_matter(
    labels: np.ndarray, count: int, seed: int, data: st.DataObject
) -> None:
    size = len(labels)
    groups = np.array(data.draw(st.lists(st.integers(0, size // 2), min_size=size, max_size=size)))
    fold = deal(labels, groups, count, seed)
    assert all(len(set(fold[groups == group])) == 1 for group in groups)
    assert len(set(fold)) == min(count, len(set(groups)))  # no fold is empty where there are groups enough
    assert np.array_equal(fold, deal(labels, groups, count, seed))
    assert np.array_equal(fold, deal(labels, groups * 7 + 3, count, seed))


@settings(max_examples=200, deadline=None)
@given(
    groups=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=1, max_size=40),
    count=FOLDS,
)
def test_folds_of_groups_of_one_class_differ_by_no_more_than_the_largest(
    groups: list[tuple[str, int]], count: int
) -> None:
    """Groups of one to nine photos; this holds for each class, which so is in as many folds as it has groups for."""
    labels, sizes = np.array([label for label, _ in groups]), np.array([size for _, size in groups])
    number = np.repeat(np.arange(len(groups)), sizes)
    fold = deal(labels[number], number, count, seed=0)
    for label in set(labels):
        assert spread(fold[labels[number] == label], count) <= sizes[labels == label].max()
        assert len(set(fold[labels[number] == label])) == min(count, (labels == label).sum())


@pytest.mark.parametrize("seed", range(4))
def test_groups_of_several_classes_are_dealt_as_evenly_as_by_scikit_learn(seed: int) -> None:
    """A hundred patients of one to twenty photos of eight classes, some of them rare."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(100), random.integers(1, 21, 100))
    labels = np.array([random.choice(list("abcdefgh"), p=p) for p in random.dirichlet(np.ones(8) / 3, 100)[groups]])
    theirs = np.empty(len(labels), int)
    dealer = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for number, (_, rows) in enumerate(dealer.split(labels, labels, groups)):
        theirs[rows] = number

    def uneven(fold: np.ndarray) -> np.ndarray:
        shares = pd.crosstab(fold, labels, normalize="columns")
        return np.array([shares.std().mean(), np.bincount(fold).std() / len(fold)])

    assert (uneven(deal(labels, groups, 5, seed)) < uneven(theirs) + 0.01).all()
    assert (uneven(deal(labels, groups, 5, seed)) < 0.03).all()


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
            "group": [*range(7), 6, 8, 9, 10],
        }
    )
    write_csv(tmp_path / "index.csv", table)
    return tmp_path / "index.csv"


def test_the_table_gives_each_training_photo_a_fold_and_its_copies_the_same(tmp_path: Path, index: Path) -> None:
    split(index, tmp_path / "folds.csv", task=CLASSIFICATION, count=4, seed=0)
    found, photos = read_csv(tmp_path / "folds.csv"), read_csv(index)
    assert list(found.columns) == ["id", "fold", "group"]
    assert list(found.id) == list(photos.id[photos.split == "train"])
    assert found.fold[6] == found.fold[7]
    assert found.group.nunique() == 8
    assert sorted(found.fold[:4]) == [0, 1, 2, 3]


def test_classes_rarer_than_the_folds_give_a_warning(
    tmp_path: Path, index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split(index, tmp_path / "folds.csv", task=CLASSIFICATION, count=3, seed=0)
    assert "1 classes have fewer than 3 photos" in caplog.text
    caplog.clear()
    split(index, tmp_path / "folds.csv", task=CLASSIFICATION, count=20, seed=0)
    assert "3 classes have fewer than 20 photos" in caplog.text
    assert set(read_csv(tmp_path / "folds.csv").fold) <= set(range(20))


def test_copies_count_as_one_photo_and_groups_as_many(tmp_path: Path) -> None:
    """Eight photos, one of them five times over, in two folds; then two of the photos and the copies are a patient."""
    digests = [*"01234567", *"7777"]
    index = pd.DataFrame({"id": map(str, range(12)), "label": "a", "split": "train", "digest": digests})
    for groups, together in ([*range(8), 7, 7, 7, 7], {7}), ([*range(5), 5, 5, *[5] * 5], {5, 6, 7}):
        write_csv(tmp_path / "index.csv", index.assign(group=groups))
        split(tmp_path / "index.csv", tmp_path / "folds.csv", task=CLASSIFICATION, count=2, seed=0)
        found = read_csv(tmp_path / "folds.csv")
        assert list(found.group) == groups
        assert (found.groupby("group").fold.nunique() == 1).all()
        assert found.fold[:8].sum() == 4
        assert {row for row in range(8) if groups[row] == groups[7]} == together


def test_photos_of_one_group_alone_cannot_be_dealt(tmp_path: Path, index: Path) -> None:
    write_csv(index, read_csv(index).assign(group=0))
    with pytest.raises(BadInput, match=r"index\.csv: all training photos belong to one group, so no fold can be"):
        split(index, tmp_path / "folds.csv", task=CLASSIFICATION, count=4, seed=0)


def out_of_fold(folds: pd.DataFrame, features: np.ndarray, truth: np.ndarray) -> float:
    """The accuracy of linear heads on the folds that they were not fitted on."""
    right = 0
    for fold in folds.fold.unique():
        own = (folds.fold == fold).to_numpy()
        seen = np.flatnonzero(~own)
        data = dataset([], seen, np.eye(3)[truth[seen]], seen)
        classes, kernel, bias = head._logistic(data, np.arange(len(seen)), features[seen, None], 1.0)
        right += (classes[(features[own] @ kernel + bias).argmax(1)] == truth[own]).sum()
    return right / len(truth)


def test_out_of_fold_figures_of_bursts_say_what_new_bursts_will_give(tmp_path: Path) -> None:
    """Labels have nothing to do with what is seen: a head that knows other photos of a burst seems to be good."""
    random = np.random.default_rng(0)
    burst = np.repeat(np.arange(60), 5)
    scenes, labels = random.normal(size=(60, 80)), random.permutation(np.arange(60) % 3)
    features = (scenes[burst] + 0.1 * random.normal(size=(300, 80))).astype(np.float32)
    truth, ids = labels[burst], [str(number) for number in range(300)]
    index = pd.DataFrame({"id": ids, "label": np.array(list("abc"))[truth], "split": "train", "digest": ids})
    figures, chosen = [], []
    for groups in np.arange(300), burst:
        write_csv(tmp_path / "index.csv", index.assign(group=groups))
        split(tmp_path / "index.csv", tmp_path / "folds.csv", task=CLASSIFICATION, count=5, seed=0)
        folds = read_csv(tmp_path / "folds.csv")
        figures.append(out_of_fold(folds, features, truth))
        inner = head._inner(truth, folds.group.to_numpy(), seed=0)
        order, data = np.argsort(inner, kind="stable"), dataset([], np.arange(300), np.eye(3)[truth], np.arange(300))
        tried = head._try_penalties(data, order, features[order, None], int(inner.sum()), [1e4, 1.0])
        chosen.append(tried.penalty[tried.inner_loss.idxmin()])
    assert figures[0] > 0.9
    assert figures[1] < 0.5
    assert chosen == [1.0, 1e4]
