"""A fold's model comes from the other folds alone; together with `predict`, which sees only what it left out."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import CLASSIFICATION, ROOT, kept, write_embeddings

from podium.models.reading import saved_metadata
from podium.networks import cnn, head
from podium.networks.data import Dataset
from podium.predictions.stored import Predictions
from podium.step import BadInput
from podium.tables import write_csv
from predict import predict
from train import SHARE, train

OPTIONS = {
    "backbone": "efficientnet_lite0",
    "weights": "imagenet",
    "precision": "float32",
    "size": 32,
    "fit": "crop",
    "views": ["plain"],
    "penalties": [10.0, 1.0],
}
SPLITS = {"train": 24, "validation": 4, "test": 6}
LABELS = ["cat", "cup", "id"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Embeddings of photos of three classes far apart, their index and their folds."""
    random = np.random.default_rng(0)
    centres, rows = random.normal(size=(3, 1280)), []
    for split, count in SPLITS.items():
        classes = np.arange(count) % 3
        embeddings = (centres[classes] + 0.5 * random.normal(size=(count, 1280))).astype(np.float32)
        write_embeddings(tmp_path / f"{split}-0.npy", plain=embeddings)
        rows += [[f"{number}.jpg", "" if split == "test" else LABELS[one], split] for number, one in enumerate(classes)]
    index = pd.DataFrame(rows, columns=["id", "label", "split"])
    write_csv(tmp_path / "index.csv", index.assign(digest=index.split + index.id))
    count = SPLITS["train"]
    folds = {"id": [row[0] for row in rows[:count]], "fold": np.arange(count) // 3 % 4, "group": np.arange(count)}
    write_csv(tmp_path / "folds.csv", pd.DataFrame(folds))
    (tmp_path / "depth.json").write_text('{"range": [0, 4095]}')
    return tmp_path


def fit(folder: Path, fold: int | None = 1, seed: int = 0) -> np.ndarray:
    """Trains without a fold, or on all photos, and gives the kernel of the head."""
    train(
        [folder / "train-0.npy"],
        folder / "index.csv",
        folder / "folds.csv",
        [],
        [],
        folder / "depth.json",
        folder / "model.keras",
        folder / "history.csv",
        folder / "events.out.tfevents.history",
        task=CLASSIFICATION,
        network="head",
        fold=fold,
        seed=seed,
        sharpness=1.0,
        deterministic=False,
        balance=None,
        columns=[],
        options=OPTIONS,
        resume=folder / "resume",
    )
    return head._weights(folder / "model.keras")[0]


def test_a_model_says_how_new_photos_are_decoded_for_it(folder: Path) -> None:
    fit(folder)
    decoding = {"size": 32, "fit": "crop", "grey": False, "range": [0, 4095]}
    assert saved_metadata(folder / "model.keras")["decoding"] == decoding


def predicted(folder: Path, fold: int | None, splits: list[str], views: tuple[str, ...] = ("plain",)) -> Predictions:
    parts = [folder / f"{split}-0.npy" for split in splits]
    index, folds, *outputs = (folder / each for each in ("index.csv", "folds.csv", "predictions.npy", "one_view.npy"))
    settings = {"task": CLASSIFICATION, "network": "head", "fold": fold, "splits": splits, "saved_model": None}
    settings["views"] = list(views)
    predict(folder / "model.keras", parts, index, folds, [], *outputs, **settings)
    return kept(Predictions.read(folder / "predictions.npy"))


def numbers(found: Predictions) -> np.ndarray:
    """The places of these photos in their split."""
    return found.keys.id.str.removesuffix(".jpg").astype(int).to_numpy()


def test_the_fold_left_out_plays_no_part(folder: Path) -> None:
    """Other embeddings and labels in that fold give the same weights; in another fold they do not."""
    before = fit(folder)
    folds = pd.read_csv(folder / "folds.csv")
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    embeddings = np.load(folder / "train-0.npy")["plain"]
    out = np.flatnonzero(folds.fold == 1)
    embeddings[out] += 5
    index.loc[out, "label"] = LABELS[2]
    write_embeddings(folder / "train-0.npy", plain=embeddings)
    write_csv(folder / "index.csv", index)
    np.testing.assert_array_equal(fit(folder), before)
    embeddings[np.flatnonzero(folds.fold == 0)] += 5
    write_embeddings(folder / "train-0.npy", plain=embeddings)
    assert (fit(folder) != before).any()


def test_predict_answers_for_the_fold_left_out_and_for_the_other_splits(folder: Path) -> None:
    fit(folder)
    found = predicted(folder, 1, list(SPLITS))
    folds = pd.read_csv(folder / "folds.csv")
    assert list(found.of("train").keys.id) == list(folds.id[folds.fold == 1])
    assert [len(found.of(split).keys) for split in SPLITS] == [6, 4, 6]
    # The classes are far apart, so every row is right unless rows were mixed up.
    assert (found[:].argmax(1) == numbers(found) % 3).all()


@pytest.mark.parametrize(
    ("fold", "splits", "expected"),
    [
        (None, ["validation", "test"], {"validation": 4, "test": 6}),
        (None, ["test"], {"test": 6}),
        (1, ["train"], {"train": 6}),
        (1, ["train", "test"], {"train": 6, "test": 6}),
    ],
)
def test_predict_answers_for_the_splits_that_it_is_asked_for(
    folder: Path, fold: int | None, splits: list[str], expected: dict[str, int]
) -> None:
    """With the files of these splits alone, so that a row of another one would be a wrong row."""
    fit(folder, fold)
    found = predicted(folder, fold, splits)
    assert dict(found.keys.split.value_counts(sort=False)) == expected
    assert (found[:].argmax(1) == numbers(found) % 3).all()


@pytest.mark.parametrize(("views", "chosen"), [(("flip", "plain"), "plain"), (("flip", "zoom"), "flip")])
def test_photos_that_may_judge_are_predicted_from_one_view_too(
    folder: Path, views: tuple[str, ...], chosen: str
) -> None:
    random = np.random.default_rng(1)
    for split in SPLITS:
        embeddings = np.load(folder / f"{split}-0.npy")["plain"]
        blurred = {view: embeddings + 3 * random.normal(size=embeddings.shape).astype(np.float32) for view in views}
        write_embeddings(folder / f"{split}-0.npy", **(blurred | {"plain": embeddings}))
    fit(folder)
    several, found = predicted(folder, 1, list(SPLITS), views), kept(Predictions.read(folder / "one_view.npy"))
    expected = predicted(folder, 1, list(SPLITS), (chosen,))
    judging = (expected.keys.split != "test").to_numpy()
    assert found.keys.equals(expected.keys[judging])
    assert set(found.keys.split) == {"train", "validation"}
    np.testing.assert_array_equal(found[:], expected[judging])
    assert (found[:] != several[judging]).any()
    predicted(folder, None, ["test"], views)
    assert len(Predictions.read(folder / "one_view.npy")) == 0


def test_a_model_of_other_classes_is_refused_in_one_line(folder: Path) -> None:
    fit(folder)
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    write_csv(folder / "index.csv", index.replace({"label": {"cup": "dog"}}))
    with pytest.raises(
        BadInput, match=r"^.*model\.keras: its classes are not those of .*: only one of them has 'cup'$"
    ):
        predicted(folder, 1, list(SPLITS))
    (folder / "model.keras").write_bytes(b"no model")
    with pytest.raises(BadInput, match=r"model\.keras: not a model in a .keras file$"):
        predicted(folder, 1, list(SPLITS))


def test_without_a_fold_to_leave_out_every_photo_counts(folder: Path) -> None:
    before = fit(folder, None)
    embeddings = np.load(folder / "train-0.npy")["plain"]
    for fold in range(4):  # one photo of each fold
        changed = embeddings.copy()
        changed[np.flatnonzero(pd.read_csv(folder / "folds.csv").fold == fold)[0]] += 5
        write_embeddings(folder / "train-0.npy", plain=changed)
        assert (fit(folder, None) != before).any()


def test_what_teachers_say_of_a_photo_is_its_label(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their mean, squared; behind the training photos, each with its own row of the pixels."""
    given: dict[str, np.ndarray] = {}

    def fit(data: Dataset, **_: object) -> None:
        rows = np.arange(data.count)
        given.update(rows=data.rows[rows], targets=data.targets(rows), groups=data.groups)
        raise InterruptedError

    monkeypatch.setattr(cnn, "fit", fit)
    asked = [("train", 3), ("train", 4), ("test", 5), ("validation", 1)]  # in no order
    keys = pd.DataFrame([[split, f"{number}.jpg"] for split, number in asked], columns=["split", "id"])
    said = np.array([[[0.6, 0.4, 0.0]] * 4, [[0.2, 0.8, 0.0]] * 4], np.float32)
    said[1, 2] = [0.0, 0.0, 1.0]  # of test photo 5 the other teacher says something else
    for number, probabilities in enumerate(said):
        Predictions(keys, probabilities).write(folder / f"{number}.npy")
    names = [
        "train-0.npy",
        "index.csv",
        "folds.csv",
        "0.npy",
        "1.npy",
        "depth.json",
        "model.keras",
        "history.csv",
        "events",
    ]
    part, index, folds, *teachers, depth, model, history, events = (folder / name for name in names)
    patients = np.arange(24) // 3
    write_csv(folds, pd.read_csv(folds).assign(group=patients))
    options = {"fold": 1, "seed": 0, "sharpness": 2.0, "deterministic": False, "balance": None, "columns": []}
    options |= {"options": {}, "resume": folder}
    with pytest.raises(InterruptedError):
        files = [part], index, folds, teachers, [], depth, model, history, events
        train(*files, task=CLASSIFICATION, network="cnn", **options)
    # Fold 1 left out are 3, 4, 5, 15, 16 and 17 of 24 training photos; 4 validation photos stand behind these.
    labelled = [number for number in range(24) if number // 3 % 4 != 1]
    assert given["rows"].tolist() == [*labelled, 3, 4, 24 + 1, 24 + 4 + 5]
    np.testing.assert_array_equal(given["targets"][:18].argmax(1), np.array(labelled) % 3)
    assert given["groups"].tolist() == [*patients[labelled], -1, -1, -1, -1]
    mean = np.array([[0.4, 0.6, 0.0]] * 3 + [[0.3, 0.2, 0.5]])
    np.testing.assert_allclose(given["targets"][18:], mean**2 / (mean**2).sum(1, keepdims=True), atol=1e-6)


def test_no_two_fits_share_random_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit on all photos draws from its seed itself; fits that leave a fold out each from a number of their own."""
    drawn: list[int] = []

    def fitted(*_: object, seed: int, **__: object) -> None:
        drawn.append(seed)
        raise InterruptedError

    monkeypatch.setattr(head, "fit", fitted)
    fits = [(seed, fold) for seed in range(10) for fold in (None, *range(10))]
    for seed, fold in fits:
        with pytest.raises(InterruptedError):
            fit(folder, fold, seed)
    assert [number for number, (_, fold) in zip(drawn, fits, strict=True) if fold is None] == list(range(10))
    assert len(set(drawn)) == len(fits)
    assert 0 <= min(drawn) <= max(drawn) < 2**32  # what Keras takes


def measured(folder: Path, fold: int | None, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[int]]:
    """The rows of the photos that a fit is to measure, and their classes' numbers."""
    given: dict[str, Any] = {}

    def fitted(data: Dataset, **_: object) -> None:
        some = np.arange(data.count, data.count + data.measured)
        given["left_out"] = data.rows[some], data.targets(some)
        raise InterruptedError

    monkeypatch.setattr(head, "fit", fitted)
    with pytest.raises(InterruptedError):
        fit(folder, fold)
    rows, targets = given["left_out"]
    assert len(targets) == len(rows)
    assert (targets.sum(1) == 1).all()
    return rows.tolist(), targets.argmax(1).tolist()


def test_the_fold_left_out_is_measured_or_else_the_validation_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of these photos none that trains too and none of an unknown class; the parts hold them behind the others."""
    rows, numbers = measured(folder, 1, monkeypatch)
    assert sorted(rows) == [3, 4, 5, 15, 16, 17]
    assert numbers == [row % 3 for row in rows]
    assert measured(folder, None, monkeypatch) == ([24, 27, 25, 26], [0, 0, 1, 2])
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    index.loc[24, "digest"], index.loc[25, "label"] = index.digest[7], "unheard of"
    write_csv(folder / "index.csv", index)
    assert measured(folder, None, monkeypatch) == ([27, 26], [0, 2])
    write_csv(folder / "index.csv", index[index.split != "validation"])
    assert measured(folder, None, monkeypatch) == ([], [])


def test_of_many_photos_left_out_some_of_each_class_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of the photos trained on, so that measuring costs little; of the rarest class as well."""
    count = 6000
    labels = np.where(np.arange(count) % 10 == 0, "cup", "cat")
    index = pd.DataFrame({"id": range(count), "label": labels, "split": "train", "digest": range(count)})
    write_csv(folder / "index.csv", index)
    write_csv(folder / "folds.csv", pd.DataFrame({"fold": np.arange(count) // 3000, "group": range(count)}))
    rows, numbers = measured(folder, 1, monkeypatch)
    assert len(set(rows)) == len(rows) == 3000 // SHARE
    assert min(rows) >= 3000
    assert sum(numbers) == len(rows) // 10
    monkeypatch.setattr("train.SHARE", 1)
    assert len(measured(folder, 1, monkeypatch)[0]) == 1000


def test_a_class_of_one_photo_breaks_nothing_even_beside_one_other(folder: Path) -> None:
    """Two classes, one of a single photo: the fold that leaves it out is fitted on one class alone."""
    index = pd.read_csv(folder / "index.csv", keep_default_na=False)
    index.loc[index.split == "train", "label"] = "cat"
    index.loc[3, "label"] = "cup"  # in fold 1
    write_csv(folder / "index.csv", index)
    fit(folder)
    assert (predicted(folder, 1, list(SPLITS))[:].argmax(1) == 0).all()


def test_by_hand_and_deterministically_it_fits_the_same_head(folder: Path) -> None:
    kernel = fit(folder)
    files = {name: folder / name for name in ("index.csv", "folds.csv", "depth.json", "history.csv")}
    command = [sys.executable, ROOT / "workflow/scripts/train.py", "--parts", folder / "train-0.npy"]
    for name, path in files.items():
        command += [f"--{Path(name).stem}", path]
    command += ["--model", folder / "again.keras", "--network", "head", "--fold", "1", "--seed", "0", "--deterministic"]
    command += [
        "--task",
        "{classification: {}}",
        "--sharpness",
        "1",
        "--teachers",
        "--features",
        "--columns",
        "--events",
        folder / "events.out.tfevents.again",
    ]
    done = subprocess.run([*command, "--options", yaml.safe_dump(OPTIONS)], capture_output=True, text=True, check=True)
    assert [line for line in done.stderr.splitlines() if not line.startswith("[train] ")] == []
    np.testing.assert_allclose(head._weights(folder / "again.keras")[0], kernel, atol=1e-3)
