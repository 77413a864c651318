"""Embeddings against the backbone itself."""

from pathlib import Path

import numpy as np
from conftest import photo

from embed import embed
from podium import backbones, images, pixels
from podium.corruptions import corrupt

SIZE = 64


def test_each_view_is_the_backbones_answer_to_that_cut(tmp_path: Path) -> None:
    photos = np.stack([images.decode(photo("coffee", number), SIZE) for number in range(5)])
    pixels.write(tmp_path / "part.npy", photos.shape, photos)
    views = ["plain", "flip", "zoom", "crop-1", "noise-0.2"]
    embed(
        tmp_path / "part.npy",
        tmp_path / "part.npz",
        backbone="efficientnet_lite0",
        weights="imagenet",
        views=views,
        precision="float32",
    )
    found, network = np.load(tmp_path / "part.npz"), backbones.build("efficientnet_lite0", policy="float32")
    assert sorted(found) == sorted(views)
    np.testing.assert_allclose(found["plain"], network(photos.astype(np.float32)), atol=2e-3)
    np.testing.assert_allclose(found["flip"], network(photos[:, :, ::-1].astype(np.float32)), atol=2e-3)
    spoilt = corrupt("noise-0.2", photos, np.arange(5)).astype(np.float32)
    np.testing.assert_allclose(found["noise-0.2"], network(spoilt), atol=2e-3)
    assert np.abs(found["zoom"] - found["plain"]).max() > 0.1
    assert np.abs(found["crop-1"] - found["plain"]).max() > 0.1


def test_the_same_photos_give_the_same_bytes_and_no_photos_give_none(tmp_path: Path) -> None:
    photos = np.stack([images.decode(photo("flower", number), SIZE) for number in range(3)])
    pixels.write(tmp_path / "part.npy", photos.shape, photos)
    pixels.write(tmp_path / "empty.npy", (0, SIZE, SIZE, 3), [])
    for source, name in [("part", "a"), ("part", "b"), ("empty", "c")]:
        embed(
            tmp_path / f"{source}.npy",
            tmp_path / f"{name}.npz",
            backbone="efficientnet_lite0",
            weights="imagenet",
            views=["plain"],
            precision="auto",
        )
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert np.load(tmp_path / "c.npz")["plain"].shape == (0, 1280)
