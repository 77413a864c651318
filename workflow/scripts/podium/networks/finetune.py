"""A pretrained backbone trained further on the pixels, with a new head."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from podium import backbones, depthwise, device, training, views
from podium.backbones import saved_model  # noqa: F401 (where Keras finds its layer when it reads a model)
from podium.networks import for_any_size
from podium.pixels import Pixels

CLIP = 1.0  # the most that the gradient of one weight tensor may measure

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
    backbone: str,
    weights: str,
    size: int,
    precision: str,
    sizes: list[int],
    epochs: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    label_smoothing: float,
    dropout: float,
    frozen: int,
    area: list[float],
    rotation: float,
    light: float,
    colour: float,
    mixup: float,
    cutmix: float,
    noise: float,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels. Copies play no part.

    Photos stored at `size` are cut and resized to `sizes`, one after the other, each for as many epochs;
    the first `frozen` convolutions stay as they are. Returns the model and a row for each epoch.
    """
    strengths = {"area": area, "rotation": rotation, "light": light, "colour": colour, "mixup": mixup, "cutmix": cutmix}
    strengths["noise"] = noise
    count = targets.shape[1]
    cuts = _Cuts(Pixels(parts), rows, targets, epochs, sizes, **strengths)
    schedule = training.Schedule(epochs, batch, learning_rate, weight_decay, label_smoothing, CLIP)
    pretrained = partial(backbones.build, backbone, weights, sides={*sizes, size})
    trained, history = training.fit(
        lambda policy: _network(pretrained(policy=policy), count, frozen, dropout),
        cuts.feed(),
        len(rows),
        schedule,
        seed=seed,
        precision=precision,
        resume=resume,
    )
    finished = _finished(trained, pretrained(policy=device.policy(precision)), count)
    return for_any_size(finished, size), history


class _Cuts:
    """Random-resized crops, turned, mirrored and in another light and colour, now and then mixed with each other.

    Sources: Szegedy et al., "Going deeper with convolutions", 2015 (crops); Zhang et al., "mixup", 2018;
    Yun et al., "CutMix", 2019. A whole batch is mixed with itself in reverse order by one draw.
    """

    def __init__(self, photos: Pixels, rows: Ints, targets: Floats, epochs: int, sizes: list[int], **strengths: Any):
        self.photos, self.rows, self.targets = photos, rows, targets
        self.epochs, self.sizes = epochs, sizes
        self.area, self.rotation = strengths["area"], strengths["rotation"]
        self.light, self.colour = strengths["light"], strengths["colour"]
        self.noise = strengths["noise"]
        self.mixes = [(kind, strengths[kind]) for kind in ("mixup", "cutmix") if strengths[kind]]

    def feed(self) -> training.Feed:
        return training.Feed(self.draw, (tf.uint8, tf.int32, *[tf.float32] * 4, tf.int32, tf.float32), self.prepare)

    def draw(self, some: Ints, random: np.random.Generator, epoch: int) -> tuple[Any, ...]:
        """Pixels, side, transforms, gains (contrast, then one for each colour), what is mixed in, a seed, targets."""
        side = self.sizes[epoch * len(self.sizes) // self.epochs]
        boxes = np.array([views.crop(random, *self.area) for _ in some])
        turns = random.uniform(-self.rotation, self.rotation, len(some))
        contrast = random.uniform(1 - self.light, 1 + self.light, (len(some), 1))
        brightness = random.uniform(1 - self.light, 1 + self.light, (len(some), 1))
        colours = brightness * random.uniform(1 - self.colour, 1 + self.colour, (len(some), 3))
        gains = np.concatenate([contrast, colours], 1).astype(np.float32)
        transforms = views.transforms(boxes, turns, self.photos.size, side)
        return (
            self.photos.read(self.rows[some]),
            np.int32(side),
            transforms,
            gains,
            *self._mix(random),
            random.integers(2**31, size=2, dtype=np.int32),
            self.targets[some],
        )

    def prepare(
        self, pixels: Any, side: Any, transforms: Any, gains: Any, region: Any, share: Any, seed: Any, targets: Any
    ) -> Any:
        cut = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.ensure_shape(pixels, [None, None, None, 3]),
            transforms=transforms,
            output_shape=tf.stack([side, side]),
            interpolation="BILINEAR",
            fill_mode="REFLECT",
            fill_value=0.0,
        )
        cut = tf.cast(cut, tf.float32) + 0.5  # the op rounds down
        contrast, colours = tf.split(tf.reshape(gains, [-1, 1, 1, 4]), [1, 3], 3)
        mean = tf.reduce_mean(cut, [1, 2], keepdims=True)
        cut = tf.clip_by_value(cut * (contrast * colours) + mean * (colours - contrast * colours), 0, 255)
        targets = tf.ensure_shape(targets, [None, self.targets.shape[1]])
        if self.mixes:
            mixed = share * _inside(region, side)
            cut += (tf.reverse(cut, [0]) - cut) * mixed
            targets += (tf.reverse(targets, [0]) - targets) * tf.reduce_mean(mixed)
        if self.noise:
            cut += tf.random.stateless_normal(tf.shape(cut), tf.ensure_shape(seed, [2]), stddev=255 * self.noise)
        return tf.ensure_shape(cut, [None, None, None, 3]), targets

    def _mix(self, random: np.random.Generator) -> tuple[NDArray[np.float32], np.float32]:
        """Which region of a batch takes how much of the other photo."""
        if not self.mixes:
            return np.zeros(4, np.float32), np.float32(0)
        kind, alpha = self.mixes[random.integers(len(self.mixes))]
        share = random.beta(alpha, alpha)
        if kind == "mixup":
            return np.array([0, 0, 1, 1], np.float32), np.float32(min(share, 1 - share))
        side = np.sqrt(share)
        top, left = random.uniform(0, 1 - side, 2)
        return np.array([top, left, top + side, left + side], np.float32), np.float32(1)


def _inside(region: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """1 where a pixel's centre lies in the region, else 0: float32 [side, side, 1]."""
    at = (tf.range(tf.cast(side, tf.float32)) + 0.5) / tf.cast(side, tf.float32)
    rows, columns = (tf.cast((at >= region[axis]) & (at < region[axis + 2]), tf.float32) for axis in range(2))
    return (rows[:, None] * columns[None])[..., None]


def _network(pretrained: keras.Model, count: int, frozen: int, dropout: float) -> keras.Model:
    """Logits of photos of any size; the first `frozen` layers with weights do not train.

    Nor does a batch norm that could not be folded away: its statistics of few photos would be worse than its own.
    """
    network = depthwise.with_fast_gradients(pretrained)
    for number, layer in enumerate(layer for layer in network.layers if layer.weights):
        layer.trainable = number >= frozen and not isinstance(layer, keras.layers.BatchNormalization)
    features = keras.layers.Dropout(dropout)(network.output)
    return keras.Model(network.input, keras.layers.Dense(count, dtype="float32", name="logits")(features))


def _finished(trained: keras.Model, plain: keras.Model, count: int) -> keras.Model:
    """The trained weights in the network as it was built, without our layers, which gives probabilities."""
    plain.set_weights(trained.get_weights()[: len(plain.weights)])
    head = keras.layers.Dense(count, activation="softmax", dtype="float32", name="probabilities")
    model = keras.Model(plain.input, head(plain.output))
    head.set_weights(trained.get_layer("logits").get_weights())
    return model
