"""One of two or more classes: which is positive, photos of no class, and figures where each class counts alike."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from podium import tasks
from podium.step import BadInput
from podium.tasks.cells import Form, Sample

COLUMN = Sample("s.csv", ["id", "answer"], ["1"], 0, ",", "\n", "utf-8")


def made(**settings: str | None) -> tasks.Task:
    return tasks.task({"classification": settings})


def drawn(photos: int = 400, count: int = 3, unknown: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth and what a model says of it; of the first photos, which are of no class, it says little."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, count, photos)
    logits = random.normal(size=(photos, count)) + 3 * np.eye(count)[truth]
    logits[:unknown] = random.normal(size=(unknown, count)) / 2
    truth[:unknown] = -1
    powers = np.exp(logits)
    return truth, (powers / powers.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("positive", "labels"), [(None, ["no", "yes"]), ("no", ["yes", "no"]), ("yes", ["no", "yes"])])
def test_the_positive_class_is_the_last_and_its_probability_is_asked_for(
    positive: str | None, labels: list[str]
) -> None:
    task, form = made(positive=positive), Form("probability", 5, " ")
    assert task.taught(pd.DataFrame({"label": ["yes", "no", "yes"], "split": "train"})) == labels
    task.check_form(COLUMN, form, labels)
    rows = task.cells(np.array([[0.75, 0.25], [0, 1]], np.float32), {}, labels, ["answer"], form)
    assert rows == [["0.25"], ["1"]]
    rounded = task.cells(np.array([[0.75, 0.25]], np.float32), {}, labels, ["answer"], form._replace(decimals=1))
    assert rounded == [["0.2"]]
    for cell in ("1.5", "-0.1", "yes", ""):
        with pytest.raises(BadInput, match=f"line 2: '{cell}' in column 'answer' is not a probability"):
            task.check_cells("line 2", {"answer": cell}, form, labels)


def test_binary_figures_are_of_the_positive_class() -> None:
    truth, probabilities = drawn(count=2)
    for metric, expected in (
        ("f1", metrics.f1_score(truth, probabilities.argmax(1))),
        ("f2", metrics.fbeta_score(truth, probabilities.argmax(1), beta=2)),
        ("roc_auc", metrics.roc_auc_score(truth, probabilities[:, 1])),
        ("average_precision", metrics.average_precision_score(truth, probabilities[:, 1])),
    ):
        task = made(metric=metric)
        assert task.figures(task.evidence(truth, probabilities, {}))[metric] == pytest.approx(expected)
    of_other = made(metric="f1").figures(made(metric="f1").evidence(1 - truth, probabilities[:, ::-1], {}))["f1"]
    assert of_other == pytest.approx(metrics.f1_score(truth, probabilities.argmax(1), pos_label=0))


def test_areas_of_several_classes_are_of_each_against_the_rest() -> None:
    truth, probabilities = drawn()
    task = made(metric="roc_auc")
    expected = metrics.roc_auc_score(truth, probabilities / probabilities.sum(1, keepdims=True), multi_class="ovr")
    assert task.figures(task.evidence(truth, probabilities, {}))["roc_auc"] == pytest.approx(expected)
    assert task.guide(truth, probabilities) == pytest.approx(-expected)


def test_what_is_asked_of_two_classes_is_refused_of_three() -> None:
    with pytest.raises(BadInput, match=r"metric: f1 is of the positive one of two classes, but there are 3"):
        made(metric="f1").check_form(COLUMN, Form("labels", 5, " "), ["a", "b", "c"])
    with pytest.raises(BadInput, match=r"submission\.form: one probability is of two classes, but there are 3"):
        made().check_form(COLUMN, Form("probability", 5, " "), ["a", "b", "c"])
    with pytest.raises(BadInput, match=r"classification\.positive: no training photo has the label 'd'"):
        made(positive="d").check_form(COLUMN, Form("labels", 5, " "), ["a", "b"])


def test_a_threshold_makes_a_photo_positive() -> None:
    truth, probabilities = drawn(count=2)
    task = made(metric="f2")
    how = task.decision(truth, probabilities)
    assert list(how) == ["threshold"]
    assert how["threshold"] < 0.5  # misses cost more
    np.testing.assert_array_equal(task.answers(probabilities, how), probabilities[:, 1] > how["threshold"])


def test_photos_of_no_class_teach_nothing_and_are_answered_below_a_threshold() -> None:
    task, labels = made(unknown="none"), ["a", "b", "c"]
    assert task.taught(pd.DataFrame({"label": ["c", "none", "b", "a"], "split": "train"})) == labels
    assert task.known(task.truth(["a", "none"], labels)).tolist() == [True, False]
    truth, probabilities = drawn(unknown=100)
    how = task.decision(truth, probabilities)
    assert 1 / 3 < how["least"] < 1
    answers = task.answers(probabilities, how)
    assert ((probabilities.max(1) < how["least"]) == (answers == -1)).all()
    plain, decided = (
        task.figures(task.evidence(truth, probabilities, each))["accuracy"] for each in (task.limits(truth), how)
    )
    assert decided == pytest.approx((answers == truth).mean())
    assert decided > plain + 0.05
    named = [*labels, "none"]
    assert [row[0] for row in task.cells(probabilities, how, labels, ["answer"], Form("labels", 5, " "))] == [
        named[answer] for answer in answers
    ]
    assert list(task.shown(probabilities, how, labels).answer) == [named[answer] for answer in answers]
    assert list(task.mistakes(task.evidence(truth, probabilities, how), labels).predicted) == [
        named[answer] for answer in answers
    ]


def test_in_a_list_the_label_of_no_class_stands_where_the_threshold_is() -> None:
    task, labels, form = made(unknown="none", metric="map_at_4"), ["a", "b", "c"], Form("top", 4, " ")
    task.check_form(COLUMN, form, labels)
    probabilities = np.array([[0.75, 0.15, 0.1], [0.375, 0.375, 0.25], [0.25, 0.25, 0.5]], np.float32)
    rows = task.cells(probabilities, {"least": 0.45}, labels, ["answer"], form)
    assert [row[0] for row in rows] == ["a none b c", "none a b c", "c none a b"]
    for row in rows:
        task.check_cells("line 2", {"answer": row[0]}, form, labels)
    # Without a threshold, since no photo was of no class or none judged, it stands last.
    assert task.cells(probabilities[:1], {}, labels, ["answer"], form) == [["a b c none"]]
    assert task.cells(probabilities[:1], {"least": 0.0}, labels, ["answer"], form) == [["a b c none"]]


@pytest.mark.parametrize("least", [0.0, 0.45, 0.6])
def test_the_figure_of_lists_is_that_of_what_is_written(least: float) -> None:
    """The place of the true label, also that of no class, by the list itself."""
    task, labels, named = made(unknown="none", metric="map_at_3"), list("abcd"), ["a", "b", "c", "d", "none"]
    truth, probabilities = drawn(count=4, unknown=80)
    rows = task.cells(probabilities, {"least": least}, labels, ["x", "y", "z"], Form("top", 3, " "))
    gains = [
        1 / (1 + row.index(named[true])) if named[true] in row else 0 for row, true in zip(rows, truth, strict=True)
    ]
    found = task.figures(task.evidence(truth, probabilities, {"least": least}))["map_at_3"]
    assert found == pytest.approx(np.mean(gains))


def test_where_each_class_counts_alike_rare_ones_guide_as_much_and_are_lifted() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [800, 150, 50])
    logits = 1.2 * np.eye(3)[truth] + random.normal(size=(1000, 3)) + np.log([0.8, 0.15, 0.05])
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    task, plain = made(metric="macro_f1"), made(metric="accuracy")
    losses = -np.log(probabilities[np.arange(1000), truth])
    assert plain.guide(truth, probabilities) == pytest.approx(losses.mean(), rel=1e-5)
    each = [losses[truth == label].mean() for label in range(3)]
    assert task.guide(truth, probabilities) == pytest.approx(np.mean(each), rel=1e-5)
    assert (plain.balance, task.balance, made(metric="balanced_accuracy").balance) == (0, 1, 1)
    how = task.decision(truth, probabilities)
    assert how["offsets"][2] > how["offsets"][0]
    scored = [metrics.f1_score(truth, task.answers(probabilities, each), average="macro") for each in ({}, how)]
    assert scored[1] > scored[0] + 0.02
    assert plain.decision(truth, probabilities) == {}


def test_one_hot_columns_name_the_label() -> None:
    task = made()
    assert task.read_columns({"a": "0", "b": "1", "c": "0.0"}) == "b"
    with pytest.raises(ValueError, match="a, c are 1, but each photo has one label"):
        task.read_columns({"a": "1", "b": "0", "c": "1"})
    with pytest.raises(ValueError, match="none of a, b is 1, but each photo has one label"):
        task.read_columns({"a": "0", "b": "0"})


def test_what_is_decided_gains_on_photos_that_decided_nothing() -> None:
    for metric, count, settings, gain in (
        ("f2", 2, {}, 0.005),  # of a figure that is nearly 1
        ("accuracy", 3, {"unknown": "none"}, 0.05),
        ("macro_f1", 3, {"unknown": "none"}, 0.05),
    ):
        task, unknown = made(metric=metric, **settings), 100 if settings else 0
        how = task.decision(*drawn(count=count, unknown=unknown))
        other = drawn(seed=1, count=count, unknown=unknown)
        plain, decided = (task.figures(task.evidence(*other, each))[metric] for each in (task.limits(other[0]), how))
        assert decided > plain + gain, metric
