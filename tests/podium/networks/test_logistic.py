"""The solver, against scikit-learn's on the same data."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from conftest import TASK
from sklearn.linear_model import LogisticRegression, Ridge

from podium.networks import logistic
from podium.tasks import task
from podium.tasks.links import Identity

Blocks = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]


def clusters(count: int, classes: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features of classes that overlap, and their numbers."""
    random = np.random.default_rng(0)
    truth = np.arange(count) % classes
    values = random.normal(size=(classes, features))[truth] + 3 * random.normal(size=(count, features))
    return ((values - values.mean(0)) / values.std(0)).astype(np.float32), truth


def blocks(features: np.ndarray, targets: np.ndarray, size: int) -> Blocks:
    def each() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(features), size):
            yield features[start : start + size], targets[start : start + size]

    return each


@pytest.mark.parametrize("penalty", [100.0, 1.0])
@pytest.mark.parametrize("size", [70, 400])
def test_it_goes_the_way_of_scikit_learn_and_stops_where_it_does(penalty: float, size: int) -> None:
    """In float32 and block by block: the same weights, although both stop far from the exact least."""
    features, truth = clusters(400, 12, 200)
    reference = LogisticRegression(C=1 / penalty, tol=logistic.TOLERANCE, max_iter=logistic.ITERATIONS)
    reference.fit(features, truth)
    every = blocks(features, TASK.targets(truth, 12), size)
    kernel, bias, passes = logistic.solve(every, (200, 12), penalty, TASK.link, np.ones(12, np.float32))
    assert kernel.dtype == bias.dtype == np.float32
    np.testing.assert_allclose(kernel, reference.coef_.T, atol=2e-4)
    np.testing.assert_allclose(bias, reference.intercept_, atol=2e-4)
    assert reference.n_iter_[0] < passes <= 2 * reference.n_iter_[0]


def test_several_labels_are_as_many_regressions_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-5)
    features, truth = clusters(400, 12, 50)
    labels = np.stack([truth % 2, truth % 3 == 0, truth < 4], axis=1).astype(np.float32)

    several = task({"multilabel": {"separator": " "}})
    kernel, bias, _ = logistic.solve(blocks(features, labels, 64), (50, 3), 10.0, several.link, np.ones(3, np.float32))
    for label in range(3):
        reference = LogisticRegression(C=0.1, tol=1e-6).fit(features, labels[:, label])
        np.testing.assert_allclose(kernel[:, label], reference.coef_[0], atol=1e-3)
        np.testing.assert_allclose(bias[label], reference.intercept_[0], atol=1e-3)


def test_it_ends_where_rounding_hides_what_is_left_to_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TOLERANCE", 0.0)
    features, truth = clusters(60, 3, 20)
    kernel, _, passes = logistic.solve(
        blocks(features, TASK.targets(truth, 3), 60), (20, 3), 1.0, TASK.link, np.ones(3, np.float32)
    )
    exact = LogisticRegression(C=1.0, tol=1e-9, max_iter=1000).fit(features, truth)
    np.testing.assert_allclose(kernel, exact.coef_.T, atol=1e-3)
    assert passes < 500


def test_weights_are_those_of_scikit_learn_s_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-5)
    features, truth = clusters(400, 6, 30)
    features, truth = features[truth % 4 > 0], truth[truth % 4 > 0] // 2  # three classes, the second half as frequent
    weights = np.array([0.5, 2, 1], np.float32)
    every = blocks(features, TASK.targets(truth, 3), 64)
    kernel, bias, _ = logistic.solve(every, (30, 3), 10.0, TASK.link, weights)
    reference = LogisticRegression(C=0.1, tol=1e-7, max_iter=1000).fit(features, truth, weights[truth])
    np.testing.assert_allclose(kernel, reference.coef_.T, atol=1e-3)
    np.testing.assert_allclose(bias, reference.intercept_, atol=1e-3)
    plain, _, _ = logistic.solve(every, (30, 3), 10.0, TASK.link, np.ones(3, np.float32))
    assert np.abs(plain - kernel).max() > 0.01


@pytest.mark.parametrize("penalty", [100.0, 1.0])
def test_numbers_are_those_of_ridge_regression(penalty: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-5)
    features, _ = clusters(400, 12, 50)
    targets = (features[:, :2] + features[:, 2:4] ** 2 + 3).astype(np.float32)
    every = blocks(features, targets, 64)
    kernel, bias, _ = logistic.solve(every, (50, 2), penalty, Identity(robust=False), np.ones(2, np.float32))
    reference = Ridge(alpha=penalty).fit(features, targets)
    np.testing.assert_allclose(kernel, reference.coef_.T, atol=1e-3)
    np.testing.assert_allclose(bias, reference.intercept_, atol=1e-3)


def test_the_absolute_error_finds_the_median_and_the_squared_one_the_mean() -> None:
    targets = np.random.default_rng(0).exponential(size=(2000, 1)).astype(np.float32)
    every, none = blocks(np.zeros((2000, 1), np.float32), targets, 500), np.ones(1, np.float32)
    for robust, middle in ((False, targets.mean()), (True, np.median(targets))):
        _, bias, _ = logistic.solve(every, (1, 1), 1.0, Identity(robust=robust), none)
        assert bias[0] == pytest.approx(middle, abs=0.01)


def test_a_class_shown_twice_counts_as_once_where_classes_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-5)
    features, truth = clusters(300, 3, 20)
    again = np.concatenate([np.arange(300), np.flatnonzero(truth == 2)])
    alike, twice = np.ones(3, np.float32), np.array([4 / 3, 4 / 3, 2 / 3], np.float32)
    (once, *_), (more, *_) = (
        # The penalty counts less the more photos there are.
        logistic.solve(blocks(features[some], TASK.targets(truth[some], 3), 100), (20, 3), strength, TASK.link, weights)
        for some, strength, weights in ((np.arange(300), 3.0, alike), (again, 4.0, twice))
    )
    np.testing.assert_allclose(more, once, atol=1e-3)
