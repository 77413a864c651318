"""Each figure is scikit-learn's, or, where it has none, what the definition says of a few photos."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn

from podium.step import BadInput
from podium.tasks import metrics

BETAS = (0.5, 1.0, 2.0)
many = settings(max_examples=60, deadline=None)


numbers = st.integers(1, 12)
classes = numbers.flatmap(lambda n: arrays(np.int64, (2, n), elements=st.integers(-1, 4)))
cells = numbers.flatmap(lambda n: arrays(bool, (2, n, 3)))
quarters = numbers.flatmap(lambda n: arrays(np.int64, (2, n, 2), elements=st.integers(-8, 8))).map(lambda x: x / 4)
ranked = numbers.flatmap(
    lambda n: st.tuples(
        arrays(bool, (n, 3)), arrays(np.float32, (n, 3), elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1]))
    )
)


@many
@given(classes)
def test_figures_of_classes_are_those_of_scikit_learn(both: np.ndarray) -> None:
    truth, answer = both
    assert metrics.accuracy(truth, answer) == pytest.approx(sklearn.accuracy_score(truth, answer))
    recall = sklearn.recall_score(truth, answer, labels=np.unique(truth), average="macro", zero_division=0)
    assert metrics.balanced_accuracy(truth, answer) == pytest.approx(recall)
    for beta in BETAS:
        for average in ("macro", "micro"):
            expected = sklearn.fbeta_score(truth, answer, beta=beta, average=average, zero_division=0)
            assert metrics.f_classes(truth, answer, beta, average) == pytest.approx(expected)
        expected = sklearn.fbeta_score(truth > 1, answer > 1, beta=beta, zero_division=0)
        assert metrics.f_positive(truth > 1, answer > 1, beta) == pytest.approx(expected)


@many
@given(cells)
def test_figures_of_several_labels_are_those_of_scikit_learn(both: np.ndarray) -> None:
    truth, answer = both
    for beta in BETAS:
        how = {"beta": beta, "zero_division": 1}
        assert metrics.f_samples(truth, answer, beta) == pytest.approx(
            sklearn.fbeta_score(truth, answer, average="samples", **how)
        )
        micro = sklearn.fbeta_score(truth, answer, beta=beta, average="micro", zero_division=0)
        assert metrics.f_labels(truth, answer, beta, "micro") == pytest.approx(micro)
        occurs = (truth | answer).any(0)
        if occurs.any():
            macro = sklearn.fbeta_score(truth, answer, beta=beta, average=None, zero_division=0)[occurs].mean()
            assert metrics.f_labels(truth, answer, beta, "macro") == pytest.approx(macro)


def test_a_label_that_nobody_can_give_is_missed() -> None:
    truth, answer = np.array([[1, 0, 1], [0, 1, 0]], bool), np.array([[1, 0], [0, 1]], bool)
    assert metrics.f_samples(truth, answer, 1) == pytest.approx((2 / 3 + 1) / 2)
    assert metrics.f_labels(truth, answer, 1, "macro") == pytest.approx((1 + 1 + 0) / 3)
    assert metrics.f_labels(truth, answer, 1, "micro") == pytest.approx(4 / 5)
    assert metrics.map_at_labels(truth, answer.astype(np.float32), 3) == pytest.approx((1 / 2 + 1) / 2)


@many
@given(ranked)
def test_areas_of_ranks_with_ties_are_those_of_scikit_learn(rows: tuple) -> None:
    truth, probabilities = rows
    for found, expected, told, otherwise in (
        (metrics.roc_auc, sklearn.roc_auc_score, truth.any(0) & ~truth.all(0), 0.5),
        (metrics.average_precision, sklearn.average_precision_score, truth.any(0), 0.0),
    ):
        each = [expected(truth[:, n], probabilities[:, n]) for n in np.flatnonzero(told)]
        assert found(truth, probabilities) == pytest.approx(np.mean(each) if each else otherwise)
        one = each[0] if told[0] else otherwise
        assert found(truth[:, 0], probabilities[:, 0]) == pytest.approx(one)


def test_the_mean_of_places_counts_those_before_k() -> None:
    assert metrics.map_at(np.array([0, 1, 3, 4, -1]), 4) == pytest.approx((1 + 1 / 2 + 1 / 4) / 5)


@many
@given(ranked, st.integers(1, 4))
def test_map_at_k_is_what_kaggle_s_loop_gives(rows: tuple, k: int) -> None:
    """Hamner's `mapk`: https://github.com/benhamner/Metrics."""

    def apk(actual: set[int], predicted: list[int]) -> float:
        score, hits = 0.0, 0
        for place, label in enumerate(predicted[:k]):
            if label in actual:
                hits += 1
                score += hits / (place + 1)
        return score / min(len(actual), k)

    truth, probabilities = rows
    said = [sorted(range(3), key=lambda label: (-row[label], label)) for row in probabilities]
    each = [apk(set(np.flatnonzero(row)), own) for row, own in zip(truth, said, strict=True) if row.any()]
    assert metrics.map_at_labels(truth, probabilities, k) == pytest.approx(np.mean(each) if each else 0.0)


