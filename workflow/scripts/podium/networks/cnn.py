"""A small residual convolutional network, trained from scratch on the pixels."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import scratch, training

STAGES = 3

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

predict = training.predict


def fit(
    parts: list[Path],
    rows: Ints,
    targets: Floats,
    groups: Ints,  # noqa: ARG001 (the networks' common signature)
    *,
    seed: int,
    resume: Path,
    size: int,
    precision: str,
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    width: int,
    dropout: float,
    shift: float,
    rotation: float,
    zoom: float,
    flip: bool,
    noise: float,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels. Copies play no part.

    `width` is the channels of the first stage; the others are those of `Schedule` and of
    `scratch.augmentation`. Returns the model and a row for each epoch.
    """
    return scratch.fit(
        lambda policy: _network(size, targets.shape[1], width, dropout, policy),
        lambda: scratch.augmentation(shift, rotation, zoom, flip, noise),
        parts,
        rows,
        targets,
        training.Schedule(epochs, batch, learning_rate, weight_decay, label_smoothing),
        seed=seed,
        precision=precision,
        resume=resume,
    )


def _network(size: int, count: int, width: int, dropout: float, policy: str) -> keras.Model:
    """Logits; stages of one residual block each, the side halved and the channels doubled from one to the next."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = _conv(x, width, policy)
    for stage in range(STAGES):
        channels = width << stage
        shortcut = keras.layers.Conv2D(channels, 1, use_bias=False, dtype=policy)(x)
        x = _conv(_conv(x, channels, policy), channels, policy)
        x = keras.layers.Add(dtype=policy)([x, shortcut])
        if stage < STAGES - 1:
            x = keras.layers.MaxPooling2D(padding="same", dtype=policy)(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(count)(x))


def _conv(x: Any, channels: int, policy: str) -> Any:
    x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, dtype=policy)(x)
    return keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(dtype=policy)(x))
