"""Numbers of a competition's tables beside its photos, from the archive to predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSIFICATION, LISTING, TABLES, competition, table, write_embeddings, write_zip

from classify import classify
from export import export
from index import index
from podium.photos import pixels
from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tables import read_csv, write_csv
from predict import predict
from robustness import robustness
from train import train

# Far smaller than the numbers of an embedding.
SIZES = {"chelsea": (0.001, 0.003), "coffee": (0.002, 0.003), "flower": (0.001, 0.004), "temple": (0.002, 0.004)}
COLUMNS = ["width", "height", "date", "odd"]
OUTPUTS = ("index.csv", "quarantine.csv", "depth.json", "features.npy", "targets")
OPTIONS: dict[str, Any] = {"backbone": "efficientnet_lite0", "weights": "imagenet", "precision": "float32", "size": 32}
OPTIONS |= {"fit": "crop", "views": ["plain", "flip"], "penalties": [10.0, 1.0]}


def listed(folder: Path, **changed: str) -> pd.DataFrame:
    """The index of photos whose tables say a size that tells subjects apart, a date, and one `odd` number.

    `changed` are other texts for cells of these columns: `width` of a training photo, and `odd` of a test photo.
    """
    members, truth = competition(train=6, validation=2, test=2), dict[str, str]()
    for split in TABLES:
        files = [name.removeprefix(f"{split}/") for name in members if name.startswith(f"{split}/")]
        truth |= {file: next(name for name in SIZES if name.startswith(file[:2])) for file in files}
        rows = [[file, truth[file], *map(str, SIZES[truth[file]]), "1.7e9", "0.1"] for file in files]
        if split == "train":
            rows[3][2], rows[4][2] = "", changed.get("width", rows[4][2])
        if split == "test":
            rows[0][5] = changed.get("odd", "0.2")
        members[f"{split}.csv"] = table(["file", "label", *COLUMNS], rows)
    layout = {"tables": {**TABLES, "features": COLUMNS}}
    paths = [folder / name for name in OUTPUTS]
    index(write_zip(folder / "source.zip", members), *paths, **LISTING, layout=layout)
    return read_csv(paths[0]).assign(truth=lambda photos: photos.id.map(truth))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A head on embeddings that tell nothing, fitted on all training photos beside validation photos; its index."""
    folder, random = tmp_path_factory.mktemp("features"), np.random.default_rng(0)
    photos = listed(folder)
    for split, own in photos.groupby("split"):
        views = {view: random.normal(size=(len(own), 1280)).astype(np.float32) for view in OPTIONS["views"]}
        write_embeddings(folder / f"{split}.npy", **views)
    write_csv(folder / "folds.csv", pd.DataFrame({"fold": np.arange(24) // 4 % 4, "group": np.arange(24)}))
    made = [folder / name for name in ("model.keras", "history.csv", "events")]
    given = [folder / "index.csv", folder / "folds.csv", [], [folder / "features.npy"], folder / "depth.json"]
    settings = {"task": CLASSIFICATION, "network": "head", "fold": None, "seed": 0, "sharpness": 1.0, "balance": None}
    settings |= {"deterministic": False, "columns": COLUMNS, "options": OPTIONS}
    train([folder / "train.npy"], *given, *made, **settings, resume=folder / "resume")
    return folder, photos


def test_the_numbers_follow_the_index_and_an_empty_cell_is_the_mean(tmp_path: Path) -> None:
    photos = listed(tmp_path)
    found = np.load(tmp_path / "features.npy")
    assert (found.dtype, found.shape) == (np.float32, (len(photos), len(COLUMNS)))
    sizes = np.array([SIZES[name] for name in photos.truth])
    sizes[3, 0] = np.mean([*sizes[:3, 0], *sizes[4:24, 0]])
    np.testing.assert_allclose(found[:, :2], sizes, rtol=1e-6)
    assert found[photos.split == "test", 3].tolist() == pytest.approx([0.2] + [0.1] * 7)


@pytest.mark.parametrize(
    ("cell", "text", "message"),
    [
        ("width", "large", "train.csv: line 6: 'large' in column 'width' is not a number"),
        ("width", "inf", "train.csv: line 6: 'inf' in column 'width' is not a number"),
        ("odd", "?", "test.csv: line 2: '?' in column 'odd' is not a number"),
    ],
)
def test_what_is_no_number_is_named_by_its_row_and_column(tmp_path: Path, cell: str, text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        listed(tmp_path, **{cell: text})
    assert str(refused.value) == message


def test_numbers_that_are_small_and_few_decide_where_photos_tell_nothing(fitted: tuple[Path, pd.DataFrame]) -> None:
    """A number that all training photos share decides nothing where it is another one."""
    folder, photos = fitted
    made, splits = [folder / "predictions.npy", folder / "one_view.npy"], ["validation", "test"]
    given = [folder / "index.csv", folder / "folds.csv", [folder / "features.npy"]]
    settings = {"task": CLASSIFICATION, "network": "head", "fold": None, "splits": splits, "saved_model": None}
    parts = [folder / f"{split}.npy" for split in splits]
    predict(folder / "model.keras", parts, *given, *made, **settings, views=["plain", "flip"])
    found = Predictions.read(made[0])
    asked = photos[photos.split.isin(splits)]
    labels = np.array(sorted(SIZES))
    assert found.keys.id.tolist() == asked.id.tolist()
    assert (labels[found[:].argmax(1)] == asked.truth).all()
    assert found[:].max() < 1  # as sure as of any other


def test_they_still_decide_where_photos_are_corrupted(fitted: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    folder, photos = fitted
    shape = ((photos.split == "validation").sum(), OPTIONS["size"], OPTIONS["size"], 3)
    stored = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels.write(tmp_path / "pixels.npy", stored.shape, stored)
    (tmp_path / "calibration.json").write_text('{"temperature": 1.0}')
    (tmp_path / "decision.json").write_text('{"decision": {}}')
    given = [folder / "index.csv", folder / "folds.csv", [folder / "features.npy"]]
    given += [tmp_path / name for name in ("calibration.json", "decision.json", "robustness.csv")]
    settings = {"split": "validation", "left_out": [-1], "views": ["plain"], "corruptions": {"noise": [0.4]}}
    robustness(
        [folder / "model.keras"], [tmp_path / "pixels.npy"], *given, task=CLASSIFICATION, saved_model=None, **settings
    )
    assert pd.read_csv(tmp_path / "robustness.csv").accuracy.tolist() == [1.0, 1.0]


def test_a_model_that_takes_them_computes_the_same_and_photos_alone_are_refused(
    fitted: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    import keras

    folder, _ = fitted
    model = folder / "model.keras"
    network = keras.models.load_model(model)
    assert [each.name for each in network.inputs] == ["photo", "features"]
    grey = np.zeros((2, 40, 40, 3), np.uint8)
    found = np.asarray(network([grey, np.array([[*SIZES[name], 1.7e9, 0.1] for name in ("coffee", "temple")])]))
    assert found.argmax(1).tolist() == [1, 3]
    message = (
        r"model\.keras: needs 4 features beside each photo \(width, height, date, …\), which photos alone do not have"
    )
    (tmp_path / "photo.jpg").write_bytes(competition(1, 1, 1)["train/ch0.jpg"])
    with pytest.raises(BadInput, match=message):
        classify(model, [tmp_path], tmp_path / "classes.csv")
    with pytest.raises(BadInput, match=message):
        export(model, tmp_path / "weights.h5", tmp_path / "served", saved_model=None)
