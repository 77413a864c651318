"""A small residual convolutional network, trained from scratch on the pixels. Needs TensorFlow."""

import math
from functools import partial
from typing import Any

import keras
import pandas as pd

from podium.networks import scratch, training
from podium.networks.data import Dataset

SMALL, WIDEST = 8, 3  # the side at which there is enough of halving; the channels double so often

predict = training.predict


def fit(data: Dataset, *, size: int, width: int, dropout: float, **settings: Any) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels. `width` is the channels of the first convolution; `settings` are those of `scratch.fit`.

    Returns the model and a row for each epoch.
    """
    return scratch.fit(partial(_network, size, data.outputs, width, dropout), data, **settings)


def _network(size: int, count: int, width: int, dropout: float, policy: str) -> keras.Model:
    """Logits. Behind the first convolution the side is halved, the channels double, and a residual block follows,
    twice, and until the side is at most 8.

    Source: Page, "How to train your ResNet", 2018.
    """
    inputs = keras.Input((size, size, 3))
    # Normalised only behind the pooling, on a quarter of the pixels, where it gives nearly the same.
    x = _convolved(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs), width, policy)
    x = _activated(_halved(x, policy), policy)
    stages = max(2, math.ceil(math.log2(size / SMALL)))
    for stage in range(1, stages + 1):
        channels = width << min(stage, WIDEST)
        x = _block(x, channels, policy)
        x = keras.layers.Add(dtype=policy)([x, _block(_block(x, channels, policy), channels, policy)])
        x = _halved(x, policy) if stage < stages else x
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(count)(x))


def _block(x: Any, channels: int, policy: str) -> Any:
    return _activated(_convolved(x, channels, policy), policy)


def _convolved(x: Any, channels: int, policy: str) -> Any:
    return keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, dtype=policy)(x)


def _halved(x: Any, policy: str) -> Any:
    return keras.layers.MaxPooling2D(padding="same", dtype=policy)(x)


def _activated(x: Any, policy: str) -> Any:
    normalised = keras.layers.BatchNormalization(momentum=scratch.MOMENTUM, dtype=policy)(x)
    return keras.layers.ReLU(dtype=policy)(normalised)
