"""Spoilt photos are scored as the same photos are that were stored spoilt."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, SUBJECTS, TASK, UNVARIED, dataset, joined, photo

from podium.models.writing import save
from podium.networks import cnn
from podium.photos import corruptions, images, pixels
from podium.step import BadInput
from podium.tables import read_csv, write_csv
from robustness import robustness

SIZE = 24
LABELS = sorted(SUBJECTS)
CNN = {"size": SIZE, "precision": "float32", "epochs": 25, "batch": 8, "learning_rate": 0.01, "weight_decay": 0.01}
CNN |= {"fit": "crop", "label_smoothing": 0.0, "dropout": 0.0, "patience": 0, "width": 8, "augment": UNVARIED}
CORRUPTIONS = {"noise": [0.05, 3.0], "blur": [], "brightness": [1.0]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small networks, each fitted on one of two folds of 24 photos of four subjects; eight and eight judge."""
    folder = tmp_path_factory.mktemp("robustness")
    decoded = [images.decode(photo(name, number), SIZE) for number in range(10) for name in LABELS]
    pixels.write(folder / "train-0.npy", (24, SIZE, SIZE, 3), decoded[:24])
    pixels.write(folder / "validation-0.npy", (8, SIZE, SIZE, 3), decoded[24:32])
    pixels.write(folder / "test-0.npy", (8, SIZE, SIZE, 3), decoded[32:])
    rows, folds = np.arange(24), np.arange(24) // 4 % 2
    for fold in range(2):
        fitted = rows[folds != fold]
        data = dataset([folder / "train-0.npy"], fitted, np.eye(4, dtype=np.float32)[fitted % 4], fitted)
        model, _ = cnn.fit(data, seed=0, resume=folder / str(fold), **CNN)
        save(model, TASK, LABELS, [], folder / f"{fold}.keras")
    index = pd.DataFrame({"split": ["train"] * 24 + ["validation"] * 8 + ["test"] * 8, "label": LABELS * 10})
    index["id"] = index["digest"] = [f"{number}.jpg" for number in range(40)]
    index["group"] = range(40)
    write_csv(folder / "index.csv", index)
    write_csv(folder / "folds.csv", pd.DataFrame({"fold": folds}))
    return folder


def scored(
    folder: Path,
    split: str,
    index: str = "index.csv",
    temperature: float = 1.0,
    offsets: Sequence[float] = (),
) -> pd.DataFrame:
    (folder / "calibration.json").write_text(json.dumps({"temperature": temperature}))
    (folder / "decision.json").write_text(json.dumps({"decision": {"offsets": offsets} if offsets else {}}))
    robustness(
        [folder / "0.keras", folder / "1.keras"],
        [folder / f"{split}-0.npy"],
        folder / index,
        folder / "folds.csv",
        [],
        folder / "calibration.json",
        folder / "decision.json",
        folder / "robustness.csv",
        task=CLASSIFICATION,
        split=split,
        left_out=[0, 1],
        views=["plain"],
        corruptions=CORRUPTIONS,
        saved_model=None,
    )
    return pd.read_csv(folder / "robustness.csv").set_index(["corruption", "level"])


def by_hand(folder: Path, part: Path, out_of_fold: bool) -> float:
    """The accuracy of the two networks on these pixels."""
    folds = pd.read_csv(folder / "folds.csv").fold.to_numpy()
    rows = np.arange(len(pixels.Pixels([part])))
    each = [joined(cnn.predict(folder / f"{fold}.keras", [part], rows, ["plain"])) for fold in range(2)]
    found = np.where(folds[:, None] == 0, *each) if out_of_fold else np.mean(each, axis=0)
    return float((found.argmax(1) == rows % 4).mean())


@pytest.mark.parametrize("split", ["validation", "train", "test"])
def test_every_level_is_what_photos_stored_spoilt_would_score(folder: Path, split: str, tmp_path: Path) -> None:
    found, part = scored(folder, split), folder / f"{split}-0.npy"
    assert list(found.index) == [("none", 0), ("noise", 0.05), ("noise", 3.0), ("brightness", 1.0)]
    assert set(found.yardstick) == {"out_of_fold" if split == "train" else split}
    stored = pixels.Pixels([part])
    photos = stored[range(len(stored))]
    assert set(found.photos) == {len(photos)}
    assert found.accuracy["none", 0] == pytest.approx(by_hand(folder, part, split == "train"))
    for level in CORRUPTIONS["noise"]:
        spoilt = corruptions.corrupt(f"noise-{level}", photos, np.arange(len(photos)))
        pixels.write(tmp_path / "spoilt.npy", spoilt.shape, list(spoilt))
        expected = by_hand(folder, tmp_path / "spoilt.npy", split == "train")
        assert found.accuracy["noise", level] == pytest.approx(expected)
    assert found.accuracy["none", 0] == found.accuracy["brightness", 1.0]
    assert found.accuracy["none", 0] > found.accuracy["noise", 3.0]


def test_probabilities_are_scored_as_calibration_left_them(folder: Path) -> None:
    """At the highest temperature all classes are nearly alike, and the order of a photo's classes stays."""
    before, after = (scored(folder, "validation", temperature=temperature) for temperature in (1.0, 1000.0))
    np.testing.assert_allclose(after.log_loss, np.log(4), atol=0.02)
    assert (before.log_loss.sub(np.log(4)).abs() > 0.02).all()
    assert after.accuracy.equals(before.accuracy)


def test_photos_are_answered_as_was_decided(folder: Path) -> None:
    """An offset that nothing outweighs makes one class the answer to each photo: two of eight are right."""
    found = scored(folder, "validation", offsets=[0.0, 50.0, 0.0, 0.0])
    assert (found.accuracy == 0.25).all()
    assert found.log_loss.equals(scored(folder, "validation").log_loss)


def test_photos_without_a_label_count_for_nothing_and_some_label_is_needed(folder: Path) -> None:
    index = read_csv(folder / "index.csv")
    index.loc[index.id.isin(["32.jpg", "33.jpg"]), "label"] = ""
    write_csv(folder / "some.csv", index)
    assert set(scored(folder, "test", "some.csv").photos) == {6}
    index.loc[index.split == "test", "label"] = ""
    write_csv(folder / "none.csv", index)
    with pytest.raises(BadInput, match=r"none\.csv: no test photo can judge: each has no label or is a copy of a trai"):
        scored(folder, "test", "none.csv")


def test_a_label_that_no_training_photo_has_counts_as_wrong(folder: Path) -> None:
    usual, index = scored(folder, "validation"), read_csv(folder / "index.csv")
    index.loc[index.split == "validation", "label"] = [*LABELS, *["unheard of"] * 4]
    write_csv(folder / "other.csv", index)
    found = scored(folder, "validation", "other.csv")
    assert set(found.photos) == {8}
    assert found.accuracy["none", 0] <= 0.5 < usual.accuracy["none", 0]


def test_a_model_of_other_classes_is_refused_before_any_work(folder: Path) -> None:
    index = read_csv(folder / "index.csv")
    write_csv(folder / "cup.csv", index.replace({"label": {LABELS[0]: "cup"}}))
    with pytest.raises(BadInput, match=r"0\.keras: its classes are not those of .*cup\.csv: only one of them has '"):
        scored(folder, "validation", "cup.csv")
