"""Answers are made as the metric rewards, and the figure of that is reached on photos that decided nothing."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import taught
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from decide import decide
from evaluate import evaluate
from podium import tasks
from podium.predictions.stored import Predictions
from podium.predictions.yardsticks import judge
from podium.tables import read_csv, write_csv

MACRO_F1 = {"classification": {"positive": None, "unknown": None, "metric": "macro_f1"}}
LABELS = ["NA", "b,c", "d"]
SHARES = [0.8, 0.15, 0.05]


def made(seed: int, task: dict[str, Any], counts: dict[str, int], copies: int = 1) -> tuple[pd.DataFrame, Predictions]:
    """Photos of a common and two rare classes, or as many grades, and probabilities that know how common each is."""
    random = np.random.default_rng(seed)
    rows = [(split, f"{number}.jpg", f"{split}{number}") for split, count in counts.items() for number in range(count)]
    index = pd.DataFrame(rows, columns=["split", "id", "digest"])
    index["group"] = np.arange(len(index)) // copies
    truth = np.repeat(random.choice(3, -(-len(index) // copies), p=SHARES), copies)[: len(index)]
    truth[: 3 * copies] = np.repeat([0, 1, 2], copies)  # so that each was taught
    weighted = np.exp(random.normal(size=(len(index), 3)) + 1.5 * np.eye(3)[truth]) * SHARES
    found = weighted / weighted.sum(1, keepdims=True)
    if "ordinal" in task:  # the probability of each grade but the last to be exceeded
        found, labels = found[:, ::-1].cumsum(1)[:, -2::-1], ["0", "1", "2"]
    else:
        labels = LABELS
    index = index.assign(label=np.array(labels, object)[truth], file=index.id)
    return taught(index, labels), Predictions(index[["split", "id"]], found.astype(np.float32))


def decided(
    folder: Path, index: pd.DataFrame, given: Predictions, task: dict[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The content of decision.json and the table for people."""
    write_csv(folder / "index.csv", index)
    given.write(folder / "predictions.npy")
    inputs = folder / "predictions.npy", folder / "index.csv"
    decide(*inputs, folder / "decision.json", folder / "predictions.csv", task=task)
    return json.loads((folder / "decision.json").read_text()), read_csv(folder / "predictions.csv")


