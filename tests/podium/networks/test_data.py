"""What a fit is given: targets that may be scaled or soft, and how much each class counts."""

import numpy as np
import pytest
from conftest import TASK

from podium import tasks
from podium.networks.data import Dataset

NUMBERS = tasks.task({"regression": {"range": None, "columns": ["height", "width"]}})
GRADES = tasks.task({"ordinal": {"fit": "regression"}})


def made(
    task: tasks.Task, labels: list[str], truth: np.ndarray, taught: np.ndarray | None = None, **more: float
) -> Dataset:
    """Photos with this truth, and behind them some with pseudo-labels; none is only measured."""
    outputs = task.outputs(labels)
    soft = np.zeros((0, outputs), np.float32) if taught is None else taught
    groups = np.concatenate([np.arange(len(truth)), np.full(len(soft), -1)])
    return Dataset(task, labels, [], np.arange(len(groups)), truth, groups, soft, **more)


def test_numbers_are_fitted_with_mean_zero_and_deviation_one_and_pseudo_labels_on_the_same_scale() -> None:
    truth = np.random.default_rng(0).normal(size=(50, 2)) * [1, 1000] + [5, -300]
    taught = np.array([[5, -300], [6, 700]], np.float32)
    data = made(NUMBERS, ["height", "width"], truth, taught)
    targets = data.targets(np.arange(52))
    np.testing.assert_allclose(targets[:50].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(targets[:50].std(0), 1, atol=1e-5)
    centre, spread = data.scale
    np.testing.assert_allclose(targets * spread + centre, np.concatenate([truth, taught]), rtol=1e-4)


def test_the_scale_is_that_of_the_photos_to_train_on_alone() -> None:
    truth = np.array([[1.0, 1], [3, 3], [900, 900]])
    data = Dataset(NUMBERS, ["a", "b"], [], np.arange(3), truth, np.arange(2), np.zeros((0, 2), np.float32))
    assert [each.tolist() for each in data.scale] == [[2, 2], [1, 1]]
    assert data.targets(np.array([2])).tolist() == [[898, 898]]  # a photo that is only measured


def test_numbers_that_are_all_the_same_are_no_division_by_zero() -> None:
    data = made(NUMBERS, ["a", "b"], np.full((4, 2), 7.0))
    assert np.isfinite(data.targets(np.arange(4))).all()


def test_grades_as_numbers_are_scaled_and_probabilities_are_not() -> None:
    assert made(GRADES, ["0", "1", "2"], np.array([0, 2])).targets(np.arange(2)).tolist() == [[-1], [1]]
    data = made(TASK, ["a", "b"], np.array([0, 1]))
    assert [each.tolist() for each in data.scale] == [[0, 0], [1, 1]]
    assert data.targets(np.arange(2)).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_a_photo_of_a_frequent_class_counts_less_and_all_count_one_on_average(balance: float) -> None:
    truth = np.repeat([0, 1, 3], [80, 15, 5])  # the third class has no photo here
    weights = made(TASK, list("abcd"), truth, balance=balance).weights
    assert weights[truth].mean() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx((80 / 15) ** balance)
    assert weights[3] / weights[0] == pytest.approx((80 / 5) ** balance)
    assert np.isfinite(weights).all()
    if balance == 1:
        totals = np.bincount(truth, weights[truth])
        np.testing.assert_allclose(totals[totals > 0], 100 / 3, rtol=1e-5)


def test_what_is_no_class_has_no_weights() -> None:
    assert made(GRADES, ["0", "1"], np.array([0, 0, 1]), balance=1.0).weights.tolist() == [1]
    assert made(NUMBERS, ["a", "b"], np.ones((3, 2)), balance=1.0).weights.tolist() == [1, 1]
