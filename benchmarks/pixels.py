"""Masks and pictures: the part `pixels` of `make bench`; README.md explains the output.

Each competition of one's own archives goes from the zip to the checked submission. Beside the flowers stands the U-Net
of a Keras tutorial, trained on the same photos for as many seconds as Podium takes in all.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bench import HERE, copy_project, measured, show, snakemake

COMPETITIONS = {"flowers17": "flowers17-masks.zip", "camvid": "camvid.zip", "horses": "horses.zip"}
FLOWERS, FLOWER = "flowers17", 1  # and the number of the class `flower`, in the order of the names
SIDE, BATCH, FOLD, VOID = 160, 32, 0, 255  # the tutorial's side, and the photos that judge


def pixels(folder: Path, archives: Path) -> None:
    """Shows the figures and the seconds of each competition whose archive is there."""
    for competition, name in COMPETITIONS.items():
        if not (archive := archives / name).is_file():
            print(f"{competition}: skipped, no file {archive}")
            continue
        project = copy_project(folder / competition)
        seconds = snakemake(project, "--config", f"competition={competition}", f"archive={archive}")
        for scores in sorted(project.glob(f"results/{competition}/*/scores.json")):
            for yardstick, figures in json.loads(scores.read_text()).items():
                said = ", ".join(
                    f"{metric} {each['value']:.4g} ({each['low']:.4g} to {each['high']:.4g}, {each['trivial_answer']} "
                    f"{each['trivial']:.4g})"
                    for metric, each in figures.items()
                    if isinstance(each, dict)
                )
                show(f"{competition} {scores.parent.name}, {yardstick}", f"{seconds:.0f} s", said)
        if competition == FLOWERS:
            found = measured([sys.executable, HERE / "pixels.py", "--tutorial", project, "--seconds", round(seconds)])
            show("flowers17: a tutorial's U-Net", f"{found['seconds']:.0f} s", f"iou {found['iou']:.3f}")


def tutorial(project: Path, seconds: float) -> float:
    """The intersection over union of the flower on the photos that Podium holds out too.

    The network, the sizes and the optimizer are those of https://keras.io/examples/vision/oxford_pets_image_segmentation:
    strided separable convolutions with residuals, from scratch, sparse cross-entropy, Adam. Void does not count in the
    loss, which the tutorial has no need of.
    """
    import keras

    data = project / "data" / FLOWERS
    index = pd.read_csv(data / "index.csv", keep_default_na=False)
    labels = index.label[index.split == "train"].tolist()
    judging = (pd.read_csv(data / "folds5.csv").fold == FOLD).to_numpy()
    photos = np.load(next(data.glob("*px/train-0.npy")), mmap_mode="r")
    small = keras.ops.image.resize(np.asarray(photos), (SIDE, SIDE)).numpy()
    truth = np.stack([_mask(data / "targets" / name, SIDE) for name in labels])
    network = _network()
    network.compile(keras.optimizers.Adam(1e-4), keras.losses.SparseCategoricalCrossentropy(ignore_class=VOID))
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        network.fit(small[~judging], truth[~judging], batch_size=BATCH, verbose=0)
    said = network.predict(small[judging], batch_size=BATCH, verbose=0).argmax(-1) == FLOWER
    wanted = truth[judging]
    counted = wanted != VOID
    both, either = (said & (wanted == FLOWER) & counted).sum(), ((said | (wanted == FLOWER)) & counted).sum()
    return float(both / either)


def _mask(path: Path, side: int) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.resize((side, side), Image.Resampling.NEAREST))


def _network(classes: int = 4):  # type: ignore[no-untyped-def]
    import keras
    from keras import layers

    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv2D(32, 3, strides=2, padding="same")(x)))
    before = x
    for filters in (64, 128, 256):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.SeparableConv2D(filters, 3, padding="same")(x))
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = before = layers.add([x, layers.Conv2D(filters, 1, strides=2, padding="same")(before)])
    for filters in (256, 128, 64, 32):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.BatchNormalization()(layers.Conv2DTranspose(filters, 3, padding="same")(x))
        x = layers.UpSampling2D(2)(x)
        residual = layers.Conv2D(filters, 1, padding="same")(layers.UpSampling2D(2)(before))
        x = before = layers.add([x, residual])
    return keras.Model(inputs, layers.Conv2D(classes, 3, activation="softmax", padding="same")(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archives", type=Path, help=f"the folder of {', '.join(COMPETITIONS.values())}")
    parser.add_argument("--tutorial", type=Path, help="a copy of the project in which flowers17 was run")
    parser.add_argument("--seconds", type=float, help="for so long the tutorial's network is trained")
    given, started = parser.parse_args(), time.perf_counter()
    if given.tutorial:
        reached = tutorial(given.tutorial, given.seconds)
        print(json.dumps({"iou": reached, "seconds": time.perf_counter() - started}))
        return
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        pixels(Path(folder), given.archives)


if __name__ == "__main__":
    main()