def scores(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    outputs = [folder / name for name in ("scores.json", "classes.csv", "mistakes.csv", "scored.jsonl")]
    inputs = folder / "predictions.npy", folder / "decision.json", [], folder / "index.csv"
    evaluate(*inputs, *outputs, task=task, seeds=[0], settings={})
    return json.loads(outputs[0].read_text())


def test_the_figure_of_decided_answers_is_that_of_photos_that_others_decided_for(tmp_path: Path) -> None:
    """By hand: each fifth of the photos answered with offsets found on the other four, and scored all together."""
    index, given = made(0, MACRO_F1, {"train": 600, "test": 300})
    said, _ = decided(tmp_path, index, given, MACRO_F1)
    task, judging = tasks.task(MACRO_F1), judge(tasks.task(MACRO_F1), index, given)
    assert judging is not None
    parts, probabilities, answers = judging.parts(5), given[judging.rows], np.empty(600, int)
    for part in range(5):
        own, others = parts == part, parts != part
        offsets = task.decision(judging.truth[others], probabilities[others])["offsets"]
        answers[own] = (np.log(probabilities[own]) + offsets).argmax(1)
    by_hand = metrics.f1_score(judging.truth, answers, average="macro")
    plain = metrics.f1_score(judging.truth, probabilities.argmax(1), average="macro")
    assert said["metric"] == "macro_f1"
    assert said["figures"] == {"plain": pytest.approx(plain), "decided": pytest.approx(by_hand)}
    assert by_hand > plain + 0.03
    assert said["decision"] == task.decision(judging.truth, probabilities)
    assert f"out of fold: macro_f1 {plain:.4f} with plain answers, {by_hand:.4f} with those that" in said["why"]
    found = scores(tmp_path, MACRO_F1)
    assert found["out_of_fold"]["macro_f1"]["value"] == pytest.approx(by_hand)
    assert found["out_of_fold"]["macro_f1"]["plain"] == pytest.approx(plain)
    # Test photos are answered as in the submission, by what all that judge decided; they gain as was promised.
    test = found["test"]["macro_f1"]
    assert test["value"] > test["plain"]
    assert test["low"] < by_hand < test["high"]


@pytest.mark.parametrize("copies", [1, 4], ids=["single photos", "bursts"])
def test_labels_of_a_part_do_not_change_how_it_is_answered(tmp_path: Path, copies: int) -> None:
    index, given = made(1, MACRO_F1, {"train": 400}, copies)
    before, _ = decided(tmp_path, index, given, MACRO_F1)
    judging = judge(tasks.task(MACRO_F1), index, given)
    assert judging is not None
    parts = judging.parts(5)
    assert (pd.Series(parts).groupby(index.group).nunique() == 1).all()
    index.loc[judging.rows[parts == 2], "label"] = LABELS[2]
    after, _ = decided(tmp_path, index, given, MACRO_F1)
    kept = [a == b for a, b in zip(*(each["parts"]["out_of_fold"] for each in (before, after)), strict=True)]
    assert kept == [False, False, True, False, False]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc", "map_at_3"])
def test_where_nothing_can_be_gained_answers_are_plain(tmp_path: Path, metric: str) -> None:
    """The likeliest class is the best answer by these; no threshold and no offset is even looked for."""
    task = {"classification": {"positive": None, "unknown": None, "metric": metric}}
    index, given = made(2, task, {"train": 200, "test": 20})
    said, table = decided(tmp_path, index, given, task)
    assert (said["decision"], said["parts"]) == ({}, {})
    assert said["figures"]["plain"] == said["figures"]["decided"]
    assert said["why"].endswith("answers are the plain ones")
    assert list(table.answer) == [LABELS[place] for place in given[:].argmax(1)]
    assert "plain" not in scores(tmp_path, task)["out_of_fold"]["accuracy"]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(3, 60))
