"""A multilayer perceptron, trained from scratch on the pixels: what to beat with anything that knows of images.

Needs TensorFlow.
"""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.networks import scratch, training

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

predict = training.predict


def fit(
    parts: list[Path],
    rows: Ints,
    targets: Floats,
    groups: Ints,
    *,
    size: int,
    layers: list[int],
    dropout: float,
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels, `groups` int [n] their groups.

    `layers` are the units of each hidden layer; `settings` are those of `scratch.fit`. Returns the
    model and a row for each epoch.
    """
    build = partial(_network, size, targets.shape[1], layers, dropout)
    return scratch.fit(build, parts, rows, targets, groups, **settings)


def _network(size: int, count: int, layers: list[int], dropout: float, policy: str) -> keras.Model:
    """Logits; each hidden layer is normalised and followed by a ReLU and dropout."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    for units in layers:
        x = keras.layers.Dense(units, use_bias=False, dtype=policy)(x)
        x = keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=scratch.MOMENTUM, dtype=policy)(x))
        x = keras.layers.Dropout(dropout, dtype=policy)(x)
    return keras.Model(inputs, keras.layers.Dense(count, dtype="float32")(x))
