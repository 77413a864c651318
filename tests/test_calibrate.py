"""Temperatures against one that is known, because the probabilities were made too sure by it."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, TASK, kept, taught
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from calibrate import calibrate
from podium.predictions.stored import Predictions, mean
from podium.predictions.yardsticks import judge
from podium.tables import write_csv
from podium.tasks.measures import charged

LABELS = ["NA", "a,b", "c", "d"]


def calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    return TASK.calibration_error(TASK.evidence(truth, probabilities, {}))


def log_losses(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return charged(TASK.given(truth, probabilities))


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
    return index, Predictions(index[["split", "id"]], sure.astype(np.float32))


def calibrated(
    folder: Path,
    index: pd.DataFrame,
    given: Predictions,
    fits: tuple[Predictions, ...] = (),
    one_view: tuple[Predictions, ...] = (),
    seeds: int = 1,
) -> tuple[Predictions, dict[str, Any]]:
    """Without fits as of an ensemble; they come seed by seed."""
    write_csv(folder / "index.csv", taught(index, LABELS))
    given.write(folder / "pooled.npy")
    paths: dict[str, list[Path]] = {"predictions": [], "one_view": []}
    for (name, files), tables in zip(paths.items(), (fits, one_view), strict=True):
        for number, table in enumerate(tables):
            files.append(folder / f"fit{number}/{name}.npy")
            files[-1].parent.mkdir(exist_ok=True)
            table.write(files[-1])
    outputs = folder / "predictions.npy", folder / "calibration.json"
    settings = {"task": CLASSIFICATION, "seeds": list(range(seeds)), "views": ["plain", "flip"]}
    calibrate(folder / "pooled.npy", *paths.values(), folder / "index.csv", *outputs, **settings)
    return kept(Predictions.read(outputs[0])), json.loads(outputs[1].read_text())


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
        own = table[rows]
        assert said["log_loss"][when] == pytest.approx(log_loss(truth[rows], own, labels=range(4)), rel=1e-5)
        assert said["calibration_error"][when] == pytest.approx(slow_error(truth[rows], own), abs=1e-6)
    if temperature != 1:
        for split in ("train", "test"):
            rows = (index.split == split).to_numpy()
            before, after = (calibration_error(truth[rows], each[rows]) for each in (given, found))
            assert after < before / 2
    assert said["calibration_error"]["after"] < 0.03


def test_other_rows_are_powers_of_what_they_were_and_no_first_choice_changes(tmp_path: Path) -> None:
    index, given = made(1, {"validation": 400, "test": 400}, validation=3, test=3)
    found, said = calibrated(tmp_path, index, given)
    powers = given[400:].astype(float) ** (1 / said["temperature"])
    by_hand = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(found[400:], by_hand, atol=1e-6)
    np.testing.assert_array_equal(found[:].argmax(1), given[:].argmax(1))
    assert found.keys.equals(given.keys)


def test_the_yardstick_alone_decides(tmp_path: Path) -> None:
    """Out-of-fold rows of another temperature, and any labels of the test photos, change nothing."""
    index, given = made(2, {"train": 900, "validation": 900, "test": 300}, train=0.4, validation=2, test=5)
    found, said = calibrated(tmp_path, index, given)
    assert said["yardstick"] == "validation"
    assert said["temperature"] == pytest.approx(2, rel=0.15)
    index.loc[index.split == "test", "label"] = ""
    unknown, said_again = calibrated(tmp_path, index, given)
    assert said_again == said
    np.testing.assert_array_equal(unknown[:], found[:])
    # A label that no training photo has tells nothing of how sure to be.
    index.loc[index.index[-301], "label"] = "unheard of"
    assert calibrated(tmp_path, index, given)[1]["photos"] == 899


def test_labels_of_a_part_of_the_yardstick_do_not_change_its_own_rows(tmp_path: Path) -> None:
    index, given = made(3, {"train": 300, "test": 10}, train=2, test=2)
    before, _ = calibrated(tmp_path, index, given)
    yardstick = judge(TASK, index, given)
    part = yardstick.rows[yardstick.parts(5) == 1]
    index.loc[part, "label"] = np.array(LABELS)[given[part].argmin(1)]
    after, _ = calibrated(tmp_path, index, given)
    np.testing.assert_array_equal(after[part], before[part])
    others = np.setdiff1d(np.arange(len(index)), part)
    assert (after[others] != before[others]).any(1).all()


def test_where_no_photo_judges_all_stays_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The labels of the test photos are there and would ask for another temperature."""
    caplog.set_level(logging.INFO, "podium")
    index, given = made(4, {"train": 300, "test": 300}, train=3, test=3)
    given = given.of("test")
    found, said = calibrated(tmp_path, index, given)
    why = "left as they are: no photo judges this experiment"
    scales = dict.fromkeys(("temperature", "test_temperature", "fit_temperature", "model_temperature"), 1.0)
    assert said == {"yardstick": None, "photos": 0, "why": why, **scales, "fits": [], "views": ["plain", "flip"]}
    assert (tmp_path / "predictions.npy").read_bytes() == (tmp_path / "pooled.npy").read_bytes()
    np.testing.assert_array_equal(found[:], given[:])
    assert caplog.messages == [why]


