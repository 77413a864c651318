import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import TASK
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from podium.predictions import scores
from podium.predictions.scores import score
from podium.predictions.stored import Predictions
from podium.tasks.measures import charged

Ints, Floats = NDArray[np.int64], NDArray[np.float32]


def made(seed: int, photos: int, count: int, unknown: int = 0) -> tuple[Ints, Floats]:
    """Truth and fair predictions of it; the first `unknown` photos have a label that no class stands for."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, count, photos)
    logits = random.normal(size=(photos, count)) + 1.5 * np.eye(count)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth[:unknown] = -1
    return truth, probabilities.astype(np.float32)


def scored(truth: Ints, probabilities: Floats, seed: int = 0) -> dict[str, Any]:
    """The figures of photos that have nothing to do with each other."""
    return score(TASK, TASK.evidence(truth, probabilities, {}), np.arange(len(truth)), seed)


def log_losses(truth: Ints, probabilities: Floats) -> NDArray[np.float64]:
    return charged(TASK.given(truth, probabilities))


@pytest.mark.parametrize("seed, photos, count", [(0, 200, 3), (1, 30, 20), (2, 1, 2), (3, 500, 81)])
def test_the_figures_are_those_of_scikit_learn(seed: int, photos: int, count: int) -> None:
    truth, probabilities = made(seed, photos, count)
    found, guess = scored(truth, probabilities), probabilities.argmax(1)
    assert found["photos"] == photos
    assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert found["macro_f1"]["value"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    assert found["log_loss"]["value"] == pytest.approx(metrics.log_loss(truth, probabilities, labels=range(count)))


@pytest.mark.parametrize("certain", [1.0, 1.5])
def test_a_sure_mistake_costs_what_kaggle_charges(certain: float) -> None:
    """Rows that do not sum to one are scaled first."""
    truth, probabilities = np.array([0, 1]), np.array([[certain, 0], [certain, 0]], np.float32)
    assert log_losses(truth, probabilities) == pytest.approx([1e-15, 15 * math.log(10)])
    assert scored(truth, probabilities)["log_loss"]["value"] == pytest.approx(7.5 * math.log(10))


SURE = st.lists(st.floats(0, 1, width=32) | st.floats(-104, 0).map(lambda power: np.float32(math.exp(power))))


@hypothesis(max_examples=150, deadline=None)
@given(row=SURE.filter(lambda row: len(row) > 1 and sum(row) > 0.01), data=st.data())
def test_log_losses_are_those_of_decimal_arithmetic(row: list[float], data: st.DataObject) -> None:
    """To twenty-eight digits, however small the probability; nothing of float32 shows."""
    truth = data.draw(st.integers(-1, len(row) - 1))
    exact = [Decimal(float(each)) for each in row]
    chosen = exact[truth] / sum(exact) if truth >= 0 else Decimal(0)
    expected = -min(max(chosen, Decimal("1e-15")), 1 - Decimal("1e-15")).ln()
    assert log_losses(np.array([truth]), np.array([row], np.float32)) == pytest.approx([float(expected)], rel=1e-12)


def test_what_a_network_said_is_charged_in_full_after_a_file(tmp_path: Path) -> None:
    """Neither a softmax in float32 nor a file puts a floor under a probability."""
    logits = np.array([[0, -gap] for gap in (1, 10, 16, 20, 30, 34, 60, 87)], np.float32)
    powers = np.exp(logits)
    keys = pd.DataFrame({"split": "test", "id": map(str, range(len(logits)))})
    Predictions(keys, powers / powers.sum(1, keepdims=True)).write(tmp_path / "predictions.npy")
    kept = Predictions.read(tmp_path / "predictions.npy")[:]
    assert (kept[:, 1] > 0).all()
    expected = [min(math.log1p(math.exp(gap)), 15 * math.log(10)) for gap in -logits[:, 1].astype(float)]
    assert log_losses(np.ones(len(logits), int), kept) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("metric", TASK.metrics)
@pytest.mark.parametrize("unknown", [0, 0.2])
def test_the_interval_covers_the_value_and_narrows_with_more_photos(metric: str, unknown: float) -> None:
    few, many = (scored(*made(0, photos, 5, int(photos * unknown)))[metric] for photos in (100, 1600))
    for figure in (few, many):
        assert figure["low"] < figure["value"] < figure["high"]
    # Sixteen times the photos make the interval four times as narrow, give or take the sample.
    assert 2.5 < (few["high"] - few["low"]) / (many["high"] - many["low"]) < 7


@pytest.mark.parametrize("photos, a_group", [(60, 1), (60, 3)])
def test_no_mistake_among_a_few_photos_is_no_proof_of_none(photos: int, a_group: int) -> None:
    truth, groups = np.arange(photos) % 3, np.arange(photos) // a_group
    found = score(TASK, TASK.evidence(truth, np.eye(3, dtype=np.float32)[truth], {}), groups)
    count, z = photos / a_group, 1.959964
    for metric in ("accuracy", "macro_f1"):
        assert found[metric]["value"] == found[metric]["high"] == 1
        assert found[metric]["low"] == pytest.approx(count / (count + z**2), abs=1e-6)
    none = score(TASK, TASK.evidence(truth, np.eye(3, dtype=np.float32)[(truth + 1) % 3], {}), groups)
    assert none["accuracy"]["high"] == pytest.approx(z**2 / (count + z**2), abs=1e-6)


def test_the_interval_of_accuracy_is_that_of_the_binomial() -> None:
    figure = scored(*made(0, 2000, 5))["accuracy"]
    half = 1.96 * np.sqrt(figure["value"] * (1 - figure["value"]) / 2000)
    assert figure["low"] == pytest.approx(figure["value"] - half, abs=0.003)
    assert figure["high"] == pytest.approx(figure["value"] + half, abs=0.003)


def test_the_interval_is_made_of_scikit_learn_s_figures_over_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "RESAMPLES", 40)
    (truth, probabilities), random = made(1, 60, 4, unknown=3), np.random.default_rng(7)
    draws = [random.integers(0, 60, 60) for _ in range(40)]
    guess, losses = probabilities.argmax(1), log_losses(truth, probabilities)
    figures = [metrics.f1_score(truth[rows], guess[rows], average="macro", zero_division=0) for rows in draws]
    found = scored(truth, probabilities, seed=7)
    assert ends(found, "macro_f1") == pytest.approx(np.quantile(figures, [0.025, 0.975]))
    assert ends(found, "log_loss") == list(np.quantile([losses[rows].mean() for rows in draws], [0.025, 0.975]))


def ends(found: dict[str, Any], metric: str) -> list[float]:
    return [found[metric]["low"], found[metric]["high"]]


def test_whole_groups_are_drawn_with_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain second computation: groups of one to nine photos, which stand in any order, by any numbers."""
    monkeypatch.setattr(scores, "RESAMPLES", 40)
    (truth, probabilities), random = made(1, 60, 4, unknown=3), np.random.default_rng(3)
    sizes = {7: 9, 0: 8, 12: 8, 3: 7, 40: 1, 41: 1, 42: 1, 2: 5, 90: 5, 55: 5, 56: 5, 57: 5}
    groups = random.permutation([group for group, size in sizes.items() for _ in range(size)])
    names, draws = list(dict.fromkeys(groups)), np.random.default_rng(7)
    figures: dict[str, list[float]] = {metric: [] for metric in TASK.metrics}
    for _ in range(40):
        drawn = [names[number] for number in draws.integers(0, len(names), len(names))]
        rows = [row for name in drawn for row in range(60) if groups[row] == name]
        guess = probabilities[rows].argmax(1)
        figures["accuracy"].append(metrics.accuracy_score(truth[rows], guess))
        figures["macro_f1"].append(metrics.f1_score(truth[rows], guess, average="macro", zero_division=0))
        figures["log_loss"].append(np.mean([log_losses(truth[[row]], probabilities[[row]])[0] for row in rows]))
    found = score(TASK, TASK.evidence(truth, probabilities, {}), groups, seed=7)
    for metric, values in figures.items():
        assert ends(found, metric) == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_the_same_photos_again_make_no_figure_surer() -> None:
    truth, probabilities = made(5, 200, 4)
    once, again = scored(truth, probabilities), np.repeat(np.arange(200), 4)
    found = score(TASK, TASK.evidence(truth[again], probabilities[again], {}), again)
    for metric in TASK.metrics:
        assert ends(found, metric) == pytest.approx(ends(once, metric))
        assert np.ptp(ends(scored(truth[again], probabilities[again]), metric)) < 0.7 * np.ptp(ends(found, metric))


