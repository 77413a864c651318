"""Fitting networks on pixels, and predicting with them: what all networks but `head` share. Needs TensorFlow."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from podium import device
from podium import views as cuts
from podium.pixels import Pixels
from podium.step import Progress, log

AHEAD = 2  # batches
PREDICT_PIXELS = 64 * 224 * 224  # in one batch, so that memory does not grow with the size

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Tensors = tuple[Any, ...]


class Feed(NamedTuple):
    """How the photos of one step become its batch.

    `draw(some, random, epoch)` reads the photos numbered `some` and draws how they are varied, in numpy;
    `types` are the dtypes of what it returns; `prepare(*drawn)` makes of that the batch and its targets.
    """

    draw: Callable[[Ints, np.random.Generator, int], tuple[Any, ...]]
    types: tuple[tf.DType, ...]
    prepare: Callable[..., Tensors]


class Schedule(NamedTuple):
    """AdamW's settings: `epochs` passes of whole batches, the first one warm-up, then a cosine to zero."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    clip: float | None = None


def fit(
    build: Callable[[str], keras.Model],
    feed: Feed,
    count: int,
    schedule: Schedule,
    *,
    seed: int,
    precision: str,
    resume: Path,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit the network of logits that `build` makes in a dtype policy, on `count` photos.

    Returns it with a row of loss and accuracy for each epoch.

    What a step sees depends on the seed, the epoch and its number alone, and the state after each epoch is
    kept in the folder `resume`: a fit that was killed goes on there and ends at the same weights.
    """
    keras.utils.set_random_seed(seed)
    policy = device.policy(precision)
    steps = max(count // schedule.batch, 1)
    with device.strategy().scope():
        network = build(policy)
        network.compile(
            _optimizer(schedule, steps, policy),
            keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=schedule.label_smoothing),
            metrics=["accuracy"],
            jit_compile=bool(device.gpus()),  # XLA is many times slower on a CPU
        )
        resume.mkdir(parents=True, exist_ok=True)
        backup = _Backup(resume)
        done = backup.restore(network)
    if done:
        log.info("goes on behind epoch %d of %d", done, schedule.epochs)
    photos = steps * min(schedule.batch, count)
    with Progress((schedule.epochs - done) * photos, "photos") as progress:
        says = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: progress.update(photos // steps))
        if done < schedule.epochs:
            network.fit(
                _batches(feed, count, schedule, steps, done, seed),
                initial_epoch=done,
                epochs=schedule.epochs,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                callbacks=[says, keras.callbacks.CSVLogger(resume / "history.csv", append=True), backup],
            )
    # Killed between the two callbacks, an epoch stands there twice.
    history = pd.read_csv(resume / "history.csv").drop_duplicates("epoch", keep="last")
    return network, history.assign(epoch=history.epoch + 1)[["epoch", "loss", "accuracy"]]


def predict(model: Path, parts: list[Path], rows: Ints, views: list[str]) -> Floats:
    """Probabilities float32 [n, classes] of these rows of the pixels, averaged over the views."""
    return average(load(model), Pixels(parts), rows, views)


def load(model: Path) -> keras.Model:
    """What stands behind the resize of a saved model: stored photos have its size."""
    device.gpus()
    return keras.models.load_model(model).layers[-1]


def average(
    network: keras.Model,
    photos: Pixels,
    rows: Ints,
    views: list[str],
    change: Callable[[NDArray[np.uint8], Ints], NDArray[np.uint8]] | None = None,
) -> Floats:
    """The same of a network that is loaded; each batch of photos goes through `change`, with its rows, before."""

    @tf.function(reduce_retracing=True)
    def probabilities(batch: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        side = tf.shape(batch)[1:3]
        cut = tf.image.crop_and_resize(batch, boxes, tf.range(tf.shape(batch)[0]), side)
        return network(tf.round(cut), training=False)

    found = []
    with Progress(len(rows), "photos") as progress:
        for some, stored in photos.batches(rows, max(1, PREDICT_PIXELS // photos.size**2)):
            batch = change(stored, some) if change else stored
            found.append(np.mean([probabilities(batch, cuts.boxes(view, some)).numpy() for view in views], axis=0))
            progress.update(len(some))
    return np.concatenate(found)


class _Backup(keras.callbacks.Callback):
    """Keeps all variables and the number of epochs behind them, in one file that is whole at every moment.

    The states of dropout and of augmentation layers are among them. Keras's own `BackupAndRestore` writes the
    number to a second file, so that a kill between the two repeats an epoch, and leaves those states out.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._state, self._partial = folder / "state.npz", folder / "partial.npz"

    def restore(self, network: keras.Model) -> int:
        """Epochs that the kept state has behind it."""
        network.optimizer.build(network.trainable_variables)
        if not self._state.exists():
            return 0
        with np.load(self._state) as kept:
            for number, variable in enumerate(_variables(network)):
                variable.assign(kept[f"arr_{number}"])
            return int(kept["epochs"])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 (Keras's signature)
        values = [keras.ops.convert_to_numpy(variable) for variable in _variables(self.model)]
        np.savez(self._partial, *values, epochs=epoch + 1)
        self._partial.replace(self._state)


def _variables(network: keras.Model) -> list[keras.Variable]:
    return [*network.variables, *network.optimizer.variables]


def _optimizer(schedule: Schedule, steps: int, policy: str) -> keras.optimizers.Optimizer:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, (schedule.epochs - 1) * steps, warmup_target=schedule.learning_rate, warmup_steps=steps
    )
    adamw = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay, clipnorm=schedule.clip)
    return keras.optimizers.LossScaleOptimizer(adamw) if policy == "mixed_float16" else adamw


def _batches(feed: Feed, count: int, schedule: Schedule, steps: int, done: int, seed: int) -> tf.data.Dataset:
    """The batches of all epochs that are left."""
    order = lru_cache(2)(lambda epoch: np.random.default_rng([seed, epoch]).permutation(count))

    def drawn(step: int) -> tuple[Any, ...]:
        epoch, at = divmod(int(step), steps)
        some = order(epoch)[at * schedule.batch : (at + 1) * schedule.batch]
        return feed.draw(some, np.random.default_rng([seed, epoch, at]), epoch)

    def batch(step: tf.Tensor) -> Tensors:
        return feed.prepare(*tf.numpy_function(drawn, [step], feed.types))

    numbers = tf.data.Dataset.range(done * steps, schedule.epochs * steps)
    return numbers.map(batch, num_parallel_calls=AHEAD).prefetch(AHEAD)
