"""A multilayer perceptron, trained from scratch on the pixels: what to beat with anything that knows of images."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import scratch, training

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
    layers: list[int],
    dropout: float,
    shift: float,
    rotation: float,
    zoom: float,
    flip: bool,
    noise: float,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels. Copies play no part.

    `layers` are the units of each hidden layer; the others are those of `Schedule` and of
    `scratch.augmentation`. Returns the model and a row for each epoch.
    """
    return scratch.fit(
        lambda policy: _network(size, targets.shape[1], layers, dropout, policy),
        lambda: scratch.augmentation(shift, rotation, zoom, flip, noise),
        parts,
        rows,
        targets,
        training.Schedule(epochs, batch, learning_rate, weight_decay, label_smoothing),
        seed=seed,
        precision=precision,
        resume=resume,
    )


def _network(size: int, count: int, layers: list[int], dropout: float, policy: str) -> keras.Model:
    """Logits; each hidden layer is normalised and followed by a ReLU and dropout."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    for units in layers:
        x = keras.layers.Dense(units, use_bias=False, dtype=policy)(x)
        x = keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(dtype=policy)(x))
        x = keras.layers.Dropout(dropout, dtype=policy)(x)
    return keras.Model(inputs, keras.layers.Dense(count, dtype="float32")(x))
