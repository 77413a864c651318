from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION

from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tables import write_csv
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
TRAIN_ROWS, OTHERS = INDEX.split == "train", INDEX.split != "train"


def written(folder: Path, fits: list[pd.Series]) -> list[Path]:
    """Random predictions of these rows of the index, each fit's in an order of its own."""
    paths = []
    for number, rows in enumerate(fits):
        random = np.random.default_rng(number)
        keys = INDEX[rows].sample(frac=1, random_state=number)[["split", "id"]].reset_index(drop=True)
        paths.append(folder / f"fit{number}.npy")
        Predictions(keys, random.dirichlet(np.ones(3), len(keys)).astype(np.float32)).write(paths[-1])
    return paths


def pooled(folder: Path, fits: list[pd.Series], unread: list[tuple[str, str]]) -> tuple[Predictions, list[Predictions]]:
    """What these fits give together, and what each of them gave."""
    write_csv(folder / "index.csv", INDEX)
    write_csv(folder / "quarantine.csv", pd.DataFrame(unread, columns=["split", "id"]))
    paths = written(folder, fits)
    pool(paths, folder / "index.csv", folder / "quarantine.csv", folder / "pooled.npy", task=CLASSIFICATION)
    return Predictions.read(folder / "pooled.npy"), [Predictions.read(path) for path in paths]


FOLDS = [OTHERS | (INDEX.id.map(FOLD) == fold) & TRAIN_ROWS for fold in range(3)]
PLANS = {
    "folds": (FOLDS, INDEX.id == INDEX.id),
    "two seeds of folds": (FOLDS * 2, INDEX.id == INDEX.id),
    "all photos, with a validation table": ([OTHERS], OTHERS),
    "two seeds of all photos": ([OTHERS, OTHERS], OTHERS),
    "all photos and a held-out fold": (
        [INDEX.split == "test", TRAIN_ROWS & (INDEX.id.map(FOLD) == 0)] * 2,
        (INDEX.split == "test") | (INDEX.id.map(FOLD) == 0) & TRAIN_ROWS,
    ),
}


@pytest.mark.parametrize(("fits", "there"), PLANS.values(), ids=PLANS)
def test_each_photo_gets_the_mean_of_the_fits_that_predicted_it(
    tmp_path: Path, fits: list[pd.Series], there: pd.Series
) -> None:
    found, each = pooled(tmp_path, fits, [])
    assert found.keys.equals(INDEX.loc[there, ["split", "id"]].reset_index(drop=True))
    for (split, key), row in zip(found.keys.itertuples(index=False), found[:], strict=True):
        rows = [one[(one.keys.split == split) & (one.keys.id == key)] for one in each]
        asked = [bool(fit[(INDEX.split == split) & (INDEX.id == key)].item()) for fit in fits]
        assert [len(one) for one in rows] == asked
        assert row == pytest.approx(np.concatenate(rows).astype(float).mean(0), rel=1e-6)


def test_test_photos_that_could_not_be_read_get_the_share_of_each_class(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found, _ = pooled(tmp_path, FOLDS, [("train", "t9"), ("test", "x9"), ("test", "NA")])
    assert list(found.keys.id) == [*INDEX.id, "x9", "NA"]
    assert list(found.keys.split[-2:]) == ["test", "test"]
    assert found[-2:] == pytest.approx(np.tile([1 / 6, 2 / 6, 3 / 6], (2, 1)))
    assert "2 test photos cannot be read and get the training photos' label frequencies; the first is x9" in caplog.text


def test_a_test_photo_that_no_fit_predicted_stops_it(tmp_path: Path) -> None:
    there = ~((INDEX.split == "test") & (INDEX.id == "x0"))
    with pytest.raises(BadInput, match="no prediction for the test photo x0"):
        pooled(tmp_path, [rows & there for rows in FOLDS], [])
    assert not (tmp_path / "pooled.npy").exists()
