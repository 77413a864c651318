"""An answer for each pixel, by a small network that is trained from scratch. Needs TensorFlow."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from podium import device
from podium.models.writing import for_any_size
from podium.networks import dense, training
from podium.networks.augmentation import Cropped, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels
from podium.tasks.dense import DenseTask

SMALL, DEEPEST = 4, 4  # the side at which there is enough of halving, and the most often that it is halved

predict = dense.predict


def fit(
    data: Dataset,
    *,
    seed: int,
    resume: Path,
    size: int,
    fit: str,
    precision: str,
    sizes: list[int],
    dropout: float,
    width: int,
    flip: bool,
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels: crops of the sides `sizes`, one after the other, each for as many epochs, half of them mirrored
    with `flip`. `width` is the channels of the finest scale. Returns the model and a row for each epoch."""
    settings = training.Schedule(**schedule, label_smoothing=0.0)
    assert isinstance(data.task, DenseTask)
    still = Strengths(
        area=(1, 1), aspect=1, shift=0, rotation=0, flip=flip, light=0, colour=0, mixup=0, cutmix=0, corruptions=[]
    )
    shown = Cropped(Pixels(data.files), data, sizes, settings.epochs, still)
    build = partial(_network, data.task, min(sizes), width, dropout)
    trained, history = training.fit(
        build, shown.feed(), data, settings, seed=seed, precision=precision, gpus=gpus, resume=resume
    )
    plain = dense.rebuilt(trained, build(policy=device.policy(precision)))
    return for_any_size(dense.finished(plain, data.task, size), size, fit), history


def _network(task: DenseTask, side: int, width: int, dropout: float, policy: str) -> keras.Model:
    """Two convolutions at each scale; the side is halved until it is at most 4, at most four times."""
    inputs = keras.Input((None, None, 3))
    found, skipped = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs), []
    for scale in range(min(DEEPEST, math.ceil(math.log2(side / SMALL))) + 1):
        if scale:
            skipped.append(found)
            found = keras.layers.MaxPooling2D(dtype=policy)(found)
        for _ in range(2):
            found = dense.convolved(found, dense.channels(width, scale), 3, policy)
    if not task.link.coarse:
        return dense.answering(inputs, dense.joined(found, skipped, width, policy), task, dropout, policy)
    found = dense.joined(found, skipped[1:], 2 * width, policy)
    return dense.answering(inputs, found, task, dropout, policy)
