"""A small residual convolutional network, trained from scratch on the pixels."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import scratch, training

SMALL, WIDEST = 8, 3  # the side at which there is enough of halving; the channels double so often

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
    width: int,
    dropout: float,
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels, `groups` int [n] their copies.

    `width` is the channels of the first convolution; `settings` are those of `scratch.fit`. Returns the
    model and a row for each epoch.
    """
    build = partial(_network, size, targets.shape[1], width, dropout)
    return scratch.fit(build, parts, rows, targets, groups, **settings)


def _network(size: int, count: int, width: int, dropout: float, policy: str) -> keras.Model:
    """Logits. Behind the first convolution the side is halved, the channels double, and a residual block follows,
    twice, and until the side is at most 8.

    Source: Page, "How to train your ResNet", 2018.
    """
    inputs = keras.Input((size, size, 3))
    x = _conv(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs), width, policy)
    for stage in range(1, max(2, math.ceil(math.log2(size / SMALL))) + 1):
        channels = width << min(stage, WIDEST)
        x = _conv(keras.layers.MaxPooling2D(padding="same", dtype=policy)(x), channels, policy)
        x = keras.layers.Add(dtype=policy)([x, _conv(_conv(x, channels, policy), channels, policy)])
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(count)(x))


def _conv(x: Any, channels: int, policy: str) -> Any:
    x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, dtype=policy)(x)
    return keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=scratch.MOMENTUM, dtype=policy)(x))
