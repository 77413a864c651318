"""Fitting networks on pixels, and predicting with them: what all networks but `head` share. Needs TensorFlow."""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from podium import device
from podium.models.reading import load as load_model
from podium.networks.data import Dataset
from podium.photos import views as cuts
from podium.photos.pixels import Pixels
from podium.progress import Progress
from podium.step import log

AHEAD = 2  # batches
SECONDS_BETWEEN_LINES = 30.0  # within an epoch
MIRRORED = "flip"  # the view that shows each pixel, in another place
GUIDE = "val_guide"  # the column of what decides when to stop
SPARED = 10  # where a fit may stop early, one photo in this many decides when
PREDICT_PIXELS, PREDICT_PHOTOS = 64 * 224 * 224, 512  # at most in one batch, so that memory grows with neither
DENSE = 8  # times fewer pixels where each has features of its own

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Tensors = tuple[Any, ...]


class Feed(NamedTuple):
    """How the photos of one step become its batch.

    `draw(some, random, epoch)` reads the photos numbered `some` and draws how they are varied, in numpy;
    `types` are the dtypes of what it returns; `prepare(*drawn)` makes of that the batch and its targets.
    `plain(some)` gives the photos, uint8 or float [n, h, w, 3], as they are, and their targets. `work(epoch)` says how
    long an epoch takes, compared with others.
    """

    draw: Callable[[Ints, np.random.Generator, int], tuple[Any, ...]]
    types: tuple[tf.DType, ...]
    prepare: Callable[..., Tensors]
    plain: Callable[[Ints], tuple[Any, Floats]]
    work: Callable[[int], float] = lambda _: 1.0


