"""A small network for pictures: what it is shown, what it learns, and what a saved model of it answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import UNVARIED, joined

from podium import tasks
from podium.models.writing import save
from podium.networks import augmentation, dense, small_unet
from podium.networks.data import Dataset
from podium.photos import images, pixels
from podium.photos.pixels import Pixels
from podium.step import BadInput

SIZE, COUNT = 32, 24
OPTIONS: dict[str, Any] = {"size": SIZE, "fit": "squash", "precision": "float32", "sizes": [32], "epochs": 24}
OPTIONS |= {"batch": 8, "learning_rate": 0.004, "weight_decay": 0.0, "patience": 0, "dropout": 0.0, "width": 8}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Grey photos of blocks that are green where they are bright and red where they are dark."""
    folder, random = tmp_path_factory.mktemp("blocks"), np.random.default_rng(0)
    grey = np.kron(random.integers(60, 200, (COUNT, 8, 8, 1)), np.ones((1, 4, 4, 1), int))
    bright = grey > 130
    coloured = np.concatenate([np.where(bright, grey - 30, grey + 40), np.where(bright, grey + 20, grey - 20)], -1)
    blue = (grey - coloured @ np.array([[0.299], [0.587]])) / 0.114
    coloured = np.concatenate([coloured, blue], -1).clip(0, 255).astype(np.uint8)
    names = [f"{number}.png" for number in range(COUNT)]
    for name, each in zip(names, coloured, strict=True):
        (folder / name).write_bytes(images.png(each))
    shown = np.stack([images.decode((folder / name).read_bytes(), SIZE, "squash", grey=True) for name in names])
    pixels.write(folder / "photos.npy", shown.shape, shown)
    spec = {
        "input": "grey",
        "output": "colour",
        "colours": "continuous",
        "side": SIZE,
        "fit": "squash",
        "folder": str(folder),
        "metric": "psnr",
    }
    task, labels = tasks.task({"image_to_image": spec}), ["red", "green", "blue"]
    none = np.zeros((0, task.outputs(labels)), np.float32)
    rows = np.arange(COUNT)
    return Dataset(task, labels, [folder / "photos.npy"], rows, np.array(names), rows, none)


def test_it_learns_colours_and_a_mirrored_photo_has_its_answer_mirrored_back(data: Dataset, tmp_path: Path) -> None:
    model, history = small_unet.fit(data, seed=0, resume=tmp_path / "resume", flip=True, **OPTIONS)
    assert list(history) == ["epoch", "loss", "rmse"]
    save(model, data.task, data.labels, [], tmp_path / "model.keras")
    given = tmp_path / "model.keras", data.files, data.rows
    said = {view: joined(small_unet.predict(*given, [view])) for view in ("plain", "flip")}
    how = data.task.limits(data.truth)
    evidence = data.task.evidence(data.truth, said["plain"], how)
    trivial = data.task.trivial(data.truth, evidence, how)["with the mean colour"]
    for each in said.values():
        reached = data.task.figures(data.task.evidence(data.truth, each, how))
        assert reached["psnr"] > data.task.figures(trivial)["psnr"] + 3
    both = joined(small_unet.predict(*given, ["plain", "flip"]))
    np.testing.assert_allclose(both, (said["plain"] + said["flip"]) / 2, atol=1e-6)
    # What is grey of a photo stays as it is, but for colours that there are not.
    luma = said["plain"].reshape(COUNT, SIZE, SIZE, 3) @ np.array([0.299, 0.587, 0.114])
    assert (np.abs(luma * 255 - Pixels(data.files)[data.rows][..., 0]) < 1).mean() > 0.99


def test_crops_are_whole_pixels_of_photo_and_target_half_of_them_mirrored(data: Dataset) -> None:
    strengths = augmentation.Strengths(**UNVARIED | {"flip": True})
    feed = augmentation.Cropped(Pixels(data.files), data, [16], 1, strengths).feed()
    photos, targets = (each.numpy() for each in feed.prepare(*feed.draw(data.rows, np.random.default_rng(1), 0)))
    assert photos.shape == targets.shape == (COUNT, 16, 16, 3)
    whole = np.stack([data.task.target(str(name)) for name in data.truth])
    windows = np.lib.stride_tricks.sliding_window_view(whole, (16, 16), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    mirrored = 0
    for number in range(COUNT):
        wanted = np.rint(targets[number] * 255)
        plain = (windows[number] == wanted).all((2, 3, 4)).any()
        other = (windows[number] == wanted[:, ::-1]).all((2, 3, 4)).any()
        assert plain or other
        mirrored += other and not plain
        luma = wanted @ np.array([0.299, 0.587, 0.114])
        np.testing.assert_allclose(photos[number, ..., 0], luma, atol=1.1)
    assert 4 < mirrored < COUNT - 4


def test_a_crop_that_is_larger_than_the_photos_is_refused(data: Dataset) -> None:
    strengths = augmentation.Strengths(**UNVARIED)
    feed = augmentation.Cropped(Pixels(data.files), data, [64], 1, strengths).feed()
    with pytest.raises(BadInput, match="a crop of 64 is larger than the photos, which are stored at 32"):
        feed.draw(data.rows, np.random.default_rng(1), 0)


def test_a_large_photo_is_answered_in_tiles_without_a_seam(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from the border of a tile it makes no difference that the rest of the photo is not seen."""
    trained = small_unet._network(data.task, 32, 8, 0.0, "float32")
    whole = dense.finished(trained, data.task, 160)
    monkeypatch.setattr(dense, "TILE", 96)
    monkeypatch.setattr(dense, "OVERLAP", 64)
    tiled = dense.finished(trained, data.task, 160)
    photos = np.random.default_rng(0).uniform(0, 255, (2, 160, 160, 3)).astype(np.float32)
    both = [network(photos, training=False).numpy() for network in (whole, tiled)]
    assert np.abs(both[0] - both[1]).mean() < 0.01
    starts = [0, 32, 64]
    shares = [dense._shares(starts, each, 160, 96) for each in starts]
    np.testing.assert_allclose(sum(each.sum(0) for each in shares), 1, rtol=1e-6)
