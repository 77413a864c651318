"""Contests of a class for each pixel."""

import numpy as np
from layouts import Members, contest, cycled, image, photos, rows

from podium.photos import masks

SMALL = {"defaults": {"size": 96, "train": {"unet": {"batch": 8, "epochs": 60, "sizes": [96]}}}}


def drawn(*values: int) -> bytes:
    """A mask of these values, each of as many pixels."""
    return masks.encode(np.resize(np.array(values, np.uint8), (8, 8)))


@contest(
    task="segmentation",
    segmentation={"answer": "foreground", "side": 96},
    metric="iou_precision",
    tables={
        "train": image("train.csv", "train/images/{id}.png", "id", label="rle_mask"),
        "test": image("sample_submission.csv", "test/images/{id}.png", "id"),
    },
    submission={"form": "runs", "sample": "sample_submission.csv"},
    preprocess={"fit": "squash"},
    run=["unet"],
    **SMALL,
)
def salt() -> Members:
    train, test = [f"{n:010x}" for n in range(30)], [f"{n:010x}" for n in range(50, 60)]
    return {
        "description.md": b"Evaluated on the mean average precision at different intersection over union thresholds.",
        "train.csv": rows("id,rle_mask", train, cycled(["1 3 9 2", "", "20 5"], 30)),
        "depths.csv": rows("id,z", train, range(30)),
        "sample_submission.csv": rows("id,rle_mask", test, ["1 1"] * 10),
        **photos(f"train/images/{each}.png" for each in train),
        **{f"train/masks/{each}.png": drawn(0, 255) for each in train},
        **photos(f"test/images/{each}.png" for each in test),
    }


@contest(
    task="segmentation",
    segmentation={"classes": {"sky": 0, "road": 1, "car": 2}, "void": [3], "side": 96},
    metric="mean_iou",
    tables={
        "train": image("train.csv", "train/photos/{id}.jpg", "id", target="train/masks/{id}.png"),
        "validation": image("validation.csv", "val/photos/{id}.jpg", "id", target="val/masks/{id}.png"),
        "test": image("test.csv", "test/photos/{id}.jpg", "id"),
    },
    preprocess={"fit": "squash"},
    run=["unet"],
    **SMALL,
)
def streets() -> Members:
    parts = {"train": range(20), "validation": range(20, 26), "test": range(30, 36)}
    folders = {"train": "train", "validation": "val", "test": "test"}
    made: Members = {"classes.csv": rows("number,name", range(4), ["sky", "road", "car", "void"])}
    for part, numbers in parts.items():
        made[f"{part}.csv"] = rows("id", [f"s_{n}" for n in numbers])
        made |= photos(f"{folders[part]}/photos/s_{n}.jpg" for n in numbers)
        if part != "test":
            made |= {f"{folders[part]}/masks/s_{n}.png": drawn(0, 1, 2, 3) for n in numbers}
    return made
