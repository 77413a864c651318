"""A class for each pixel: a backbone whose features of each scale are joined by a decoder. Needs TensorFlow.

Source: Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import backbones, device, tasks
from podium.models.reading import saved_metadata
from podium.models.writing import for_any_size
from podium.networks import depthwise, freezing, training
from podium.networks.augmentation import OfPixels, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels

SCALES = 5  # halvings of a photo's side
MOMENTUM = 0.9  # of batch norms, as fits may have few steps

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def fit(
    data: Dataset,
    *,
    seed: int,
    resume: Path,
    backbone: str,
    weights: str,
    size: int,
    fit: str,
    precision: str,
    sizes: list[int],
    dropout: float,
    frozen: float | str,
    width: int,
    augment: dict[str, Any],
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels; arguments and result as of `finetune.fit`. The decoder has `width` channels at the finest scale,
    and twice as many, at most eight times, at each coarser one."""
    settings = training.Schedule(**schedule, clip=freezing.CLIP)
    classes = len(data.labels)
    shown = OfPixels(Pixels(data.files), data, sizes, settings.epochs, Strengths(**augment), classes)
    pretrained = partial(backbones.build, backbone, weights)
    taps = _taps(pretrained(policy="float32", sides=[sizes[0]]), sizes[0])
    decoded = partial(_network, taps=taps, classes=classes, frozen=frozen, dropout=dropout, width=width)
    trained, history = training.fit(
        lambda policy: decoded(depthwise.with_fast_gradients(pretrained(policy=policy)), policy=policy),
        shown.feed(),
        data,
        settings,
        seed=seed,
        precision=precision,
        gpus=gpus,
        resume=resume,
    )
    plain = decoded(pretrained(policy=(policy := device.policy(precision))), policy=policy)
    plain.set_weights(trained.get_weights())
    return for_any_size(_finished(plain, size, data.task.side), size, fit), history


def predict(
    model: Path, parts: list[Path], rows: Ints, views: list[str], saved_model: str | None = None
) -> Iterator[Floats]:
    """Probabilities float32 [n, side * side * classes] of these rows of the pixels; those of a mirrored photo are
    mirrored back before they are averaged."""
    side = tasks.task(saved_metadata(model)["task"]).side
    return training.average(training.load(model, saved_model), Pixels(parts), rows, views, side=side)


def _taps(network: keras.Model, side: int) -> list[int]:
    """The places of the last layers of each scale, the finest first, of a network for photos of this side."""
    found: dict[int, int] = {}
    for place, layer in enumerate(network.layers):
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] < side:
            found[shape[1]] = place
    sides = [-(-side // 2**scale) for scale in range(1, SCALES + 1)]
    return [found[each] for each in sides if each in found]


def _network(
    network: keras.Model, taps: list[int], classes: int, frozen: float | str, dropout: float, width: int, policy: str
) -> keras.Model:
    """Logits [n, h / 2, w / 2, classes] of photos whose sides are multiples of 32; what is `frozen` does not train."""
    freezing.freeze(network, frozen, "unet")
    features = [network.layers[place].output for place in taps]
    convolve = partial(_convolved, policy=policy)
    found = convolve(features[-1], min(width * 2 ** (len(taps) - 1), 8 * width), 1)
    for scale in reversed(range(len(taps) - 1)):
        channels = min(width * 2**scale, 8 * width)
        found = keras.layers.UpSampling2D(dtype=policy)(found)
        found = keras.layers.Concatenate(dtype=policy)([found, convolve(features[scale], channels, 1)])
        found = convolve(convolve(found, channels, 3), channels, 3)
    found = keras.layers.SpatialDropout2D(dropout, dtype=policy)(found)
    logits = keras.layers.Conv2D(classes, 1, dtype="float32", name="logits")(found)
    return keras.Model(network.input, logits)


def _convolved(features: Any, channels: int, kernel: int, policy: str) -> Any:
    found = keras.layers.Conv2D(channels, kernel, padding="same", use_bias=False, dtype=policy)(features)
    return keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=policy)(found))


def _finished(trained: keras.Model, size: int, side: int) -> keras.Model:
    """Probabilities [n, side * side * classes] of photos of this size."""
    inputs = keras.Input((size, size, 3))
    probabilities = keras.layers.Softmax(dtype="float32")(trained(inputs, training=False))
    resized = keras.layers.Resizing(side, side, dtype="float32")(probabilities)
    return keras.Model(inputs, keras.layers.Flatten(dtype="float32")(resized))
