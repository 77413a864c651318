"""A multilayer perceptron, trained from scratch on the pixels: what to beat with anything that knows of images.

Needs TensorFlow.
"""

from functools import partial
from typing import Any

import keras
import pandas as pd

from podium.networks import scratch, training
from podium.networks.data import Dataset

predict = training.predict


def fit(
    data: Dataset, *, size: int, layers: list[int], dropout: float, **settings: Any
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels. `layers` are the units of each hidden layer; `settings` are those of `scratch.fit`.

    Returns the model and a row for each epoch.
    """
    return scratch.fit(partial(_network, size, data.outputs, layers, dropout), data, **settings)


def _network(size: int, count: int, layers: list[int], dropout: float, policy: str) -> keras.Model:
    """Logits; each hidden layer is normalised and followed by a ReLU and dropout."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    for units in layers:
        x = keras.layers.Dense(units, use_bias=False, dtype=policy)(x)
        x = keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=scratch.MOMENTUM, dtype=policy)(x))
        x = keras.layers.Dropout(dropout, dtype=policy)(x)
    return keras.Model(inputs, keras.layers.Dense(count, dtype="float32")(x))
