"""Grades in their order: their places, cuts of the expected place, and grades that were not taught."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from podium import tasks
from podium.predictions.evidence import decision
from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tasks.cells import Form, Sample

LABELS = ["0", "1", "2", "3", "4"]


@pytest.fixture(params=["cumulative", "regression"])
def fit(request: pytest.FixtureRequest) -> str:
    return request.param


def made(fit: str, **more: str) -> tasks.Task:
    return tasks.task({"ordinal": {"fit": fit, **more}})


def drawn(fit: str, photos: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grades with a long tail, and predictions that are drawn to their mean."""
    random = np.random.default_rng(seed)
    truth = random.choice(5, photos, p=[0.5, 0.1, 0.25, 0.07, 0.08])
    expected = np.clip(1.1 + 0.6 * (truth + 0.7 * random.normal(size=photos) - 1.1), 0, 4)
    if fit == "regression":
        return truth, expected[:, None].astype(np.float32)
    return truth, np.clip(expected[:, None] - np.arange(4), 0, 1).astype(np.float32)  # they sum to the expected place


@pytest.mark.parametrize(("cell", "stored"), [("3", "3"), ("3.0", "3"), ("-1", "-1"), ("007", "7"), ("1e1", "10")])
def test_a_grade_is_a_whole_number_however_it_is_written(cell: str, stored: str) -> None:
    assert made("cumulative").read(cell) == stored


@pytest.mark.parametrize("cell", ["", "2.5", "nan", "inf", "high"])
def test_what_is_no_whole_number_is_no_grade(cell: str) -> None:
    with pytest.raises(ValueError, match=f"'{cell}' is not a grade, a whole number"):
        made("cumulative").read(cell)


def test_a_column_for_each_grade_names_it() -> None:
    task = made("cumulative")
    assert task.read_columns({"0": "0", "1": "1"}) == "1"
    with pytest.raises(ValueError, match="0 of 2 columns are 1, but each photo has one grade"):
        task.read_columns({"0": "0", "1": "0"})
    with pytest.raises(ValueError, match="'mild' is not a grade"):
        task.read_columns({"mild": "1", "1": "0"})


def test_grades_are_in_the_order_of_their_numbers_and_of_any_steps() -> None:
    task, labels = made("cumulative"), ["-1", "2", "10"]
    assert task.labels(["10", "2", "-1", "2"]) == labels
    truth = task.truth(["2", "10", "3"], labels)
    assert truth.tolist() == [1, 2, -1]
    assert task.targets(truth[:2], 2).tolist() == [[1, 0], [1, 1]]
    answers = task.cells(np.array([[0.9, 0.8]], np.float32), {"last": 2}, labels, ["grade"], Form("labels", 5, " "))
    assert answers == [["10"]]


def test_without_cuts_the_nearest_place_is_the_grade(fit: str) -> None:
    truth, predictions = drawn(fit)
    task = made(fit)
    answers = task.answers(predictions, task.limits(truth))
    np.testing.assert_array_equal(answers, np.rint(predictions.sum(1)))


def test_cuts_make_the_kappa_better_than_rounding(fit: str) -> None:
    truth, predictions = drawn(fit)
    task, other = made(fit), drawn(fit, seed=1)
    how = task.limits(truth) | task.decision(truth, predictions)
    assert how["cuts"] == sorted(how["cuts"])
    plain, decided = (
        metrics.cohen_kappa_score(other[0], task.answers(other[1], each), weights="quadratic")
        for each in (task.limits(truth), how)
    )
    assert decided > plain + 0.03
    found = task.figures(task.evidence(*other, how))
    assert found["quadratic_kappa"] == pytest.approx(decided)
    assert found["accuracy"] == (task.answers(other[1], how) == other[0]).mean()
    assert found["mae"] == pytest.approx(np.abs(task.answers(other[1], how) - other[0]).mean())


def test_a_grade_above_those_that_decide_is_still_answered(fit: str) -> None:
    """A part of the photos may lack the highest grade; there the plain cut stands."""
    truth, predictions = drawn(fit)
    task, lower = made(fit), truth < 3
    how = task.limits(truth) | task.decision(truth[lower], predictions[lower])
    assert len(how["cuts"]) == 2
    highest = np.full((1, predictions.shape[1]), 4 / predictions.shape[1], np.float32)
    assert task.answers(highest, how).tolist() == [4]
    alone = task.limits(truth) | task.decision(truth[truth == 0], predictions[truth == 0])
    assert task.answers(highest, alone).tolist() == [4]
    crossed = {"last": 4, "cuts": [0.5, 3.2]}  # cuts stay in their order
    assert task.answers(highest * 3.3 / 4, crossed).tolist() == [3]
    assert task.answers(highest * 3.1 / 4, crossed).tolist() == [1]