class Schedule(NamedTuple):
    """AdamW's settings: `epochs` passes of whole batches, the first one warm-up, then a cosine to zero.

    With a `patience` above 0 one photo in ten is not trained on, whole groups, but for the last of a class. The fit
    stops where the task's `guide` has not said that these are predicted better for so many epochs, and ends at the
    weights of the best one. Source: Prechelt, "Early stopping, but when?", 1998.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    patience: int = 0
    clip: float | None = None


def fit(
    build: Callable[[str], keras.Model],
    feed: Feed,
    data: Dataset,
    schedule: Schedule,
    *,
    seed: int,
    precision: str,
    resume: Path,
    gpus: int = 1,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit the network of logits that `build` makes in a dtype policy, on the photos of a data set.

    Those of a group below 0 never decide when to stop. Returns it with a row for each epoch, of the loss and of what
    the task measures, and of both with `val_` before their names: of the photos that decide when to stop, beside the
    `val_guide` by which they do, or else of those that are only measured, on which nothing is tuned. Each batch is
    divided among `gpus` GPUs.

    What a step sees depends on the seed, the epoch and its number alone, and the state after each epoch is
    kept in the folder `resume`: a fit that was killed resumes there and ends with the same weights.
    """
    keras.utils.set_random_seed(seed)
    policy = device.policy(precision)
    log.info("computes in %s on %s", policy, device.described(gpus))
    held = _stopping(data.strata(), data.groups, seed) if schedule.patience else np.zeros(data.count, bool)
    some, others = np.flatnonzero(~held), np.flatnonzero(held)
    if not held.any():
        others = data.count + np.arange(data.measured)
    steps = max(len(some) // schedule.batch, 1)
    with (strategy := device.strategy(gpus)).scope():
        network = _compiled(build(policy), data, schedule, steps, policy)
        resume.mkdir(parents=True, exist_ok=True)
        backup = _Backup(resume, schedule.patience if held.any() else 0)
        done = backup.restore(network)
    if done:
        log.info("training resumes after epoch %d of %d", done, schedule.epochs)
    if done < schedule.epochs and not backup.waits_no_longer(done):
        shares = steps, min(schedule.batch, len(some))
        told = _Told(schedule.epochs, *shares, feed.work, data.task.measure, early=bool(held.any()))
        unvaried = _unvaried(feed, others, schedule.batch, strategy.num_replicas_in_sync)
        guided = [_Guided(data, others, unvaried)] if held.any() else []
        network.fit(
            _batches(feed, some, schedule, steps, done, seed),
            validation_data=unvaried,
            initial_epoch=done,
            epochs=schedule.epochs,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[*guided, told, keras.callbacks.CSVLogger(resume / "history.csv", append=True), backup],
        )
    if backup.best:
        log.info("the weights are those of epoch %d", backup.best_epoch)
        for variable, value in zip(network.variables, backup.best, strict=True):
            variable.assign(value)
    # A fit killed between the two callbacks has recorded an epoch twice.
    history = pd.read_csv(resume / "history.csv").drop_duplicates("epoch", keep="last")
    measures = ["loss", data.task.measure]
    # Keras writes the validation columns in any case.
    columns = ["epoch", *measures, *(f"val_{name}" for name in measures if len(others))]
    columns += [GUIDE] if held.any() else []
    return network, history.assign(epoch=history.epoch + 1)[columns]


def predict(
    model: Path, parts: list[Path], rows: Ints, views: list[str], saved_model: str | None = None
) -> Iterator[Floats]:
    """Probabilities float32 [n, outputs] of these rows of the pixels, averaged over the views, batch by batch."""
    return average(load(model, saved_model), Pixels(parts), rows, views)


def load(model: Path, saved_model: str | None = None) -> keras.Model:
    """The layers after the resize of a model that `models.reading` reads: stored photos have its size already."""
    return load_model(model, saved_model).layers[-1]


def average(
    network: keras.Model,
    photos: Pixels,
    rows: Ints,
    views: list[str],
    change: Callable[[NDArray[np.uint8], Ints], NDArray[np.uint8]] | None = None,
    beside: Floats | None = None,
    side: int | None = None,
) -> Iterator[Floats]:
    """The same for a loaded network; `change` is applied to each batch of photos, with its rows, first.

    `beside` are numbers beside all photos, float32 [photos, k], for a network that takes them too. A `side` says that
    each photo has [side * side * classes], which are mirrored back where a view is mirrored.
    """

    @tf.function(reduce_retracing=True)
    def probabilities(batch: tf.Tensor, boxes: tf.Tensor, *numbers: tf.Tensor) -> tf.Tensor:
        side = tf.shape(batch)[1:3]
        cut = tf.round(tf.image.crop_and_resize(batch, boxes, tf.range(tf.shape(batch)[0]), side))
        cut = tf.ensure_shape(cut, [None, photos.size, photos.size, 3])
        return network([cut, *numbers] if numbers else cut, training=False)

    most = PREDICT_PIXELS // (photos.size**2 * (DENSE if side else 1))
    with Progress(len(rows), "photos") as progress:
        for some, stored in photos.batches(rows, min(PREDICT_PHOTOS, max(1, most))):
            batch = change(stored, some) if change else stored
            numbers = [] if beside is None else [beside[some]]
            found = [probabilities(batch, cuts.boxes(view, some), *numbers).numpy() for view in views]
            if side:
                found = [
                    _mirrored(each, side) if view == MIRRORED else each for view, each in zip(views, found, strict=True)
                ]
            yield np.mean(found, axis=0)
            progress.update(len(some))


def _mirrored(found: Floats, side: int) -> Floats:
    """Predictions [n, side * side * classes] of mirrored photos as those of the photos."""
    return found.reshape(len(found), side, side, -1)[:, :, ::-1].reshape(found.shape)


class _Guided(keras.callbacks.Callback):
    """Adds to each epoch's figures what the task says of the photos that decide when to stop."""

    def __init__(self, data: Dataset, some: Ints, photos: tf.data.Dataset) -> None:
        super().__init__()
        self._data, self._some, self._photos = data, some, photos

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        logits = self.model.predict(self._photos, verbose=0)[: len(self._some)]
        logs[GUIDE] = self._data.guide(self._some, self._data.task.link.predictions(logits))


class _Told(keras.callbacks.Callback):
    """Reports each epoch and the time that the fit has left, and the progress of long epochs."""

    def __init__(
        self, epochs: int, steps: int, batch: int, work: Callable[[int], float], measure: str, *, early: bool
    ) -> None:
        super().__init__()
        self._measure = measure
        self._epochs, self._steps, self._batch, self._work = epochs, steps, batch, work
        self._others, self._most = ("early stopping", "at most ") if early else ("left out", "")
        self._seconds = self._worked = 0.0
        self._compiled = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._epoch, self._timed = epoch, 0
        self._began = self._ended = self._said = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._ended = time.perf_counter()
        if self._compiled:
            self._timed += 1
        else:  # in the first step of all, which says nothing of the others
            self._compiled, self._began = True, self._ended
        if self._ended - self._said >= SECONDS_BETWEEN_LINES:
            self._said = self._ended
            done = f"{(batch + 1) * self._batch:,} of {self._steps * self._batch:,} photos"
            log.info("epoch %d of %d: %s", self._epoch + 1, self._epochs, done)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = self._ended - self._began
        self._seconds, self._worked = self._seconds + seconds, self._worked + self._work(epoch) * self._timed
        measures = {"loss": "loss", self._measure: self._measure.replace("_", " ")}
        figures = [
            ", ".join(f"{words} {logs[f'{kind}{name}']:.2f}" for name, words in measures.items())
            for kind in ("", "val_")
            if f"{kind}loss" in logs
        ]
        said = f"; {self._others}: ".join(figures)
        if self._timed:
            said += f"; {self._timed * self._batch / seconds:,.0f} photos/s"
            rest = self._steps * sum(map(self._work, range(epoch + 1, self._epochs)))
            said += f", {self._most}{_roughly(self._seconds * rest / self._worked)} left" if rest else ""
        log.info("epoch %d of %d: %s", epoch + 1, self._epochs, said)


def _roughly(seconds: float) -> str:
    """A duration, rounded as a person would."""
    if seconds < 90:
        return f"{max(round(seconds / 10) * 10, 10)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class _Backup(keras.callbacks.Callback):
    """Keeps all variables and the number of completed epochs in one file that is whole at every moment.

    The states of dropout are among them. Keras's own `BackupAndRestore` writes the
    number to a second file, so that a kill between the two repeats an epoch, and leaves those states out; its
    `EarlyStopping` forgets the best epoch when a fit resumes.
    """

    def __init__(self, folder: Path, patience: int) -> None:
        super().__init__()
        self._state, self._partial, self._patience = folder / "state.npz", folder / "partial.npz", patience
        self.best: list[NDArray[Any]] = []
        self._least, self.best_epoch = (np.inf, np.inf), 0

    def restore(self, network: keras.Model) -> int:
        """The epochs that were completed when the state was kept."""
        network.optimizer.build(network.trainable_variables)
        if not self._state.exists():
            return 0
        with np.load(self._state) as kept:
            for number, variable in enumerate(_variables(network)):
                variable.assign(kept[f"arr_{number}"])
            self.best = [kept[name] for name in kept if name.startswith("best_variable_")]
            self._least, self.best_epoch = tuple(kept["least"].tolist()), int(kept["best_epoch"])
            return int(kept["epochs"])

    def waits_no_longer(self, done: int) -> bool:
        """Whether the last `patience` epochs brought no improvement."""
        return bool(self._patience) and done - self.best_epoch >= self._patience

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        values = [keras.ops.convert_to_numpy(variable) for variable in _variables(self.model)]
        # Of epochs between which the guide sees no difference, as where all photos are in order, the loss does.
        if self._patience and logs and (own := (logs[GUIDE], logs["val_loss"])) < self._least:
            self._least, self.best_epoch = own, epoch + 1
            self.best = values[: len(self.model.variables)]
        best: dict[str, Any] = {f"best_variable_{number}": value for number, value in enumerate(self.best)}
        best |= {"least": np.array(self._least), "best_epoch": self.best_epoch}
        np.savez(self._partial, *values, epochs=epoch + 1, **best)
        self._partial.replace(self._state)
        self.model.stop_training = self.waits_no_longer(epoch + 1)


def _variables(network: keras.Model) -> list[keras.Variable]:
    return [*network.variables, *network.optimizer.variables]


def _compiled(network: keras.Model, data: Dataset, schedule: Schedule, steps: int, policy: str) -> keras.Model:
    network.compile(
        _optimizer(schedule, steps, policy),
        data.task.link.loss(schedule.label_smoothing, data.weights),
        metrics=[data.task.measured()],
        jit_compile=bool(device.gpus()),  # XLA is many times slower on a CPU
    )
    return network


def _optimizer(schedule: Schedule, steps: int, policy: str) -> keras.optimizers.Optimizer:
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, (schedule.epochs - 1) * steps, warmup_target=schedule.learning_rate, warmup_steps=steps
    )
    adamw = keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay, clipnorm=schedule.clip)
    return keras.optimizers.LossScaleOptimizer(adamw) if policy == "mixed_float16" else adamw