def test_a_label_that_the_model_cannot_know_counts_as_wrong() -> None:
    truth, probabilities = made(0, 100, 4)
    known = scored(truth[40:], probabilities[40:])
    truth[:40] = -1
    found, guess = scored(truth, probabilities), probabilities.argmax(1)
    assert found["accuracy"]["value"] == pytest.approx(known["accuracy"]["value"] * 60 / 100)
    assert found["macro_f1"]["value"] == pytest.approx(metrics.f1_score(truth, guess, average="macro", zero_division=0))
    assert found["macro_f1"]["value"] < known["macro_f1"]["value"]
    worst = 15 * math.log(10)
    assert found["log_loss"]["value"] == pytest.approx((known["log_loss"]["value"] * 60 + worst * 40) / 100)


def test_the_same_seed_gives_the_same_interval() -> None:
    given_ = made(0, 50, 3)
    assert scored(*given_) == scored(*given_)
    assert scored(*given_)["macro_f1"]["low"] != scored(*given_, seed=1)["macro_f1"]["low"]


@pytest.mark.parametrize("unknown", [0, 10])
def test_the_figures_of_each_class_are_those_of_scikit_learn(unknown: int) -> None:
    truth, probabilities = made(4, 60, 5, unknown)
    labels = ["a", "NA", "c,d", "7", "never"]
    truth[truth == 4] = 0  # the last class is guessed and never right
    found = TASK.label_scores(TASK.evidence(truth, probabilities, {}), labels).set_index("label")
    report = metrics.classification_report(
        truth, probabilities.argmax(1), labels=range(5), target_names=labels, output_dict=True, zero_division=0
    )
    for label in labels:
        wanted = [report[label][key] for key in ("precision", "recall", "f1-score", "support")]
        assert found.loc[label].to_list() == pytest.approx(wanted)
    assert found.photos.sum() == 60 - unknown
