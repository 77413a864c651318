"""Networks for pixels on a backbone: what they are fitted to, and what they predict where."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import UNVARIED, joined

from podium import tasks
from podium.models.writing import save
from podium.networks import augmentation, deeplab, unet
from podium.networks.data import Dataset
from podium.photos import masks, pixels
from podium.photos.pixels import Pixels

SIZE, SIDE, COUNT = 32, 16, 12
OPTIONS: dict[str, Any] = {"backbone": "efficientnet_lite0", "weights": "imagenet", "size": SIZE, "fit": "squash"}
OPTIONS |= {"precision": "float32", "sizes": [32], "epochs": 30, "batch": 4, "learning_rate": 0.003, "dropout": 0.0}
OPTIONS |= {
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "patience": 0,
    "frozen": 0.0,
    "width": 8,
    "enlarge": 1,
    "augment": UNVARIED,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Photos of a bright square on dark ground, each at another place, and where it is; a strip is void."""
    folder, random = tmp_path_factory.mktemp("squares"), np.random.default_rng(0)
    photos, names = random.integers(0, 90, (COUNT, SIZE, SIZE, 3), np.uint8), []
    for number, photo in enumerate(photos):
        top, left = random.integers(0, SIZE - 12, 2)
        photo[top : top + 12, left : left + 12] += 150
        ids = np.zeros((SIZE, SIZE), np.uint8)
        ids[top : top + 12, left : left + 12] = 1
        ids[:3] = 255
        names.append(f"{number}.png")
        (folder / names[-1]).write_bytes(masks.encode(ids))
    pixels.write(folder / "photos.npy", photos.shape, photos)
    spec = {"classes": {"ground": 0, "square": 1}, "void": [], "answer": "square", "runs": "columns", "side": SIDE}
    spec |= {"fit": "squash"}
    task = tasks.task({"segmentation": spec | {"folder": str(folder), "metric": "iou"}})
    none = np.zeros((0, task.outputs(["ground", "square"])), np.float32)
    rows = np.arange(COUNT)
    return Dataset(task, ["ground", "square"], [folder / "photos.npy"], rows, np.array(names), rows, none)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "enlarge"), [(unet, 1), (unet, 2), (deeplab, 1)])
def test_it_finds_what_it_was_shown_and_a_mirrored_photo_has_its_answer_mirrored_back(
    data: Dataset, tmp_path: Path, network: ModuleType, enlarge: int
) -> None:
    model, history = network.fit(data, seed=0, resume=tmp_path / "resume", **OPTIONS | {"enlarge": enlarge})
    assert list(history) == ["epoch", "loss", "pixel_accuracy"]
    save(model, data.task, data.labels, [], tmp_path / "model.keras")
    given = tmp_path / "model.keras", data.files, data.rows
    said = {view: joined(network.predict(*given, [view])) for view in ("plain", "flip")}
    assert said["plain"].shape == (COUNT, SIDE * SIDE * 2)
    np.testing.assert_allclose(said["plain"].reshape(COUNT, -1, 2).sum(2), 1, atol=1e-5)
    for each in said.values():
        assert data.task.figures(data.task.evidence(data.truth, each, {}))["iou"] > 0.5
    both = joined(network.predict(*given, ["plain", "flip"]))
    np.testing.assert_allclose(both, (said["plain"] + said["flip"]) / 2, atol=1e-6)


def test_photo_and_mask_go_through_the_same_transform_and_nothing_of_void_is_a_target(data: Dataset) -> None:
    """The square stays where the mask says, whatever is drawn."""
    varied = UNVARIED | {"area": [0.4, 0.9], "aspect": 1.3, "rotation": 0.1, "flip": True, "shift": 0.1}
    feed = augmentation.OfPixels(Pixels(data.files), data, [24], 1, augmentation.Strengths(**varied)).feed()
    photos, targets = (each.numpy() for each in feed.prepare(*feed.draw(data.rows, np.random.default_rng(1), 0)))
    assert photos.shape == (COUNT, 24, 24, 3)
    assert targets.shape == (COUNT, 12, 12, 2)
    bright = photos.reshape(COUNT, 12, 2, 12, 2, 3).mean((2, 4, 5)) > 130
    counted = targets.any(-1)
    assert (bright == (targets[..., 1] == 1))[counted].mean() > 0.97
    assert not counted.all()
    whole = replace(data)
    plain = augmentation.OfPixels(Pixels(data.files), whole, [24], 1, augmentation.Strengths(**UNVARIED)).feed()
    _, one_hot = plain.plain(np.array([3]))
    np.testing.assert_array_equal(one_hot[0].argmax(-1)[2:], data.task.target("3.png", SIZE // 2)[2:])
    assert not one_hot[0, 0].any()
