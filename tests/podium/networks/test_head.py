"""The linear head, against scikit-learn and against its own saved model."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TASK, dataset, joined, write_embeddings
from sklearn.linear_model import LogisticRegression, Ridge

from podium.models.writing import save
from podium.networks import head
from podium.networks.data import Dataset
from podium.tasks import task


@pytest.fixture
def embeddings(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two views of 60 photos of 4 classes, 1280 numbers each, with clusters that overlap a little."""
    random = np.random.default_rng(0)
    truth = np.arange(60) % 4
    centres = random.normal(size=(4, 1280))
    views = {
        view: (centres[truth] + 4 * random.normal(size=(60, 1280))).astype(np.float32) for view in ("plain", "flip")
    }
    return write_embeddings(tmp_path / "part.npy", **views), truth


OPTIONS = {
    "seed": 0,
    "resume": Path("unused"),
    "backbone": "efficientnet_lite0",
    "weights": "imagenet",
    "precision": "float32",
    "size": 32,
    "fit": "crop",
    "views": ["plain", "flip"],
    "penalties": [100.0, 10.0],
}


@pytest.mark.parametrize("kept", [0, head.KEPT], ids=["read in each pass", "kept in memory"])
def test_saved_head_gives_scikit_learns_probabilities(
    kept: int, embeddings: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "KEPT", kept)
    monkeypatch.setattr(head, "BLOCK", 20_000)  # the numbers of seven photos
    monkeypatch.setattr(head, "LEAST", 1)
    part, truth = embeddings
    rows = np.arange(48)
    model, history = head.fit(dataset([part], rows, np.eye(4)[truth[rows]], rows), **OPTIONS)
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    found = joined(head.predict(tmp_path / "model.keras", [part], np.arange(48, 60), ["plain"]))

    stored = np.load(part)
    features = np.stack([stored["plain"], stored["flip"]])[:, rows]
    mean, deviation = features.mean((0, 1)), features.std((0, 1)) + 1e-3
    best = history.penalty[history.inner_loss.argmin()]
    reference = LogisticRegression(C=1 / best, tol=1e-3, max_iter=300)
    reference.fit(((features - mean) / deviation).reshape(-1, 1280), np.tile(truth[rows], 2))
    held_out = (stored["plain"][48:] - mean) / deviation
    np.testing.assert_allclose(found, reference.predict_proba(held_out), atol=1e-4)


def test_the_head_is_found_beside_dense_layers_of_the_backbone(tmp_path: Path) -> None:
    features = np.random.default_rng(0).normal(size=(8, 768)).astype(np.float32)
    part = write_embeddings(tmp_path / "part.npy", plain=features)
    rows, options = np.arange(8), {"backbone": "convnext_tiny", "weights": "none", "views": ["plain"]}
    model, _ = head.fit(dataset([part], rows, np.eye(2)[rows % 2], rows), **(OPTIONS | options))
    save(model, TASK, list("ab"), [], tmp_path / "model.keras")
    for found, saved in zip(head._weights(tmp_path / "model.keras"), model.get_weights()[-2:], strict=True):
        np.testing.assert_array_equal(found, saved)


def test_views_are_averaged(embeddings: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    part, truth = embeddings
    rows = np.arange(60)
    model, _ = head.fit(dataset([part], rows, np.eye(4)[truth], rows), **OPTIONS)
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    both, *each = (
        joined(head.predict(tmp_path / "model.keras", [part], rows, views))
        for views in (["plain", "flip"], ["plain"], ["flip"])
    )
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-6)


