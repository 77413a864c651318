import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, taught
from sklearn import metrics

from evaluate import evaluate
from podium.predictions import history
from podium.predictions.stored import Predictions
from podium.tables import read_csv, write_csv

LABELS = ["NA", "b,c", "d"]
OUTPUTS = ("scores.json", "classes.csv", "mistakes.csv", "scored.jsonl")
COUNTS = {"train": 60, "validation": 30, "test": 20}
PLAIN: dict[str, Any] = {"decision": {}, "plain": {}, "parts": {}}


def scored(folder: Path) -> list[Path]:
    """The step's outputs from the folder's index and predictions."""
    paths = [folder / name for name in ("index.csv", *OUTPUTS)]
    evaluate(
        folder / "predictions.npy",
        folder / "decision.json",
        [],
        *paths,
        task=CLASSIFICATION,
        seeds=[0],
        settings={},
    )
    return paths[1:]


def evaluated(
    folder: Path, right: dict[str, float], unread: int = 0, **labels: list[str]
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores, classes and mistakes of predictions that are right so often in each split, and those predictions."""
    random, rows, probabilities = np.random.default_rng(0), [], []
    for split, share in right.items():
        own = labels.get(split) or [LABELS[number % 3] for number in range(COUNTS[split])]
        for number, label in enumerate(own):
            truth = LABELS.index(label) if label in LABELS else 0
            winner = truth if number < share * len(own) else (truth + 1) % 3
            probabilities.append(random.dirichlet(np.ones(3)) * 0.4 + 0.6 * np.eye(3)[winner])
            rows.append([f"{number:03}", f"{split}/{number}.jpg", label, split, f"{split}{number}"])
    index = pd.DataFrame(rows, columns=["id", "file", "label", "split", "digest"]).assign(group=range(len(rows)))
    write_csv(folder / "index.csv", taught(index.assign(file=index.file), LABELS))
    keys = pd.concat(
        [index, pd.DataFrame({"split": "test", "id": [f"q{n}" for n in range(unread)]})], ignore_index=True
    )
    values = np.array([*probabilities, *[[0.3, 0.3, 0.4]] * unread], np.float32)
    Predictions(keys[["split", "id"]], values).write(folder / "predictions.npy")
    (folder / "decision.json").write_text(json.dumps(PLAIN))
    paths = scored(folder)
    guesses = index.assign(predicted=np.array(LABELS)[values.argmax(1)[: len(index)]], best=values.max(1)[: len(index)])
    return json.loads(paths[0].read_text()), read_csv(paths[1]), read_csv(paths[2]), guesses


def test_each_yardstick_gets_scikit_learn_s_figures(tmp_path: Path) -> None:
    scores, _, _, guesses = evaluated(tmp_path, {"train": 0.8, "validation": 0.7, "test": 0.6})
    assert list(scores) == ["out_of_fold", "validation", "test"]
    for (_, own), found in zip(guesses.groupby("split", sort=False), scores.values(), strict=True):
        assert found["photos"] == len(own)
        assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(own.label, own.predicted))
        expected = metrics.f1_score(own.label, own.predicted, average="macro")
        assert found["macro_f1"]["value"] == pytest.approx(expected)


def test_photos_without_a_label_are_not_scored_and_quarantined_ones_shift_nothing(tmp_path: Path) -> None:
    usual, *_ = evaluated(tmp_path, {"train": 0.8, "test": 0.6})
    held, *_ = evaluated(tmp_path, {"train": 0.8, "test": 0.6}, unread=3)
    assert held == usual
    blind, _, mistakes, _ = evaluated(tmp_path, {"train": 0.8, "test": 0.6}, test=[""] * 20)
    assert blind == {"out_of_fold": usual["out_of_fold"]}
    assert set(mistakes.yardstick) == {"out_of_fold"}


def test_each_class_gets_its_figures(tmp_path: Path) -> None:
    _, found, _, guesses = evaluated(tmp_path, {"train": 0.8, "validation": 0.7})
    assert list(found.yardstick) == ["out_of_fold"] * 3 + ["validation"] * 3
    for (_, own), (_, rows) in zip(guesses.groupby("split"), found.groupby("yardstick"), strict=True):
        expected = metrics.precision_recall_fscore_support(own.label, own.predicted, labels=LABELS)
        assert list(rows.label) == LABELS
        assert np.allclose(rows[["precision", "recall", "f1", "photos"]].to_numpy(float).T, expected)


def test_the_mistakes_are_listed_the_surest_first(tmp_path: Path) -> None:
    _, _, found, guesses = evaluated(tmp_path, {"train": 0.8, "validation": 0.7})
    wrong = guesses[guesses.label != guesses.predicted].sort_values(["split", "best"], ascending=[True, False])
    columns = ["id", "file", "label", "predicted"]
    assert found[columns].values.tolist() == wrong[columns].values.tolist()
    assert found.probability.to_numpy() == pytest.approx(wrong.best.to_numpy())


def test_predictions_without_a_mistake_give_an_empty_list(tmp_path: Path) -> None:
    scores, _, mistakes, _ = evaluated(tmp_path, {"train": 1, "validation": 1})
    low = scores["validation"]["accuracy"].pop("low")
    assert scores["validation"]["accuracy"] == {"value": 1, "high": 1}
    assert 0.8 < low < 1  # so few photos are not proof of a model without mistakes
    assert mistakes.empty


def test_a_validation_label_without_training_photos_counts_as_wrong(tmp_path: Path) -> None:
    labels = ["d"] * 8 + ["unheard of"] * 2
    scores, _, mistakes, _ = evaluated(tmp_path, {"train": 0.8, "validation": 1}, validation=labels)
    assert scores["validation"]["accuracy"]["value"] == pytest.approx(0.8)
    assert list(mistakes.label[mistakes.yardstick == "validation"]) == ["unheard of"] * 2


@pytest.mark.parametrize("right, warned", [(0.2, True), (0.9, False)])
def test_photos_from_elsewhere_that_are_harder_than_the_folds_give_a_warning(
    tmp_path: Path, right: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    evaluated(tmp_path, {"train": 0.9, "validation": right})
    assert ("the validation photos are harder than the folds promise" in caplog.text) == warned
    assert "out of fold: accuracy 0.900 (0." in caplog.text


def test_copies_of_training_photos_do_not_count_on_another_yardstick(tmp_path: Path) -> None:
    evaluated(tmp_path, {"train": 1.0, "validation": 0.5})
    index = read_csv(tmp_path / "index.csv")
    validation = index.split == "validation"
    index.loc[validation & (index.id >= "015"), "digest"] = "train0"
    write_csv(tmp_path / "index.csv", index)
    scored(tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["validation"]["photos"] == 15
    assert scores["validation"]["accuracy"]["value"] == 1  # the wrong half were the copies
    assert scores["out_of_fold"]["photos"] == 60


def test_intervals_of_a_few_groups_are_wider_and_give_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Four patients, one of whom the model is wrong about: sixty photos say little more than four."""
    alone, *_ = evaluated(tmp_path, {"train": 0.75, "validation": 0.7})
    assert "groups" not in caplog.text
    index = read_csv(tmp_path / "index.csv")
    index["group"] = np.where(index.split == "train", index.id.astype(int) // 15, index.group)
    write_csv(tmp_path / "index.csv", index)
    scored(tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["validation"] == alone["validation"]
    assert scores["out_of_fold"]["accuracy"] == {"value": 0.75, "low": 0.25, "high": 1.0}
    assert alone["out_of_fold"]["accuracy"]["low"] > 0.6
    said = "WARNING: out of fold: 60 photos of 4 groups: with so few groups the intervals are too narrow"
    assert [message for message in caplog.messages if "groups" in message] == [said]


def test_a_held_out_fold_of_the_training_photos_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Predictions of 20 of the 60 training photos: figures on these alone, and the warning against them too."""
    whole, *_ = evaluated(tmp_path, {"train": 0.9, "validation": 0.2})
    found = Predictions.read(tmp_path / "predictions.npy")
    rows = np.r_[np.arange(40, 60), np.arange(60, 90)]
    Predictions(found.keys.iloc[rows].reset_index(drop=True), found[rows]).write(tmp_path / "predictions.npy")
    paths = [tmp_path / name for name in ("index.csv", *OUTPUTS)]
    evaluate(
        tmp_path / "predictions.npy",
        tmp_path / "decision.json",
        [],
        *paths,
        task=CLASSIFICATION,
        seeds=[],
        settings={},
    )
    scores = json.loads(paths[1].read_text())
    assert list(scores) == ["held_out", "validation"]
    assert scores["held_out"]["photos"] == 20
    assert scores["held_out"]["accuracy"]["value"] == pytest.approx(14 / 20)  # the last six of 60 are wrong
    assert scores["validation"] == whole["validation"]


def test_without_a_photo_to_judge_by_there_are_headers_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "podium")
    _, classes, mistakes, _ = evaluated(tmp_path, {"test": 0.6})
    assert caplog.messages == []
    scores, *blind, _ = evaluated(tmp_path, {"test": 0.6}, test=[""] * 20)
    assert scores == {}
    for found, usual in zip(blind, (classes, mistakes), strict=True):
        assert list(found.columns) == list(usual.columns)
        assert found.empty
        assert len(usual) > 0
    said = "WARNING: no labelled photo was left out of training, so the submission's score is not estimated"
    assert caplog.messages == [said]


def test_the_test_photos_are_promised_what_as_few_of_them_may_give(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 60 photos that judge and 20 of the test, the error is twice that of the 60, and accuracy is at most 1."""
    caplog.set_level(logging.INFO, "podium")
    scores, *_ = evaluated(tmp_path, {"train": 0.9, "test": 0.6})
    found = scores["out_of_fold"]["accuracy"]
    below, above = (found["value"] - found[f"{ends}low"] for ends in ("", "test_")), found["test_high"]
    assert np.divide(*below) == pytest.approx(0.5)
    assert above == 1 < found["value"] + 2 * (found["high"] - found["value"])
    assert f"to be expected of the 20 test photos: accuracy from {found['test_low']:.3f} to 1.000" in caplog.text
    assert "test_low" not in scores["test"]["accuracy"]
    assert "test_low" not in scores["out_of_fold"]["macro_f1"]


def test_several_seeds_are_scored_one_by_one_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each seed's folds side by side give its own figures: their mean and deviation stand beside the pooled ones."""
    caplog.set_level(logging.INFO, "podium")
    _, _, _, guesses = evaluated(tmp_path, {"train": 0.8, "validation": 0.7})
    random, fits, alone = np.random.default_rng(1), [], {"train": [], "validation": []}
    keys, truth = guesses[["split", "id"]], guesses.label.map(LABELS.index).to_numpy()
    fold = np.where(guesses.split == "train", np.arange(len(guesses)) % 2, -1)
    for _ in range(3):
        both = random.dirichlet(np.ones(3), (2, len(guesses))).astype(np.float32)
        for number, values in enumerate(both):
            own = (fold == number) | (fold < 0)
            fits.append(tmp_path / f"fit{len(fits)}.npy")
            Predictions(keys[own].reset_index(drop=True), values[own]).write(fits[-1])
        mean = np.where((fold == 0)[:, None], both[0], np.where((fold == 1)[:, None], both[1], both.mean(0)))
        for split, reached in alone.items():
            rows = (guesses.split == split).to_numpy()
            loss = metrics.log_loss(truth[rows], mean[rows], labels=range(3))
            right = metrics.accuracy_score(truth[rows], mean[rows].argmax(1))
            reached.append((right, metrics.f1_score(truth[rows], mean[rows].argmax(1), average="macro"), loss))
    paths = [tmp_path / name for name in ("index.csv", *OUTPUTS)]
    evaluate(
        tmp_path / "predictions.npy",
        tmp_path / "decision.json",
        fits,
        *paths,
        task=CLASSIFICATION,
        seeds=[0, 7, 9],
        settings={},
    )
    scores = json.loads(paths[1].read_text())
    for yardstick, split in [("out_of_fold", "train"), ("validation", "validation")]:
        for metric, values in zip(("accuracy", "macro_f1", "log_loss"), np.transpose(alone[split]), strict=True):
            assert scores[yardstick][metric]["seeds_mean"] == pytest.approx(values.mean(), rel=1e-5)
            assert scores[yardstick][metric]["seeds_std"] == pytest.approx(values.std(ddof=1), rel=1e-4)
    assert scores["out_of_fold"]["accuracy"]["value"] == pytest.approx(0.8)  # the pooled predictions stay what counts
    reached = scores["validation"]["accuracy"]
    assert f", seeds {reached['seeds_mean']:.3f} ± {reached['seeds_std']:.3f})" in caplog.text


def test_what_was_scored_with_other_settings_or_photos_is_kept_and_the_same_is_kept_once(tmp_path: Path) -> None:
    evaluated(tmp_path, {"train": 0.8})
    (tmp_path / "scored.jsonl").unlink()
    paths = [tmp_path / name for name in ("index.csv", *OUTPUTS)]

    def scored(epochs: int) -> list[tuple[int, dict[str, Any]]]:
        settings = {"train": {"cnn": {"epochs": epochs}}}
        evaluate(
            tmp_path / "predictions.npy",
            tmp_path / "decision.json",
            [],
            *paths,
            task=CLASSIFICATION,
            seeds=[0],
            settings=settings,
        )
        return [(each.settings["train"]["cnn"]["epochs"], each.figures) for each in history.read(paths[-1])]

    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scored(12) == scored(12) == [(12, scores)]
    assert scored(6) == [(12, scores), (6, scores)]
    assert scored(12) == [(6, scores), (12, scores)]  # the last line is what the other files say
    index = read_csv(paths[0])
    write_csv(paths[0], index.assign(part="train-1"))
    assert [epochs for epochs, _ in scored(12)] == [6, 12]
    write_csv(paths[0], index.assign(digest="other"))
    assert [epochs for epochs, _ in scored(12)] == [6, 12, 12]
