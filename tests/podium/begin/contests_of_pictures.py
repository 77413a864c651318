"""Contests of a picture for each photo, and of masks that no table lists."""

import numpy as np
from contests_of_masks import SMALL as UNET
from contests_of_masks import drawn
from layouts import Members, contest, photos, rows

from podium.begin import budget
from podium.photos import images

SMALL = {"defaults": {"size": 32, "train": {"small_unet": {"batch": 32, "epochs": 60, "sizes": [32]}}}}


def noisy(seed: int, channels: int = 1) -> bytes:
    """A picture of 12 x 9 pixels with many values."""
    return images.png(np.random.default_rng(seed).integers(0, 256, (9, 12, channels), np.uint8))


@contest(
    task="image_to_image",
    image_to_image={"input": "photo", "output": "grey", "side": 32},
    metric="rmse",
    names={"train": "train/{id}.png", "target": "train_cleaned/{id}.png", "test": "test/{id}.png"},
    submission={"form": "pixels", "sample": "sampleSubmission.csv"},
    preprocess={"fit": "keep"},
    run=["small_unet"],
    **SMALL,
)
def documents() -> Members:
    pixels = [f"{n}_{row}_{column}" for n in range(20, 26) for row in range(1, 10) for column in range(1, 13)]
    return {
        **{f"train/{n}.png": noisy(n) for n in range(20)},
        **{f"train_cleaned/{n}.png": noisy(n + 100) for n in range(20)},
        **{f"test/{n}.png": noisy(n) for n in range(20, 26)},
        "sampleSubmission.csv": rows("id,value", pixels, [1] * len(pixels)),
    }


@contest(
    task="image_to_image",
    image_to_image={"input": "grey", "output": "colour", "side": 32},
    metric="psnr",
    names={"train": "train/{id}.png", "test": "test/{id}.png"},
    preprocess={"fit": "keep"},
    run=["unet"],
    defaults={"size": 32, "train": {"unet": {"sizes": [32], "epochs": 7, "enlarge": 4, **budget.COLOURING}}},
)
def colours() -> Members:
    return {
        **{f"train/{n}.png": noisy(n, 3) for n in range(20)},
        **{f"test/{n}.png": noisy(n) for n in range(20, 26)},
    }


@contest(
    task="segmentation",
    segmentation={"classes": {"background": 0, "foreground": 255}, "side": 96},
    metric="mean_iou",
    names={"train": "train/images/{id}.jpg", "target": "train/masks/{id}.png", "test": "test/images/{id}.jpg"},
    preprocess={"fit": "squash"},
    run=["unet"],
    **UNET,
)
def cells() -> Members:
    return {
        **photos(f"train/images/{n}.jpg" for n in range(20)),
        **{f"train/masks/{n}.png": drawn(0, 255) for n in range(20)},
        **photos(f"test/images/{n}.jpg" for n in range(20, 26)),
    }