def test_grades_that_were_not_taught_decide_nothing_and_are_wrong(fit: str) -> None:
    truth, predictions = drawn(fit)
    task, with_unknown = made(fit), np.where(np.arange(600) % 3 == 0, -1, truth)
    how = task.decision(with_unknown, predictions)
    assert how == task.decision(truth[with_unknown >= 0], predictions[with_unknown >= 0])
    evidence = task.evidence(with_unknown, predictions, task.limits(truth) | how)
    assert task.mistakes(evidence, LABELS).wrong[with_unknown < 0].all()
    answers = evidence["answer"]
    assert task.figures(evidence)["accuracy"] == pytest.approx((answers == with_unknown).mean())
    assert decision(task, np.full(600, -1), predictions_of(predictions), np.arange(600)) == {}


def predictions_of(values: np.ndarray) -> Predictions:
    keys = pd.DataFrame({"split": "validation", "id": map(str, range(len(values)))})
    return Predictions(keys, values)


def test_the_loss_and_the_guide_follow_the_metric(fit: str) -> None:
    truth, predictions = drawn(fit)
    off = predictions.sum(1) - truth
    assert made(fit, metric="quadratic_kappa").guide(truth, predictions) == pytest.approx((off**2).mean(), rel=1e-5)
    assert made(fit, metric="mae").guide(truth, predictions) == pytest.approx(np.abs(off).mean(), rel=1e-5)
    link = made("regression", metric="mae").link
    far = link.losses(np.zeros((1, 1)), np.full((1, 1), 10.0)) / link.losses(np.zeros((1, 1)), np.full((1, 1), 5.0))
    assert far[0] == pytest.approx(2, rel=0.01)  # the absolute error, not the squared one


def test_the_share_of_right_grades_is_measured_beside_the_loss() -> None:
    import keras

    task = made("cumulative")
    truth = np.array([0, 1, 2, 2])
    logits = np.array([[-1, -2], [3, -1], [3, -1], [1, 1]], np.float32)
    found = keras.ops.convert_to_numpy(task.measured()(task.targets(truth, 2), logits))
    assert found.tolist() == [1, 1, 0, 1]
    assert made("regression").measured() == "mean_absolute_error"


def test_a_submission_is_a_grade_of_the_training_photos() -> None:
    task, form = made("cumulative"), Form("labels", 5, " ")
    sample = Sample("s.csv", ["id", "grade"], ["1"], 0, ",", "\n", "utf-8")
    task.check_form(sample, form, LABELS)
    for cell in ("5", "1.0", "", "1 2"):
        with pytest.raises(BadInput, match=f"line 2: '{cell}' is not a label of the training photos"):
            task.check_cells("line 2", {"grade": cell}, form, LABELS)
    with pytest.raises(BadInput, match="2 columns next to the id"):
        task.check_form(sample._replace(header=["id", "a", "b"]), form, LABELS)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mae", "rmse"])
def test_cuts_gain_by_every_metric_on_photos_that_decided_nothing(fit: str, metric: str) -> None:
    """And the figures are those of scikit-learn."""
    task, (truth, predictions) = made(fit, metric=metric), drawn(fit)
    how = task.limits(truth) | task.decision(truth, predictions)
    truth, predictions = drawn(fit, 4000, seed=1)
    answers = task.answers(predictions, how)
    decided, plain = (task.figures(task.evidence(truth, predictions, each)) for each in (how, task.limits(truth)))
    better = 1 if task.metrics[metric] else -1
    assert better * decided[metric] > better * plain[metric] + 0.02
    expected = {
        "accuracy": metrics.accuracy_score(truth, answers),
        "macro_f1": metrics.f1_score(truth, answers, average="macro"),
        "mae": metrics.mean_absolute_error(truth, answers),
        "rmse": metrics.root_mean_squared_error(truth, answers),
    }
    assert decided[metric] == pytest.approx(expected[metric])
