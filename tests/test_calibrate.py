"""Temperatures against one that is known, because the probabilities were made too sure by it."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from calibrate import calibrate
from podium.scores import calibration_error
from podium.tables import Predictions, write_csv
from podium.yardsticks import judge

LABELS = ["NA", "a,b", "c", "d"]


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def made(seed: int, counts: dict[str, int], **temperatures: float) -> tuple[pd.DataFrame, Predictions]:
    """An index whose labels are drawn from fair probabilities, and predictions that are too sure of themselves."""
    random = np.random.default_rng(seed)
    rows = [(split, f"{number}.jpg", f"{split}{number}") for split, count in counts.items() for number in range(count)]
    index = pd.DataFrame(rows, columns=["split", "id", "digest"]).assign(group=range(len(rows)))
    logits = 1.5 * random.normal(size=(len(index), 4))
    index["label"] = [random.choice(LABELS, p=row) for row in softmax(logits)]
    sure = softmax(logits * index.split.map(temperatures).to_numpy()[:, None])
    return index, Predictions(index[["split", "id"]], LABELS, sure.astype(np.float32))


def calibrated(folder: Path, index: pd.DataFrame, given: Predictions) -> tuple[Predictions, dict[str, Any]]:
    write_csv(folder / "index.csv", index)
    given.write(folder / "pooled.csv")
    paths = [folder / name for name in ("pooled.csv", "index.csv", "predictions.csv", "calibration.json")]
    calibrate(*paths)
    return Predictions.read(paths[2]), json.loads(paths[3].read_text())


def slow_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Guo et al.'s equation 3, bin by bin."""
    total = 0.0
    for number in range(15):
        inside = []
        for label, row in zip(truth, probabilities.astype(float), strict=True):
            if number / 15 <= row.max() < (number + 1) / 15 or (number == 14 and row.max() >= 1):
                inside.append((row.max(), row.argmax() == label))
        if inside:
            confidence, right = np.mean(inside, axis=0)
            total += len(inside) / len(truth) * abs(confidence - right)
    return total


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_them_too_sure_comes_back(tmp_path: Path, temperature: float) -> None:
    index, given = made(0, {"train": 4000, "test": 500}, train=temperature, test=temperature)
    found, said = calibrated(tmp_path, index, given)
    assert said["yardstick"] == "out_of_fold"
    assert said["photos"] == 4000
    assert said["temperature"] == pytest.approx(temperature, rel=0.05)
    rows, truth = (index.split == "train").to_numpy(), index.label.map(LABELS.index).to_numpy()
    for when, table in [("before", given), ("after", found)]:
        own = table.probabilities[rows]
        assert said["log_loss"][when] == pytest.approx(log_loss(truth[rows], own, labels=range(4)), rel=1e-5)
        assert said["calibration_error"][when] == pytest.approx(slow_error(truth[rows], own), abs=1e-6)
    if temperature != 1:
        for split in ("train", "test"):
            rows = (index.split == split).to_numpy()
            before, after = (calibration_error(truth[rows], each.probabilities[rows]) for each in (given, found))
            assert after < before / 2
    assert said["calibration_error"]["after"] < 0.03


def test_other_rows_are_powers_of_what_they_were_and_no_first_choice_changes(tmp_path: Path) -> None:
    index, given = made(1, {"validation": 400, "test": 400}, validation=3, test=3)
    found, said = calibrated(tmp_path, index, given)
    powers = given.probabilities[400:].astype(float) ** (1 / said["temperature"])
    by_hand = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(found.probabilities[400:], by_hand, atol=1e-6)
    np.testing.assert_array_equal(found.probabilities.argmax(1), given.probabilities.argmax(1))
    assert found.keys.equals(given.keys)
    assert found.labels == LABELS


def test_the_yardstick_alone_decides(tmp_path: Path) -> None:
    """Out-of-fold rows of another temperature, and any labels of the test photos, change nothing."""
    index, given = made(2, {"train": 900, "validation": 900, "test": 300}, train=0.4, validation=2, test=5)
    found, said = calibrated(tmp_path, index, given)
    assert said["yardstick"] == "validation"
    assert said["temperature"] == pytest.approx(2, rel=0.15)
    index.loc[index.split == "test", "label"] = ""
    unknown, said_again = calibrated(tmp_path, index, given)
    assert said_again == said
    np.testing.assert_array_equal(unknown.probabilities, found.probabilities)
    # A label that no training photo has tells nothing of how sure to be.
    index.loc[index.index[-301], "label"] = "unheard of"
    assert calibrated(tmp_path, index, given)[1]["photos"] == 899


def test_labels_of_a_part_of_the_yardstick_do_not_change_its_own_rows(tmp_path: Path) -> None:
    index, given = made(3, {"train": 300, "test": 10}, train=2, test=2)
    before, _ = calibrated(tmp_path, index, given)
    yardstick = judge(index, given)
    part = yardstick.rows[yardstick.parts(5) == 1]
    index.loc[part, "label"] = np.array(LABELS)[given.probabilities[part].argmin(1)]
    after, _ = calibrated(tmp_path, index, given)
    np.testing.assert_array_equal(after.probabilities[part], before.probabilities[part])
    others = np.setdiff1d(np.arange(len(index)), part)
    assert (after.probabilities[others] != before.probabilities[others]).any(1).all()


def test_where_no_photo_judges_all_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The labels of the test photos are there and would ask for another temperature."""
    caplog.set_level(logging.INFO, "podium")
    index, given = made(4, {"train": 300, "test": 300}, train=3, test=3)
    given = given.of("test")
    found, said = calibrated(tmp_path, index, given)
    assert said == {"yardstick": None, "photos": 0, "temperature": 1.0}
    assert (tmp_path / "predictions.csv").read_bytes() == (tmp_path / "pooled.csv").read_bytes()
    np.testing.assert_array_equal(found.probabilities, given.probabilities)
    assert caplog.messages == ["no photo judges this experiment, so its probabilities stay as they are"]


ROW = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4).filter(lambda row: sum(row) > 0.01)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(ROW, st.sampled_from(LABELS)), min_size=2, max_size=8))
def test_any_rows_stay_probabilities_with_the_same_first_choice(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[float], str]]
) -> None:
    values = np.array([row for row, _ in rows])
    values = (values / values.sum(1, keepdims=True)).astype(np.float32)
    ids = [str(number) for number in range(len(rows))]
    index = pd.DataFrame({"id": ids, "split": "train", "label": [label for _, label in rows], "digest": ids})
    index["group"] = range(len(rows))
    found, _ = calibrated(tmp_path_factory.getbasetemp(), index, Predictions(index[["split", "id"]], LABELS, values))
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)
    # What came close may become equal, but nothing passes what was the most probable.
    chosen = found.probabilities[np.arange(len(rows)), values.argmax(1)]
    np.testing.assert_array_equal(chosen, found.probabilities.max(1))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), power=st.floats(0.1, 30))
def test_the_calibration_error_is_what_a_loop_finds(seed: int, count: int, power: float) -> None:
    random = np.random.default_rng(seed)
    probabilities = softmax(power * random.normal(size=(count, 3))).astype(np.float32)
    truth = random.integers(-1, 3, count)
    assert calibration_error(truth, probabilities) == pytest.approx(slow_error(truth, probabilities), abs=1e-5)