@many
@given(classes)
def test_kappa_of_grades_counts_them_by_value(both: np.ndarray) -> None:
    truth, answer = both + 1
    found = metrics.quadratic_kappa(truth, answer)
    if len(np.unique(both)) == 1:
        assert found == 1
    else:
        expected = sklearn.cohen_kappa_score(truth, answer, labels=range(6), weights="quadratic")
        assert found == pytest.approx(expected)


@many
@given(quarters)
def test_errors_of_numbers_are_those_of_scikit_learn(both: np.ndarray) -> None:
    truth, answer = both
    assert metrics.rmse(truth, answer) == pytest.approx(sklearn.root_mean_squared_error(truth, answer))
    assert metrics.mae(truth, answer) == pytest.approx(sklearn.mean_absolute_error(truth, answer))
    if len(truth) > 1:  # scikit-learn says NaN of one photo
        assert metrics.r2(truth, answer) == pytest.approx(sklearn.r2_score(truth, answer))


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


GIVEN = (np.array([0, 1]), np.array([0, 0]), np.ones((2, 2), np.float32) / 2)


def test_an_own_metric_is_computed_and_changes_nothing(tmp_path: Path) -> None:
    lines = "from math import sqrt\nMORE_IS_BETTER = False\ndef score(truth, answers, probabilities):\n"
    path = written(tmp_path, lines + "    probabilities *= 0\n    return sqrt((truth != answers).mean())\n")
    found = metrics.own(path)
    assert not found.more_is_better
    assert found(*GIVEN) == pytest.approx(0.5**0.5)
    assert GIVEN[2].all()
    assert list(tmp_path.iterdir()) == [path]
    assert metrics.own(written(tmp_path, "def score(*all):\n    return True\n")).more_is_better


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nowhere\n", "line 1: ModuleNotFoundError: No module named 'nowhere'"),
        ("x = 1\ndef score(:\n", "SyntaxError: invalid syntax"),
        ("raise SystemExit('done\\nfor')\n", r"line 1: SystemExit: done\nfor"),
        ("score = 3\n", "defines no function `score"),
        ("MORE_IS_BETTER = 'yes'\ndef score(*all): return 1\n", "`MORE_IS_BETTER` must be True or False, not 'yes'"),
    ],
)
def test_a_file_that_is_no_metric_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        metrics.own(written(tmp_path, text))
    assert f"{tmp_path / 'mine.py'}: " in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return answers['a']", "line 2: IndexError"),
        ("return 'much'", "ValueError: could not convert"),
        ("return None", "TypeError: float"),
        ("return float('nan')", "`score` returned nan, which is not a finite number"),
    ],
)
def test_a_call_that_fails_is_refused_in_one_line(tmp_path: Path, body: str, message: str) -> None:
    found = metrics.own(written(tmp_path, f"def score(truth, answers, probabilities):\n    {body}\n"))
    with pytest.raises(BadInput, match=f"mine.py: .*{message}"):
        found(*GIVEN)