def folds(seed: int, count: int, sure: float, noise: float = 1.5) -> tuple[pd.DataFrame, list[Predictions]]:
    """An index, and what five folds' fits predict, each `sure` times as sure as it may be, with errors of its own.

    Only what a fit sees of a photo, its fair logits and an error, says how likely each label is.
    """
    random = np.random.default_rng(seed)
    rows = [(split, f"{number}.jpg", f"{split}{number}") for split in ("train", "test") for number in range(count)]
    index = pd.DataFrame(rows, columns=["split", "id", "digest"]).assign(group=range(len(rows)))
    truth = random.integers(0, 4, 2 * count)
    index["label"] = np.array(LABELS)[truth]
    # Evidence of strength e: logits e * one-hot + sqrt(e) * noise are the exact log posterior of a uniform prior.
    shared = 1.0 * np.eye(4)[truth] + random.normal(size=(2 * count, 4))
    tables, keys = [], index[["split", "id"]]
    for fold in range(5):
        own = noise * np.eye(4)[truth] + np.sqrt(noise) * random.normal(size=(2 * count, 4))
        seen = ((index.split == "test") | (index.index % 5 == fold)).to_numpy()
        probabilities = softmax(sure * (shared + own))[seen].astype(np.float32)
        tables.append(Predictions(keys[seen].reset_index(drop=True), probabilities))
    return index, tables


@pytest.mark.parametrize("sure", [0.6, 1.0, 2.5])
def test_a_mean_of_folds_gets_its_own_temperature_not_that_of_one_fold(tmp_path: Path, sure: float) -> None:
    """A mean is right more often and less sure: on labelled test photos the folds' own temperature is too careful."""
    index, tables = folds(5, 2000, sure)
    given = mean(tables, index)
    found, said = calibrated(tmp_path, index, given, tuple(tables))
    assert said["temperature"] == pytest.approx(sure, rel=0.07)
    assert said["test_temperature"] < 0.9 * said["temperature"]
    assert said["fit_temperature"] == pytest.approx(said["temperature"], rel=1e-3)  # of one seed they are the same
    rows = (index.split == "test").to_numpy()
    truth, own = index.label[rows].map(LABELS.index).to_numpy(), given[rows]
    np.testing.assert_allclose(found[rows], TASK.link.tempered(own, said["test_temperature"]), atol=1e-6)
    np.testing.assert_array_equal(found[:].argmax(1), given[:].argmax(1))
    for measure in (calibration_error, lambda *given: log_losses(*given).mean()):
        assert measure(truth, found[rows]) < measure(truth, TASK.link.tempered(own, said["temperature"]))


def test_a_held_out_fold_s_temperature_goes_to_the_fits_of_all_photos_as_it_is(tmp_path: Path) -> None:
    index, given = made(6, {"train": 400, "test": 100}, train=2, test=2)
    held, rest = given.of("train"), given.of("test")
    index.loc[:99, "label"] = LABELS[0]
    some = pd.concat([held.keys[100:], rest.keys], ignore_index=True)
    found, said = calibrated(tmp_path, index, given.at(some), (rest, held.at(held.keys[100:].reset_index(drop=True))))
    assert said["yardstick"] == "held_out"
    assert said["test_temperature"] == said["temperature"] == pytest.approx(2, rel=0.25)
    assert said["fits"] == ["fit0"]
    np.testing.assert_allclose(found.of("test")[:], TASK.link.tempered(rest[:], said["temperature"]), 1e-6)


def test_where_a_validation_table_judges_out_of_fold_rows_get_a_temperature_of_their_own_kind(tmp_path: Path) -> None:
    index, given = made(7, {"train": 1000, "validation": 1000, "test": 300}, train=3, validation=1.7, test=1.7)
    found, said = calibrated(tmp_path, index, given)
    assert said["test_temperature"] == said["temperature"] == pytest.approx(1.7, rel=0.1)
    train = (index.split == "train").to_numpy()
    truth = index.label[train].map(LABELS.index).to_numpy()
    as_the_others = TASK.link.tempered(given[train], said["temperature"])
    assert calibration_error(truth, found[train]) < calibration_error(truth, as_the_others) / 1.5
    assert log_losses(truth, found[train]).mean() < log_losses(truth, as_the_others).mean() - 0.02