def test_a_class_without_training_photos_is_improbable_and_nothing_breaks(
    embeddings: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    part, truth = embeddings
    rows = np.flatnonzero(truth != 2)
    model, _ = head.fit(dataset([part], rows, np.eye(4)[truth[rows]], rows), **OPTIONS)
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    found = joined(head.predict(tmp_path / "model.keras", [part], np.arange(60), ["plain"]))
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert found[:, 2].max() < 1e-3


def test_two_classes_are_those_of_scikit_learns_one_logit(embeddings: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    part, truth = embeddings
    rows = np.flatnonzero(truth < 2)
    model, _ = head.fit(dataset([part], rows, np.eye(2)[truth[rows]], rows), **(OPTIONS | {"penalties": [100.0]}))
    save(model, TASK, list("ab"), [], tmp_path / "model.keras")
    found = joined(head.predict(tmp_path / "model.keras", [part], rows, ["plain"]))
    assert (found.argmax(1) == truth[rows]).mean() > 0.95
    features = np.concatenate([np.load(part)[view][rows] for view in ("plain", "flip")])
    features = (features - features.mean(0)) / (features.std(0) + 1e-3)
    reference = LogisticRegression(C=1e-2, tol=1e-6).fit(features, np.tile(truth[rows], 2))
    np.testing.assert_allclose(found, reference.predict_proba(features[: len(rows)]), atol=5e-3)


def test_one_photo_of_each_class_is_enough_to_fit(embeddings: tuple[Path, np.ndarray]) -> None:
    """No photo can be spared to choose a penalty; the strongest is used."""
    part, truth = embeddings
    _, history = head.fit(dataset([part], np.arange(4), np.eye(4)[truth[:4]], np.arange(4)), **OPTIONS)
    assert history.inner_loss.isna().all()


def test_a_photos_views_may_stand_in_two_files(tmp_path: Path) -> None:
    """Of five photos to train on in two parts, as other views to predict make them, and of three validation photos."""
    values = np.arange(8 * 3 * 2, dtype=np.float32).reshape(3, 8, 2)
    train, more, both = (["a", "b"], ["c"], ["c", "a"])

    def file(name: str, views: list[str], start: int, stop: int) -> Path:
        return write_embeddings(tmp_path / name, **{view: values["abc".index(view), start:stop] for view in views})

    files = [file(f"{number}.npy", train, *some) for number, some in enumerate([(0, 2), (2, 5)])]
    files += [file(f"{number}-more.npy", more, *some) for number, some in enumerate([(0, 2), (2, 5)])]
    files += [file("validation.npy", both, 5, 8)]
    rows = np.array([6, 0, 4, 1, 7, 5, 2])
    found = head.Embeddings(files, both)
    assert found.shape == (2, 2)
    np.testing.assert_array_equal(found[rows], values[[2, 0]][:, rows].swapaxes(0, 1))
    np.testing.assert_array_equal(head.Embeddings(files[:2], ["b"])[rows[:0]], np.empty((0, 1, 2)))
    for wrong in (["a", "b"], ["a", "d"], ["d"]):
        with pytest.raises(ValueError, match=r"embeddings of other photos for each view: .*'a': 8|'d': 0"):
            head.Embeddings(files, wrong)


def test_predictions_come_in_blocks(
    embeddings: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, truth = embeddings
    model, _ = head.fit(dataset([part], np.arange(60), np.eye(4)[truth], np.arange(60)), **OPTIONS)
    save(model, TASK, list("abcd"), [], tmp_path / "model.keras")
    arguments = (tmp_path / "model.keras", [part], np.arange(59, -1, -1), ["plain", "flip"])
    whole = joined(head.predict(*arguments))
    monkeypatch.setattr(head, "BLOCK", 40_000)
    monkeypatch.setattr(head, "LEAST", 1)
    blocks = [*head.predict(*arguments)]
    assert max(map(len, blocks)) < 20
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)
    assert joined(head.predict(*arguments[:2], np.arange(0), ["plain"])).shape == (0, 4)


def test_the_choice_of_the_penalty_charges_sure_mistakes_in_full() -> None:
    """Far photos of the inner quarter have the other class's label: the weaker the penalty, the surer the mistake."""
    truth, groups = np.arange(60) % 2, np.arange(60)
    features = np.repeat(np.where(truth == 1, 1, -1)[:, None, None], 50, axis=2).astype(np.float32)
    inner = np.random.default_rng(0).permutation(groups)[:15]
    truth[inner], features[inner] = 1 - truth[inner], 4 * features[inner]
    order = np.argsort(np.isin(groups, inner), kind="stable")
    data = dataset([], groups, np.eye(2)[truth], groups)
    tried = head._try_penalties(data, order, features[order], 15, [3.0, 0.3, 1e-3])
    assert tried.inner_loss.is_monotonic_increasing
    assert tried.inner_loss.iloc[1] > 16
    assert tried.inner_loss.iloc[2] == pytest.approx(15 * np.log(10), rel=0.3)


def test_photos_without_any_label_are_fitted_too(embeddings: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    """A fold may lack the only photos that have labels; the head then gives none."""
    part, _ = embeddings
    several, rows = task({"multilabel": {"separator": " "}}), np.arange(20)
    data = Dataset(several, ["a"], [part], rows, np.zeros((20, 2), bool), rows, np.zeros((0, 1), np.float32))
    model, _ = head.fit(data, **OPTIONS)
    save(model, several, ["a"], [], tmp_path / "model.keras")
    assert joined(head.predict(tmp_path / "model.keras", [part], rows, ["plain"])).max() < 1e-3


def test_numbers_are_those_of_scikit_learn_s_ridge_regression_in_their_own_units(
    embeddings: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    part, _ = embeddings
    plain = np.load(part)["plain"]
    truth = np.stack([plain[:, :5].sum(1) + 1000, 1e-3 * plain[:, 5:9].sum(1)], axis=1).astype(float)
    two = task({"regression": {"range": None, "columns": ["height", "width"]}})
    rows, none = np.arange(48), np.zeros((0, 2), np.float32)
    data = Dataset(two, ["height", "width"], [part], rows, truth[rows], rows, none)
    model, history = head.fit(data, **(OPTIONS | {"views": ["plain"], "penalties": [1.0, 0.3]}))
    save(model, two, data.labels, [], tmp_path / "model.keras")
    found = joined(head.predict(tmp_path / "model.keras", [part], np.arange(48, 60), ["plain"]))
    mean, deviation = plain[rows].mean(0), plain[rows].std(0) + 1e-3
    best, spread = history.penalty[history.inner_loss.argmin()], truth[rows].std(0)
    reference = Ridge(alpha=best * two.link.curvature).fit((plain[rows] - mean) / deviation, truth[rows] / spread)
    wanted = reference.predict((plain[48:] - mean) / deviation) * spread
    assert (np.abs(found - wanted) / spread).max() < 0.01
    assert np.ptp(wanted / spread, axis=0).min() > 0.5


def test_the_penalty_of_numbers_is_chosen_by_the_metric_in_their_own_units() -> None:
    """The error on the inner photos, of a head that predicts the mean: the deviation of their numbers."""
    truth, groups = 100 * np.random.default_rng(0).normal(size=(60, 1)) + 5000, np.arange(60)
    one = task({"regression": {"range": None, "columns": ["price"], "metric": "rmse"}})
    data = Dataset(one, ["price"], [], groups, truth, groups, np.zeros((0, 1), np.float32))
    tried = head._try_penalties(data, groups, np.zeros((60, 1, 4), np.float32), 15, [10.0])
    wanted = np.sqrt(((truth[45:] - truth[:45].mean()) ** 2).mean())
    assert tried.inner_loss[0] == pytest.approx(wanted, rel=1e-3)
