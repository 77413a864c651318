"""Embeddings against the backbone itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import photo

from embed import embed
from podium import backbones
from podium.photos import images, pixels
from podium.photos.corruptions import corrupt
from podium.tables import write_csv

SIZE, COUNT = 64, 5
VIEWS = ["plain", "flip", "zoom", "crop-1", "noise-0.2"]


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.stack([images.decode(photo("coffee", number), SIZE) for number in range(COUNT)])


def embedded(folder: Path, photos: np.ndarray, shards: int, views: list[str]) -> list[Path]:
    """The embeddings of a split that is cut into so many parts, behind two photos of another split."""
    parts = [f"validation-{place * shards // max(len(photos), 1)}" for place in range(len(photos))]
    index = pd.DataFrame({"split": ["train"] * 2 + ["validation"] * len(photos), "part": ["train-0"] * 2 + parts})
    write_csv(folder / "index.csv", index)
    files = []
    for shard in range(shards):
        own = photos[[part == f"validation-{shard}" for part in parts]]
        pixels.write(folder / f"{shard}.npy", (len(own), SIZE, SIZE, 3), own)
        files.append(folder / f"{shard}-of-{shards}.npy")
        embed(
            folder / f"{shard}.npy",
            folder / "index.csv",
            files[-1],
            part=f"validation-{shard}",
            backbone="efficientnet_lite0",
            weights="imagenet",
            views=views,
            precision="float32",
        )
    return files


def test_each_view_is_the_backbones_answer_to_that_cut(photos: np.ndarray, tmp_path: Path) -> None:
    (file,) = embedded(tmp_path, photos, 1, VIEWS)
    found, network = np.load(file), backbones.build("efficientnet_lite0", policy="float32")
    assert (found.shape, found.dtype.names) == ((COUNT,), tuple(VIEWS))
    np.testing.assert_allclose(found["plain"], network(photos.astype(np.float32)), atol=2e-3)
    np.testing.assert_allclose(found["flip"], network(photos[:, :, ::-1].astype(np.float32)), atol=2e-3)
    spoilt = corrupt("noise-0.2", photos, np.arange(COUNT)).astype(np.float32)
    np.testing.assert_allclose(found["noise-0.2"], network(spoilt), atol=2e-3)
    assert np.abs(found["zoom"] - found["plain"]).max() > 0.1
    assert np.abs(found["crop-1"] - found["plain"]).max() > 0.1


def test_the_same_photos_give_the_same_bytes_however_they_are_cut_into_parts(
    photos: np.ndarray, tmp_path: Path
) -> None:
    (whole,) = embedded(tmp_path, photos, 1, VIEWS)
    before = whole.read_bytes()
    embedded(tmp_path, photos, 1, VIEWS)
    assert whole.read_bytes() == before
    parts = [np.load(file) for file in embedded(tmp_path, photos, 3, VIEWS)]
    for view in VIEWS:
        np.testing.assert_array_equal(np.concatenate([part[view] for part in parts]), np.load(whole)[view])


def test_no_photos_give_no_embeddings(photos: np.ndarray, tmp_path: Path) -> None:
    (file,) = embedded(tmp_path, photos[:0], 1, ["crop-1"])
    assert np.load(file)["crop-1"].shape == (0, 1280)
