import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from podium.step import BadInput
from podium.tasks import task
from podium.tasks.cells import Form, Sample

TASK = task({"multilabel": {"separator": " "}})
LABELS = ["clear", "haze", "primary", "road"]
LIST = Form("labels", 5, " ")


def made(seed: int, photos: int = 300, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities that tell something of it; rare and common labels."""
    random = np.random.default_rng(seed)
    truth = random.random((photos, 4)) < [0.7, 0.1, 0.4, 0.2]
    logits = random.normal(size=truth.shape) + skill * (2 * truth - 1) - [0, 1, 0, 1]
    return taught(truth), TASK.link.predictions(logits.astype(np.float32))


def taught(truth: np.ndarray) -> np.ndarray:
    """The truth of photos that have no label which was not taught."""
    return np.column_stack([truth, np.zeros(len(truth), bool)])


@pytest.mark.parametrize(("photos", "how"), [(300, {"threshold": 0.3, "least": 1}), (40, {}), (5, {"threshold": 0.8})])
def test_the_figures_are_those_of_scikit_learn(photos: int, how: dict) -> None:
    truth, probabilities = made(0, photos)
    found, answers = TASK.figures(TASK.evidence(truth, probabilities, how)), TASK.answers(probabilities, how)
    truth = truth[:, :4]
    told = truth.any(0) & ~truth.all(0)
    assert found["macro_auc"] == pytest.approx(metrics.roc_auc_score(truth[:, told], probabilities[:, told]))
    expected = metrics.f1_score(truth, answers, average="samples", zero_division=1)
    assert found["samples_f1"] == pytest.approx(expected)
    losses = [metrics.log_loss(truth[:, n], probabilities[:, n], labels=[False, True]) for n in range(4)]
    assert found["log_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(*[st.booleans()] * 2, *[st.sampled_from([0.1, 0.5, 0.9])] * 2), min_size=2, max_size=20))
def test_the_area_of_any_ranks_with_ties_is_scikit_learn_s(rows: list[tuple]) -> None:
    truth, probabilities = np.array([row[:2] for row in rows]), np.array([row[2:] for row in rows], np.float32)
    found = TASK.figures(TASK.evidence(taught(truth), probabilities, {}))["macro_auc"]
    told = truth.any(0) & ~truth.all(0)
    expected = metrics.roc_auc_score(truth[:, told], probabilities[:, told]) if told.any() else 0.5
    assert found == pytest.approx(expected)


def test_the_threshold_is_nearly_the_best_there_is_and_better_than_one_half() -> None:
    """It is what is best for halves of the photos on average, so that it is better for others."""
    truth, probabilities = made(1, skill=0.6)
    how = TASK.decision(truth, probabilities)

    def reached(how: dict) -> float:
        return metrics.f1_score(truth[:, :4], TASK.answers(probabilities, how), average="samples", zero_division=1)

    tried = [{"threshold": t, "least": least} for t in np.linspace(0.02, 0.98, 49) for least in (0, 1)]
    assert max(map(reached, tried)) - 0.005 < reached(how) > reached({}) + 0.02
    assert TASK.answers(probabilities, {"threshold": 0.99, "least": 1}).sum(1).min() == 1


@pytest.mark.parametrize("metric", ["macro_auc", "log_loss", "map_at_5", "samples_f1"])
def test_lists_are_decided_by_the_photos_f1_where_the_metric_judges_none(metric: str) -> None:
    truth, probabilities = made(1, skill=0.6)
    judged = task({"multilabel": {"separator": " ", "metric": metric}})
    assert judged.decided_by == "samples_f1"
    assert judged.decision(truth, probabilities) == TASK.decision(truth, probabilities)


def test_each_label_has_a_threshold_of_its_own_where_each_counts_alike() -> None:
    truth, probabilities = made(2, photos=2000)
    alike = task({"multilabel": {"separator": " ", "metric": "macro_f1"}})
    how = alike.decision(truth, probabilities)
    assert len(how["thresholds"]) == 4
    scored = [metrics.f1_score(truth[:, :4], alike.answers(probabilities, each), average="macro") for each in ({}, how)]
    assert scored[1] > scored[0]


def test_photos_are_stratified_by_their_rarest_label() -> None:
    truth = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]], bool)
    assert TASK.strata(taught(truth)).tolist() == [1, 2, 0, 3, 3, 4]


@pytest.mark.parametrize("cell", ["", "haze", "clear haze road"])
def test_a_submission_lists_labels_or_none(cell: str) -> None:
    sample = Sample("s.csv", ["id", "tags"], ["1"], 0, ",", "\n", "utf-8")
    TASK.check_form(sample, LIST, LABELS)
    probabilities = np.array([[0.9 if label in cell.split() else 0.1 for label in LABELS]], np.float32)
    assert TASK.cells(probabilities, {}, LABELS, ["tags"], LIST) == [[cell]]
    TASK.check_cells("line 2", {"tags": cell}, LIST, set(LABELS))
    top = TASK.cells(probabilities, {}, LABELS, ["tags"], Form("top", 4, " "))
    assert set(top[0][0].split()) == set(LABELS)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("clear fog", "'fog' is not a label"), ("haze haze", "'haze' occurs twice"), ("haze  road", "'' is not a label")],
)
def test_a_list_that_is_wrong_is_refused(cell: str, message: str) -> None:
    with pytest.raises(BadInput, match=f"line 2: {message}"):
        TASK.check_cells("line 2", {"tags": cell}, LIST, set(LABELS))


def test_probabilities_have_a_column_each_and_need_not_sum_to_one() -> None:
    form, columns = Form("probabilities", 5, " "), ["road", "unheard of", *LABELS[:3]]
    sample = Sample("s.csv", ["id", *columns], ["1"], 0, ",", "\n", "utf-8")
    TASK.check_form(sample, form, LABELS)
    (row,) = TASK.cells(np.array([[0.5, 0.25, 0.75, 1]], np.float32), {}, LABELS, columns, form)
    assert row == ["1", "0", "0.5", "0.25", "0.75"]
    TASK.check_cells("line 2", dict(zip(columns, row, strict=True)), form, set(LABELS))
    with pytest.raises(BadInput, match=r"line 2: '1\.1' in column 'road' is not a probability"):
        TASK.check_cells("line 2", {"road": "1.1"}, form, set(LABELS))


def test_a_label_that_contains_the_separator_is_refused() -> None:
    sample = Sample("s.csv", ["id", "tags"], ["1"], 0, ",", "\n", "utf-8")
    with pytest.raises(BadInput, match=r"submission\.separator: ' ' occurs in the label 'partly cloudy'"):
        TASK.check_form(sample, LIST, ["clear", "partly cloudy"])


def test_a_label_that_was_not_taught_is_missed() -> None:
    truth = TASK.truth(['["clear", "fog"]', '["fog"]', "[]"], LABELS)
    assert TASK.known(truth).tolist() == [False, False, True]
    probabilities = np.array([[0.9, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.float32)
    evidence = TASK.evidence(truth, probabilities, {})
    assert TASK.figures(evidence)["samples_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert TASK.mistakes(evidence, LABELS).wrong.tolist() == [True, True, False]


def test_of_equally_good_thresholds_the_one_nearest_to_one_half_is_taken() -> None:
    truth = taught(np.array([[True, False, False, False], [False, True, False, False]]))
    assert TASK.decision(truth, np.where(truth[:, :4], 0.9, 0.05).astype(np.float32)) == {"threshold": 0.5, "least": 0}


def test_the_figures_of_each_label_are_those_of_scikit_learn() -> None:
    truth, probabilities = made(3)
    found = TASK.label_scores(TASK.evidence(truth, probabilities, {}), LABELS)
    expected = metrics.precision_recall_fscore_support(truth[:, :4], probabilities > 0.5, zero_division=0)
    np.testing.assert_allclose(found[["precision", "recall", "f1", "photos"]].to_numpy(float).T, expected)
    one = TASK.label_scores(TASK.evidence(truth[:, [0, 4]], probabilities[:, :1], {}), LABELS[:1])
    np.testing.assert_allclose(one.to_numpy()[0, 1:].astype(float), np.array(expected)[:, 0])
