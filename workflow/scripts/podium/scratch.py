"""Fitting a network from scratch on whole photos, moved a little: what `cnn` and `mlp` share. Needs TensorFlow."""

from collections.abc import Callable
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

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def fit(
    build: Callable[[str], keras.Model],
    augmentation: Callable[[], list[keras.Layer]],
    parts: list[Path],
    rows: Ints,
    targets: Floats,
    schedule: training.Schedule,
    *,
    seed: int,
    precision: str,
    resume: Path,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit the network of logits that `build` makes in a dtype policy, on these rows of the pixels.

    It takes pixels in 0..255, through the layers of `augmentation` while it is fitted; both are made when the seed is
    set. Returns a model of uint8 photos of any
    size that gives probabilities, and a row for each epoch.
    """
    photos = Pixels(parts)

    def draw(some: Ints, *_: Any) -> tuple[Any, ...]:
        return photos.read(rows[some]), targets[some]

    def prepare(pixels: tf.Tensor, truth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.ensure_shape(pixels, [None, photos.size, photos.size, 3])
        return tf.cast(pixels, tf.float32), tf.ensure_shape(truth, [None, targets.shape[1]])

    def augmented(policy: str) -> keras.Model:
        network = build(policy)
        return keras.Sequential([network.input, *augmentation(), network])

    if precision == "auto" and not device.gpus():
        precision = "float32"  # networks this small gain nothing from bfloat16 on a CPU
    feed = training.Feed(draw, (tf.uint8, tf.float32), prepare)
    trained, history = training.fit(augmented, feed, len(rows), schedule, seed=seed, precision=precision, resume=resume)
    network = trained.layers[-1]
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")
    return for_any_size(keras.Model(network.input, probabilities(network.output)), photos.size), history


def augmentation(shift: float, rotation: float, zoom: float, flip: bool, noise: float) -> list[keras.Layer]:
    """Layers that move a photo, `shift` and `zoom` by shares of its side and `rotation` of a turn, each the most.

    `noise` is the standard deviation of white Gaussian noise, as a share of white.
    """
    layers: list[keras.Layer] = [
        keras.layers.RandomTranslation(shift, shift, fill_mode="nearest"),
        keras.layers.RandomRotation(rotation, fill_mode="nearest"),
        keras.layers.RandomZoom(zoom, fill_mode="nearest"),
    ]
    layers += [keras.layers.RandomFlip("horizontal")] * flip
    if noise:  # Keras's layer is for values up to 1
        layers += [keras.layers.Rescaling(1 / 255), keras.layers.GaussianNoise(noise), keras.layers.Rescaling(255.0)]
    return layers
