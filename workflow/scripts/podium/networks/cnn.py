"""A small residual convolutional network, trained from scratch on the pixels."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from podium import device, training
from podium.networks import for_any_size
from podium.pixels import Pixels

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
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels. Copies play no part.

    `width` is the channels of the first stage; `shift` and `zoom` are shares of the side, `rotation` of a
    turn, each the most that a training photo is moved. Returns the model and a row for each epoch.
    """
    photos, count = Pixels(parts), targets.shape[1]

    def draw(some: Ints, *_: Any) -> tuple[Any, ...]:
        return photos.read(rows[some]), targets[some]

    def prepare(pixels: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.ensure_shape(pixels, [None, size, size, 3])
        return tf.cast(pixels, tf.float32), tf.ensure_shape(targets, [None, count])

    def build(policy: str) -> keras.Model:
        network = _network(size, count, width, dropout, policy)
        return keras.Sequential([network.input, *_augmentation(shift, rotation, zoom, flip), network])

    feed = training.Feed(draw, (tf.uint8, tf.float32), prepare)
    if precision == "auto" and not device.gpus():
        precision = "float32"  # convolutions this small gain nothing from bfloat16 on a CPU
    schedule = training.Schedule(epochs, batch, learning_rate, weight_decay, label_smoothing)
    trained, history = training.fit(build, feed, len(rows), schedule, seed=seed, precision=precision, resume=resume)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")
    network = trained.layers[-1]
    return for_any_size(keras.Model(network.input, probabilities(network.output)), size), history


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


def _augmentation(shift: float, rotation: float, zoom: float, flip: bool) -> list[keras.Layer]:
    layers: list[keras.Layer] = [
        keras.layers.RandomTranslation(shift, shift, fill_mode="nearest"),
        keras.layers.RandomRotation(rotation, fill_mode="nearest"),
        keras.layers.RandomZoom(zoom, fill_mode="nearest"),
    ]
    return layers + [keras.layers.RandomFlip("horizontal")] * flip
