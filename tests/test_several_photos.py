"""Several photos of one id, from the archive to a checked submission with one answer each."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import SUBJECTS, TASK, joined, photo, snakemake, table, write_zip
from hypothesis import given
from hypothesis import strategies as st

from podium.networks import head
from podium.predictions.stored import Predictions, mean, write
from podium.predictions.yardsticks import yardsticks
from podium.tables import read_csv
from train import _taught

TABLES = {
    "train": {"path": "train.csv", "image": "train/{file}", "id": "id", "label": "label"},
    "test": {"path": "sample.csv", "image": "test*/{id}_*.jpg", "id": "id"},
}


def archive() -> tuple[dict[str, bytes], dict[str, str]]:
    """Two photos of each of 32 ids to train on, and one to three of 12 test ids in two folders; each test id's label.

    The second photo of the last test id but one is broken, and all of the last id's are.
    """
    members, rows, truth = dict[str, bytes](), list[list[str]](), dict[str, str]()
    for number in range(64):
        name = SUBJECTS[number % 4]
        members[f"train/{number}.jpg"] = photo(name, number, 64)
        rows.append([f"t{number % 32}", f"{number}.jpg", name])
    for number in range(12):
        truth[f"x{number}"] = name = SUBJECTS[number % 4]
        for place in range(2 if number > 9 else 1 + number % 3):
            broken = number == 11 or (number == 10 and place == 1)
            file = f"test{number % 2}/x{number}_{place}.jpg"
            members[file] = b"" if broken else photo(name, 500 + 10 * number + place, 64)
    members["train.csv"] = table(["id", "file", "label"], rows)
    members["sample.csv"] = table(["id", "label"], [[key, "coffee"] for key in reversed(truth)])
    return members, truth


def averaged(project: Path, folder: Path, photos: pd.DataFrame, split: str, rows: np.ndarray) -> pd.DataFrame:
    """What one fit says of each id of these photos of a split: the mean over its photos, each predicted alone."""
    parts = [project / f"data/visits/64px/efficientnet_lite0/plain/{split}-0.npy"]
    found = joined(head.predict(folder / "fitted.keras", parts, rows, ["plain"]))
    return pd.DataFrame(found, index=photos[photos.split == split].id.iloc[rows]).groupby(level=0, sort=False).mean()


def test_an_id_with_several_photos_has_one_answer_the_mean_of_theirs(finished: tuple[Path, str]) -> None:
    project, _ = finished
    members, truth = archive()
    write_zip(project / "visits.zip", members)
    facts = {"tables": TABLES, "submission": {"sample": "sample.csv"}, "run": ["linear"]}
    facts["defaults"] = {"predict": {"views": ["plain"]}, "train": {"head": {"views": ["plain"]}}}
    (project / "config/competitions/visits.yaml").write_text(yaml.safe_dump(facts))
    said = snakemake(project, "--config", "competition=visits", "archive=visits.zip")
    assert re.search(r"38 ids have several photos, 79 in all: their predictions are averaged", said)

    assert (
        "WARNING: 1 test photos cannot be read and are left out: see quarantine.csv; the first is test0/x10_1" in said
    )
    assert "quarantine.csv   WARNING: 1 test photos cannot be read and got the training photos' label freq" in said

    photos, results = read_csv(project / "data/visits/index.csv"), project / "results/visits/linear"
    assert list(photos.id[:4]) == ["t0", "t0", "t1", "t1"]
    assert (photos.groupby(["split", "id"]).group.nunique() == 1).all()
    dealt = read_csv(project / "data/visits/folds2.csv")
    assert (dealt.groupby("id").fold.nunique() == 1).all()
    for fold in range(2):
        fit = results / f"seed0-fold{fold}"
        found = Predictions.read(fit / "predictions.npy")
        left_out = np.flatnonzero(dealt.fold == fold)
        tests = np.arange((photos.split == "test").sum())
        for split, rows in (("train", left_out), ("test", tests)):
            by_hand = averaged(project, fit, photos, split, rows)
            assert list(found.of(split).keys.id) == list(by_hand.index)
            np.testing.assert_allclose(found.of(split)[:], by_hand, atol=1e-5)

    handed_in = pd.read_csv(results / "submission.csv")
    assert list(handed_in.id) == list(reversed(truth))
    right = [truth[key] == label for key, label in zip(handed_in.id, handed_in.label, strict=True)]
    assert np.mean(right[1:]) > 0.8  # without the id that has no photo that can be read
    table_ = pd.read_csv(results / "predictions.csv")
    assert sorted(table_.id) == sorted([*(f"t{number}" for number in range(32)), *truth])
    scores = json.loads((results / "scores.json").read_text())["out_of_fold"]
    assert scores["photos"] == 32
    known = dict(zip(photos.id, photos.label, strict=True))
    answers = table_[table_.split == "train"]
    assert scores["accuracy"]["value"] == np.mean(answers.id.map(known) == answers.label_1)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 5))
def test_what_is_written_is_the_mean_of_each_id_however_blocks_cut_it(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], size: int
) -> None:
    path, ids = tmp_path_factory.getbasetemp() / "several.npy", np.repeat(np.arange(len(counts)), counts)
    values = np.random.default_rng(0).random((len(ids), 3), np.float32)
    keys = pd.DataFrame({"split": "test", "id": ids.astype(str)})
    write(path, keys, 3, (values[start : start + size] for start in range(0, len(ids), size)))
    found = Predictions.read(path)
    assert list(found.keys.id) == [str(number) for number in range(len(counts))]
    np.testing.assert_allclose(found[:], [values[ids == number].mean(0) for number in range(len(counts))], rtol=1e-6)


INDEX = pd.DataFrame(
    {
        "split": ["train", "train", "train", "validation", "validation", "validation", "test", "test", "test"],
        "id": ["a", "a", "b", "c", "c", "d", "a", "e", "e"],
        "label": ["cat", "cat", "dog", "cat", "cat", "dog", "", "", ""],
        "digest": ["1", "2", "3", "4", "2", "5", "6", "7", "8"],
        "group": [0, 0, 1, 0, 0, 2, 3, 4, 4],
    }
)
ANSWERED = INDEX.drop_duplicates(["split", "id"])


def test_an_id_judges_once_and_not_at_all_if_one_of_its_photos_is_a_copy() -> None:
    predictions = Predictions(ANSWERED, np.full((len(ANSWERED), 2), 0.5, np.float32))
    out_of_fold, validation = yardsticks(TASK, INDEX, predictions)
    assert (list(out_of_fold.photos.id), list(validation.photos.id)) == (["a", "b"], ["d"])
    assert (out_of_fold.rows.tolist(), validation.rows.tolist()) == ([0, 1], [3])
    assert mean([predictions, predictions], INDEX).keys.equals(predictions.keys)


def test_teachers_label_each_photo_of_an_id(tmp_path: Path) -> None:
    values = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    Predictions(ANSWERED[ANSWERED.split == "test"], values).write(tmp_path / "teacher.npy")
    rows, labels = _taught(TASK, [tmp_path / "teacher.npy"], INDEX, 1.0)
    assert rows.tolist() == [6, 7, 8]
    np.testing.assert_allclose(labels[np.arange(3)], values[[0, 1, 1]], rtol=1e-6)
