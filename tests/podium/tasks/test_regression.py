"""Numbers: their columns, the range of answers, what the absolute error wants, and a submission of them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from podium import tasks
from podium.step import BadInput
from podium.tasks.cells import Form, Sample

FORM = Form("labels", 5, " ")


def made(*columns: str, range: list[float] | None = None, **more: str) -> tasks.Task:
    return tasks.task({"regression": {"range": range, "columns": list(columns or ("price",)), **more}})


def drawn(photos: int = 200, columns: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of different sizes, and predictions of them that are a little off."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=(photos, columns)) * 10.0 ** np.arange(columns) + 50
    return truth, (truth + random.normal(size=truth.shape)).astype(np.float32)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_from_the_index_to_its_last_bit(number: float) -> None:
    task = made()
    assert task.truth([task.read(repr(number))], ["price"])[0, 0] == number


@pytest.mark.parametrize("cell", ["", "nan", "inf", "1,5", "high"])
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=f"'{cell}' is not a number"):
        made().read(cell)
    with pytest.raises(ValueError, match=f"'{cell}' is not a number"):
        made("a", "b").read_columns({"a": "1", "b": cell})


def test_several_columns_are_several_numbers_by_the_names_of_the_columns() -> None:
    task = made("height", "width")
    stored = [task.read_columns({"height": "1.5", "width": "-2"}), task.read_columns({"height": "0", "width": "1e3"})]
    assert task.taught(pd.DataFrame({"label": stored, "split": "train"})) == ["height", "width"]
    truth = task.truth(stored, ["height", "width"])
    assert truth.tolist() == [[1.5, -2], [0, 1000]]
    assert truth.dtype == np.float64
    assert task.known(truth).all()


def test_folds_are_stratified_by_tenths_of_the_numbers() -> None:
    truth = np.random.default_rng(0).exponential(size=(200, 1))
    strata = made().strata(truth)
    assert np.bincount(strata).tolist() == [20] * 10
    order = truth[:, 0].argsort()
    assert (np.diff(strata[order]) >= 0).all()
    assert sorted(made().strata(truth[:3])) == [0, 3, 6]  # so that each fold has some of each


def test_the_figures_are_those_of_scikit_learn_and_of_each_column() -> None:
    truth, predictions = drawn()
    task = made("a", "b")
    evidence = task.evidence(truth, predictions, {})
    found = task.figures(evidence)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predictions))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, predictions))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predictions))
    scores = task.label_scores(evidence, ["a", "b"])
    assert list(scores) == ["label", "rmse", "mae", "r2", "photos"]
    assert scores.mae[1] == pytest.approx(metrics.mean_absolute_error(truth[:, 1], predictions[:, 1]))
    assert scores.photos.tolist() == [200, 200]


def test_answers_stay_in_the_range_of_the_training_photos_or_in_that_which_is_given() -> None:
    truth, wild = np.array([[1.0, -5], [3, 10]]), np.array([[-7, 3], [2.5, 99]], np.float32)
    seen = made("a", "b")
    limits = seen.limits(truth)
    assert json.loads(json.dumps(limits)) == limits == {"range": [[1, 3], [-5, 10]]}
    assert seen.answers(wild, limits).tolist() == [[1, 3], [2.5, 10]]
    given_ = made("a", "b", range=[0, 4])
    assert given_.answers(wild, given_.limits(truth)).tolist() == [[0, 3], [2.5, 4]]


def test_only_the_absolute_error_moves_answers_and_towards_the_median() -> None:
    """Of what is skewed the mean, which a squared loss finds, is not the median."""
    truth = np.random.default_rng(0).exponential(size=(2000, 1))
    mean = np.full_like(truth, truth.mean(), np.float32)
    task = made(metric="mae")
    how = task.decision(truth, mean)
    assert task.answers(mean, how)[0, 0] == pytest.approx(np.median(truth), abs=0.02)
    plain, decided = (task.figures(task.evidence(truth, mean, each))["mae"] for each in ({}, how))
    assert decided < plain - 0.03
    assert made(metric="rmse").decision(truth, mean) == {}
    assert made(metric="r2").decision(truth, mean) == {}


def test_the_guide_is_the_metric_and_more_is_worse() -> None:
    truth, predictions = drawn()
    for metric, sign in (("rmse", 1), ("mae", 1), ("r2", -1)):
        task = made("a", "b", metric=metric)
        figure = task.figures(task.evidence(truth, predictions, {}))[metric]
        assert task.guide(truth, predictions) == pytest.approx(sign * figure)


def test_the_largest_errors_are_the_gravest_mistakes() -> None:
    truth = np.array([[1.0, 1], [1, 1], [1, 1]])
    predictions = np.array([[1, 1], [4, 5], [1, 2]], np.float32)
    found = made("a", "b").mistakes(made("a", "b").evidence(truth, predictions, {}), ["a", "b"])
    assert found.wrong.tolist() == [False, True, True]
    assert found.error.tolist() == pytest.approx([0, np.sqrt(12.5), np.sqrt(0.5)])
    assert found.predicted.tolist() == ["1 1", "4 5", "1 2"]


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_few_different_numbers_are_doubted(kind: str) -> None:
    stored = pd.Series([str(float(number % (3 if kind == "classes" else 30))) for number in range(60)])
    doubts = made().doubts(stored, "price")
    assert doubts == (
        ["price has only 3 different numbers: classes (`task: classification`)?"] if kind == "classes" else []
    )


def test_a_submission_has_a_column_for_each_number_in_the_sample_s_order_and_form() -> None:
    task, labels, columns = made("a", "b"), ["a", "b"], ["b", "a"]
    sample = Sample("s.csv", ["id", *columns], ["1"], 0, ",", "\n", "utf-8")
    task.check_form(sample, FORM, labels)
    assert task.columns("labels", labels) == labels
    values = np.array([[1 / 3, 2000]], np.float32)
    assert task.cells(values, {}, labels, columns, FORM) == [["2000", "0.333333343"]]
    assert task.cells(values, {}, labels, columns, FORM._replace(decimals=2)) == [["2000.00", "0.33"]]
    with pytest.raises(BadInput, match=r"3 columns next to the id, but 2 numbers are predicted \(a, b\)"):
        task.check_form(sample._replace(header=["id", "a", "b", "c"]), FORM, labels)
    with pytest.raises(BadInput, match="no column for the label 'b'"):
        task.check_form(sample._replace(header=["id", "a", "c"]), FORM, labels)


def test_a_single_number_may_stand_in_a_column_of_any_name() -> None:
    task = made("price", range=[0, 10])
    task.check_form(Sample("s.csv", ["id", "guess"], ["1"], 0, ",", "\n", "utf-8"), FORM, ["price"])
    assert task.cells(np.array([[12.0]], np.float32), {"range": [[0, 10]]}, ["price"], ["guess"], FORM) == [["10"]]
    for cell, message in (
        ("11", "11 in column 'guess' is not from 0 to 10"),
        ("nan", "column 'guess': 'nan' is not a number"),
    ):
        with pytest.raises(BadInput, match=f"line 2: {message}"):
            task.check_cells("line 2", {"guess": cell}, FORM, ["price"])


def test_a_range_that_rounded_numbers_would_leave_is_refused_before_anything_is_trained() -> None:
    sample = Sample("sample.csv", ["id", "price"], ["a"], 0, ",", "\n", "utf-8")
    made(range=[0.25, 9]).check_form(sample, FORM._replace(decimals=2), ["price"])
    with pytest.raises(BadInput, match=r"regression\.range: 0\.25 has more decimals than `submission\.decimals: 1`"):
        made(range=[0.25, 9]).check_form(sample, FORM._replace(decimals=1), ["price"])