def test_what_does_not_pay_on_other_photos_is_not_done(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    index, given = made(seed, MACRO_F1, {"train": count, "test": 5})
    said, _ = decided(tmp_path_factory.getbasetemp(), index, given, MACRO_F1)
    pays = said["figures"]["decided"] > said["figures"]["plain"]
    assert (said["decision"] != said["plain"]) == pays == bool(said["parts"])


def test_where_no_photo_judges_answers_are_plain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The labels of the test photos are there and would ask for other answers."""
    caplog.set_level(logging.INFO, "podium")
    index, given = made(3, MACRO_F1, {"train": 300, "test": 300})
    said, table = decided(tmp_path, index, given.of("test"), MACRO_F1)
    why = "answers are the plain ones: no photo judges this experiment"
    assert said == {"decision": {}, "plain": {}, "parts": {}, "metric": "macro_f1", "why": why}
    assert caplog.messages == [why]
    assert list(table.answer) == [LABELS[place] for place in given.of("test")[:].argmax(1)]


def test_a_validation_table_decides_and_out_of_fold_photos_are_answered_by_their_own_kind(tmp_path: Path) -> None:
    index, given = made(4, MACRO_F1, {"train": 300, "validation": 400, "test": 50})
    said, _ = decided(tmp_path, index, given, MACRO_F1)
    validation, task = (index.split == "validation").to_numpy(), tasks.task(MACRO_F1)
    truth = task.truth(index.label[validation], LABELS)
    assert said["decision"] == task.decision(truth, given[np.flatnonzero(validation)])
    assert set(said["parts"]) == {"out_of_fold", "validation"}
    index.loc[validation, "label"] = np.roll(index.label[validation], 1)
    again, _ = decided(tmp_path, index, given, MACRO_F1)
    assert again["decision"] != said["decision"]
    assert again["parts"].get("out_of_fold", said["parts"]["out_of_fold"]) == said["parts"]["out_of_fold"]


def test_photos_of_no_class_are_answered_so_below_a_threshold_that_they_decide(tmp_path: Path) -> None:
    """A third of the photos that judge are of no class, of which the model is unsure."""
    task = {"classification": {"positive": None, "unknown": "new", "metric": "accuracy"}}
    random, count = np.random.default_rng(5), 300
    truth = random.integers(0, 4, count)  # 3: of no class
    index = pd.DataFrame({"split": "train", "id": [f"{number}.jpg" for number in range(count)], "group": range(count)})
    index = index.assign(digest=index.id, label=np.array([*LABELS, "new"], object)[truth])
    logits = random.normal(size=(count, 3)) + 5 * np.eye(4)[truth][:, :3]
    given = Predictions(index, (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32))
    said, table = decided(tmp_path, index, given, task)
    assert 0.4 < said["decision"]["least"] < 1
    assert said["figures"]["plain"] < 0.8 < said["figures"]["decided"]
    assert list(table.answer == "new") == list(given[:].max(1) < np.float32(said["decision"]["least"]))
    assert metrics.accuracy_score(index.label, table.answer) > 0.8


def test_grades_are_cut_where_the_metric_is_best_and_stay_within_those_that_occur(tmp_path: Path) -> None:
    task = {"ordinal": {"fit": "cumulative", "metric": "macro_f1"}}
    index, given = made(6, task, {"train": 600, "test": 100})
    said, table = decided(tmp_path, index, given, task)
    assert said["plain"] == {"last": 2}
    assert said["decision"]["last"] == 2
    cuts = said["decision"]["cuts"]
    assert len(cuts) == 2
    assert said["figures"]["decided"] > said["figures"]["plain"]
    np.testing.assert_allclose(table.expected_place, given[:].sum(1), rtol=1e-6)
    places = np.searchsorted(np.array(cuts, np.float32), given[:].sum(1), side="right")
    assert list(table.answer.astype(int)) == list(places)


def test_numbers_are_shifted_to_the_median_for_the_absolute_error_and_kept_in_range(tmp_path: Path) -> None:
    """Predictions are means of skewed numbers, so that most numbers lie below them."""
    random, count = np.random.default_rng(7), 400
    truth = random.exponential(2.0, count)
    index = pd.DataFrame({"split": "train", "id": [f"{number}.jpg" for number in range(count)], "group": range(count)})
    index = index.assign(digest=index.id, label=[json.dumps([each]) for each in truth])
    given = Predictions(index, np.where(np.arange(count) == 0, -50.0, 2.0)[:, None].astype(np.float32))
    for metric, shifted in [("mae", True), ("rmse", False)]:
        task = {"regression": {"range": None, "columns": ["age"], "metric": metric}}
        said, table = decided(tmp_path, index, given, task)
        ends = [pytest.approx(truth.min()), pytest.approx(truth.max())]
        assert said["plain"] == {"range": [ends]}
        assert ("shift" in said["decision"]) == shifted
        assert table.age[0] == pytest.approx(truth.min())  # not -50
        assert table.age[1] == pytest.approx(2.0 + said["decision"].get("shift", [0.0])[0])
        if shifted:
            assert table.age[1] == pytest.approx(np.median(truth), rel=0.15)
            assert said["figures"]["decided"] < said["figures"]["plain"]


def test_people_see_the_answer_and_the_most_likely_classes_of_each_photo(tmp_path: Path) -> None:
    index, given = made(8, MACRO_F1, {"train": 300, "test": 20})
    said, shown = decided(tmp_path, index, given, MACRO_F1)
    assert list(shown.split + shown.id) == list(given.keys.split + given.keys.id)
    order = np.argsort(-given[:], axis=1)
    for place in range(3):  # of three classes all
        assert list(shown[f"label_{place + 1}"]) == [LABELS[row[place]] for row in order]
        expected = np.take_along_axis(given[:], order[:, [place]], 1)[:, 0]
        np.testing.assert_allclose(shown[f"probability_{place + 1}"], expected, rtol=1e-6)
    answers = (np.log(given[:]) + said["decision"]["offsets"]).argmax(1)
    assert list(shown.answer) == [LABELS[place] for place in answers]
    assert (shown.answer != shown.label_1).any()
