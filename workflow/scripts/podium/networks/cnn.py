"""A small residual convolutional network, trained from scratch on the pixels."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from podium import views as cuts
from podium.networks import for_any_size
from podium.pixels import Pixels
from podium.step import Progress

STAGES = 3
PREDICT_BATCH = 256

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def fit(
    parts: list[Path],
    rows: Ints,
    truth: Ints,
    groups: Ints,  # noqa: ARG001 (the networks' common signature)
    count: int,
    *,
    seed: int,
    size: int,
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
    """Fit on these rows of the pixels; `truth` int [n] are their classes of `count`. Copies play no part.

    `width` is the channels of the first stage; `shift` and `zoom` are shares of the side, `rotation` of a
    turn, each the most that a training photo is moved. Returns the model and a row for each epoch.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    network = _network(size, count, width, dropout)
    augment = keras.Sequential(_augmentation(shift, rotation, zoom, flip))
    photos = Pixels(parts)

    def load(some: Ints) -> NDArray[np.uint8]:
        return photos.read(rows[some])

    def batch_of(some: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.ensure_shape(tf.numpy_function(load, [some], tf.uint8), [None, size, size, 3])
        return augment(tf.cast(pixels, tf.float32), training=True), tf.one_hot(tf.gather(truth, some), count)

    steps = -(-len(rows) // batch)
    data = tf.data.Dataset.range(len(rows)).shuffle(len(rows), seed).batch(batch).map(batch_of).prefetch(2)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, (epochs - 1) * steps, warmup_target=learning_rate, warmup_steps=steps
    )
    network.compile(
        keras.optimizers.AdamW(schedule, weight_decay=weight_decay),
        keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
        metrics=["accuracy"],
        steps_per_execution=8,
        jit_compile=False,  # XLA is many times slower on a CPU
    )
    with Progress(epochs * len(rows), "photos") as progress:
        says = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: progress.update(len(rows)))
        history = network.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=[says]).history
    table = pd.DataFrame(history)
    table.insert(0, "epoch", range(1, epochs + 1))
    return for_any_size(network, size), table


def predict(model: Path, parts: list[Path], rows: Ints, views: list[str]) -> Floats:
    """Probabilities float32 [n, classes] of these rows of the pixels, averaged over the views."""
    network, photos = keras.models.load_model(model), Pixels(parts)

    @tf.function(reduce_retracing=True)
    def probabilities(batch: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        side = tf.shape(batch)[1:3]
        cut = tf.image.crop_and_resize(tf.cast(batch, tf.float32), boxes, tf.range(tf.shape(batch)[0]), side)
        return network(tf.cast(tf.round(cut), tf.uint8), training=False)

    found = []
    for some, batch in photos.batches(rows, PREDICT_BATCH):
        found.append(np.mean([probabilities(batch, cuts.boxes(view, some)).numpy() for view in views], axis=0))
    return np.concatenate(found)


def _network(size: int, count: int, width: int, dropout: float) -> keras.Model:
    """Stages of one residual block each, the side halved and the channels doubled from one to the next."""
    inputs = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    x = _conv(x, width)
    for stage in range(STAGES):
        channels = width << stage
        shortcut = keras.layers.Conv2D(channels, 1, use_bias=False)(x)
        x = _conv(_conv(x, channels), channels)
        x = keras.layers.Add()([x, shortcut])
        if stage < STAGES - 1:
            x = keras.layers.MaxPooling2D(padding="same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(count, activation="softmax")(x))


def _conv(x: Any, channels: int) -> Any:
    x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


def _augmentation(shift: float, rotation: float, zoom: float, flip: bool) -> list[keras.Layer]:
    layers: list[keras.Layer] = [
        keras.layers.RandomTranslation(shift, shift, fill_mode="nearest"),
        keras.layers.RandomRotation(rotation, fill_mode="nearest"),
        keras.layers.RandomZoom(zoom, fill_mode="nearest"),
    ]
    return layers + [keras.layers.RandomFlip("horizontal")] * flip