@pytest.mark.parametrize("judge", ["train", "validation"])
def test_one_fit_and_one_view_of_it_have_temperatures_of_their_own(tmp_path: Path, judge: str) -> None:
    """Two seeds, whose mean is less sure than each; from one view alone a fit is surer still."""
    index, given = made(8, {judge: 1500, "test": 50}, **{judge: 1.3, "test": 1.3})
    _, alone = made(8, {judge: 1500, "test": 50}, **{judge: 2.0, "test": 2.0})
    _, one_view = made(8, {judge: 1500, "test": 50}, **{judge: 3.0, "test": 3.0})
    _, said = calibrated(tmp_path, index, given, (alone, alone), (one_view.of(judge), one_view.of(judge)), seeds=2)
    found = [said[f"{name}temperature"] for name in ("", "fit_", "model_")]
    assert found == pytest.approx([1.3, 2.0, 3.0], rel=0.1)


def test_rows_of_photos_that_could_not_be_read_stay_as_they_are(tmp_path: Path) -> None:
    index, given = made(9, {"train": 300, "test": 20}, train=2, test=2)
    found, _ = calibrated(tmp_path, index[:310], given)
    np.testing.assert_array_equal(found[310:], given[310:])
    assert (found[300:310] != given[300:310]).all()


@pytest.mark.parametrize(
    ("temperature", "said"),
    [
        (
            2.0,
            r"^probabilities were too sure: divided the logits by 2\.\d{3}; out of fold, log loss 1\.\d{4} -> 0\.\d{4}",
        ),
        (
            0.5,
            r"^probabilities were not sure enough: divided the logits by 0\.\d{3}; out of fold.* \(lower is better\)$",
        ),
        (1.0, r"^left as they are: no temperature lowers the log loss on photos that it was not fitted on \(out of f"),
    ],
)
def test_the_log_and_the_file_say_in_words_what_was_done_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, temperature: float, said: str
) -> None:
    caplog.set_level(logging.INFO, "podium")
    index, given = made(0, {"train": 1500, "test": 5}, train=temperature, test=temperature)
    _, found = calibrated(tmp_path, index, given)
    assert caplog.messages == [found["why"]]
    assert re.search(said, found["why"])


def test_a_calibration_error_that_rises_is_owned_to(tmp_path: Path) -> None:
    """The likeliest class is as likely as it says, the order of the others is not: log loss asks to be less sure."""
    count = 2000
    sure = np.tile(np.array([0.7, 0.298, 0.001, 0.001], np.float32), (count, 1))
    right = np.repeat([0, 1, 2, 3], [count * 7 // 10 - 1, 1, count * 3 // 20, count * 3 // 20])
    ids = [str(number) for number in range(count)]
    index = pd.DataFrame({"id": ids, "split": "train", "label": np.array(LABELS)[right], "digest": ids}).assign(
        group=range(len(ids))
    )
    found, said = calibrated(tmp_path, index, Predictions(index[["split", "id"]], sure))
    assert said["log_loss"]["after"] < said["log_loss"]["before"]
    assert said["calibration_error"]["after"] > said["calibration_error"]["before"] == pytest.approx(0, abs=1e-3)
    assert said["calibration_error"]["after"] == pytest.approx(calibration_error(right, found[:]), abs=1e-9)
    assert "; kept although the calibration error rose: the temperature is chosen by log loss" in said["why"]


ROW = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4).filter(lambda row: sum(row) > 0.01)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(ROW, st.sampled_from(LABELS)), min_size=2, max_size=8))
def test_any_rows_stay_probabilities_with_the_same_first_choice(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[float], str]]
) -> None:
    values = np.array([row for row, _ in rows])
    values = (values / values.sum(1, keepdims=True)).astype(np.float32)
    ids = [str(number) for number in range(len(rows))]
    index = pd.DataFrame({"id": ids, "split": "validation", "label": [label for _, label in rows], "digest": ids})
    index["group"] = range(len(rows))
    found, _ = calibrated(tmp_path_factory.getbasetemp(), index, Predictions(index[["split", "id"]], values))
    np.testing.assert_allclose(found[:].sum(1), 1, atol=1e-5)
    # What came close may become equal, but nothing passes what was the most probable.
    chosen = found[:][np.arange(len(rows)), values.argmax(1)]
    np.testing.assert_array_equal(chosen, found[:].max(1))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 60), power=st.floats(0.1, 30))
def test_the_calibration_error_is_what_a_loop_finds(seed: int, count: int, power: float) -> None:
    random = np.random.default_rng(seed)
    probabilities = softmax(power * random.normal(size=(count, 3))).astype(np.float32)
    truth = random.integers(-1, 3, count)
    assert calibration_error(truth, probabilities) == pytest.approx(slow_error(truth, probabilities), abs=1e-5)
