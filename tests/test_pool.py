from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from podium.tables import Predictions, write_csv
from pool import pool

LABELS = ["NA", "a,b", "id"]
FOLD = {"t0": 0, "t1": 1, "t2": 2, "t3": 0, "t4": 1, "t5": 2}
TRAIN = ["NA", "a,b", "a,b", "id", "id", "id"]
# The same id in two splits means two photos.
INDEX = pd.DataFrame(
    {
        "id": [*FOLD, "t0", "v1", "x1", "x0"],
        "label": [*TRAIN, "NA", "id", "", ""],
        "split": [*["train"] * 6, "validation", "validation", "test", "test"],
    }
)


def written(folder: Path, unread: list[tuple[str, str]], drop: str = "") -> tuple[list[Path], Path, Path]:
    """Random predictions of three folds, each in an order of its own, with the index and the quarantine."""
    write_csv(folder / "index.csv", INDEX)
    write_csv(folder / "quarantine.csv", pd.DataFrame(unread, columns=["split", "id"]))
    paths = []
    for fold in range(3):
        random = np.random.default_rng(fold)
        own = INDEX[(INDEX.split != "train") | (INDEX.id.map(FOLD) == fold)]
        keys = own[own.id != drop].sample(frac=1, random_state=fold)[["split", "id"]].reset_index(drop=True)
        paths.append(folder / f"fold{fold}.csv")
        Predictions(keys, LABELS, random.dirichlet(np.ones(3), len(keys)).astype(np.float32)).write(paths[-1])
    return paths, folder / "index.csv", folder / "quarantine.csv"


def test_training_photos_stand_side_by_side_and_the_others_are_averaged(tmp_path: Path) -> None:
    paths, index, quarantine = written(tmp_path, [])
    pool(paths, index, quarantine, tmp_path / "predictions.csv")
    found, folds = Predictions.read(tmp_path / "predictions.csv"), [Predictions.read(path) for path in paths]
    assert found.labels == LABELS
    assert found.keys.equals(INDEX[["split", "id"]])
    for (split, key), row in zip(found.keys.itertuples(index=False), found.probabilities, strict=True):
        rows = [fold.probabilities[(fold.keys.split == split) & (fold.keys.id == key)] for fold in folds]
        assert [len(each) for each in rows] == ([1, 1, 1] if split != "train" else [FOLD[key] == n for n in range(3)])
        assert row == pytest.approx(np.concatenate(rows).astype(float).mean(0), rel=1e-6)


def test_test_photos_that_could_not_be_read_get_the_share_of_each_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths, index, quarantine = written(tmp_path, [("train", "t9"), ("test", "x9"), ("test", "NA")])
    pool(paths, index, quarantine, tmp_path / "predictions.csv")
    found = Predictions.read(tmp_path / "predictions.csv")
    assert list(found.keys.id) == [*INDEX.id, "x9", "NA"]
    assert list(found.keys.split[-2:]) == ["test", "test"]
    assert found.probabilities[-2:] == pytest.approx(np.tile([1 / 6, 2 / 6, 3 / 6], (2, 1)))
    assert "2 test photos could not be read and get the training prior; the first is x9" in caplog.text


@pytest.mark.parametrize("drop", ["t4", "x0"])
def test_a_photo_that_no_fold_predicted_stops_it(tmp_path: Path, drop: str) -> None:
    paths, index, quarantine = written(tmp_path, [], drop)
    with pytest.raises(KeyError):
        pool(paths, index, quarantine, tmp_path / "predictions.csv")
    assert not (tmp_path / "predictions.csv").exists()