def _stopping(strata: Ints, groups: Ints, seed: int) -> NDArray[np.bool_]:
    """Which photos decide when to stop; none of fewer than two groups, and none whose class would have no other."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(groups[groups >= 0]))
    held = np.isin(groups, shuffled[: min(max(len(shuffled) // SPARED, 1), len(shuffled) - 1)])
    return held & np.isin(strata, strata[~held])


def _unvaried(feed: Feed, some: Ints, batch: int, devices: int) -> tf.data.Dataset | None:
    """Batches of these photos as they are, pixels float32; None without photos.

    Several devices need as many photos each, so the first ones are shown once more where some are missing.
    """
    if not len(some):
        return None
    some, batch = np.resize(some, -(-len(some) // devices) * devices), max(batch // devices, 1) * devices

    def drawn(start: int) -> tuple[Floats, Floats]:
        photos, targets = feed.plain(some[start : start + batch])
        return np.asarray(photos, np.float32), targets

    photos, targets = drawn(0)
    shapes = [tf.TensorShape([None, *each.shape[1:]]) for each in (photos, targets)]

    def shaped(start: tf.Tensor) -> Tensors:
        read = tf.numpy_function(drawn, [start], (tf.float32, tf.float32))
        return tuple(tf.ensure_shape(each, shape) for each, shape in zip(read, shapes, strict=True))

    return tf.data.Dataset.range(0, len(some), batch).map(shaped).prefetch(AHEAD)


def _batches(feed: Feed, photos: Ints, schedule: Schedule, steps: int, done: int, seed: int) -> tf.data.Dataset:
    """The batches of these photos, of all epochs that are left."""
    order = lru_cache(2)(lambda epoch: np.random.default_rng([seed, epoch]).permutation(photos))

    def drawn(step: int) -> tuple[Any, ...]:
        epoch, at = divmod(int(step), steps)
        some = order(epoch)[at * schedule.batch : (at + 1) * schedule.batch]
        return feed.draw(some, np.random.default_rng([seed, epoch, at]), epoch)

    def batch(step: tf.Tensor) -> Tensors:
        return feed.prepare(*tf.numpy_function(drawn, [step], feed.types))

    numbers = tf.data.Dataset.range(done * steps, schedule.epochs * steps)
    return numbers.map(batch, num_parallel_calls=AHEAD).prefetch(AHEAD)
