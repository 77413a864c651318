"""What networks share that answer each pixel, on a backbone or from scratch. Needs TensorFlow."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
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
from podium.tasks.dense import DenseTask

MOMENTUM = 0.9  # of batch norms, as fits may have few steps
MOST = 8  # times the width, of the coarsest scales
TILE, OVERLAP, STRIDE = (
    512,
    128,
    32,
)  # sides of what a large photo is answered in, and what their places are multiples of

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Decode = Callable[[dict[int, Any], int, str], Any]


def fit(
    decode: Decode,
    data: Dataset,
    where: str,
    coarsest: int,
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
    enlarge: int,
    augment: dict[str, Any],
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit a backbone and what is behind it on pixels; arguments and result as of `finetune.fit`.

    `decode` makes features of the photo's size, or of half of it, of those of a backbone, by how often the photo's side
    is theirs, of a backbone up to the stride `coarsest`, with `width` channels, in a dtype policy; `where` is the
    network's name. The backbone is shown photos that are `enlarge` times as large.
    """
    task = data.task
    assert isinstance(task, DenseTask)
    settings = training.Schedule(**schedule, clip=freezing.CLIP)
    shown = OfPixels(Pixels(data.files), data, sizes, settings.epochs, Strengths(**augment))
    pretrained = partial(backbones.build, backbone, weights)
    shown_at = enlarge * sizes[0]
    scales = _scales(pretrained(policy="float32", sides=[shown_at]), shown_at, coarsest)

    def network(plain: keras.Model, policy: str) -> keras.Model:
        photo = keras.Input((None, None, 3))
        features = _features(photo, freezing.freeze(plain, frozen, where), scales, enlarge, policy)
        finest = 2 if task.link.coarse else 1
        seen = {stride: each for stride, each in features.items() if stride >= finest}
        return answering(photo, decode(seen, width, policy), task, dropout, policy)

    trained, history = training.fit(
        lambda policy: network(depthwise.with_fast_gradients(pretrained(policy=policy)), policy),
        shown.feed(),
        data,
        settings,
        seed=seed,
        precision=precision,
        gpus=gpus,
        resume=resume,
    )
    policy = device.policy(precision)
    plain = rebuilt(trained, network(pretrained(policy=policy), policy))
    return for_any_size(finished(plain, task, size), size, fit), history


def _scales(network: keras.Model, side: int, coarsest: int) -> dict[int, int]:
    """The places of the last layers of each stride, the finest first, of a network for photos of this side."""
    found: dict[int, int] = {}
    for place, layer in enumerate(network.layers):
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] < side:
            found[shape[1]] = place
    sides = {stride: -(-side // stride) for stride in (2**scale for scale in range(1, coarsest.bit_length()))}
    return {stride: found[each] for stride, each in sides.items() if each in found}


def _features(photo: Any, backbone: keras.Model, scales: dict[int, int], enlarge: int, policy: str) -> dict[int, Any]:
    """A backbone's features of each scale of a photo, and the photo itself as those of its own size."""
    outputs = {stride: backbone.layers[place].output for stride, place in scales.items()}
    shown = keras.layers.UpSampling2D(enlarge, interpolation="bilinear")(photo) if enlarge > 1 else photo
    found = keras.Model(backbone.input, list(outputs.values()))(shown)
    itself = keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype=policy)(photo)
    of_scale = {stride // enlarge: each for stride, each in zip(outputs, found, strict=True) if stride >= enlarge}
    if 1 in of_scale:
        itself = keras.layers.Concatenate(dtype=policy)([itself, of_scale[1]])
    return of_scale | {1: itself}


def channels(width: int, scale: int) -> int:
    """Those at a scale, of 0 for the finest."""
    return width * min(2**scale, MOST)


def convolved(features: Any, count: int, kernel: int, policy: str, rate: int = 1) -> Any:
    convolve = keras.layers.Conv2D(count, kernel, padding="same", use_bias=False, dilation_rate=rate, dtype=policy)
    return activated(convolve(features), policy)


def activated(found: Any, policy: str) -> Any:
    return keras.layers.ReLU(dtype=policy)(keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=policy)(found))


def joined(found: Any, skipped: list[Any], width: int, policy: str) -> Any:
    """The coarsest features, joined with those that each finer scale has kept, the finest first."""
    for scale in reversed(range(len(skipped))):
        count = channels(width, scale)
        found = keras.layers.UpSampling2D(dtype=policy)(found)
        found = keras.layers.Concatenate(dtype=policy)([found, skipped[scale]])
        found = convolved(convolved(found, count, 3, policy), count, 3, policy)
    return found


def answering(photo: Any, found: Any, task: DenseTask, dropout: float, policy: str) -> keras.Model:
    """A network of a photo's features of the finest scale, whose output the loss takes."""
    found = keras.layers.SpatialDropout2D(dropout, dtype=policy)(found)
    start = "glorot_uniform" if task.link.coarse else "zeros"  # what is added to a photo is nothing at first
    logits = keras.layers.Conv2D(task.link.channels, 1, kernel_initializer=start, dtype="float32", name="logits")(found)
    return keras.Model(photo, task.link.output(photo, logits))


def finished(trained: keras.Model, task: DenseTask, size: int) -> keras.Model:
    """Predictions [n, side * side * channels] of photos of this size, large ones in tiles."""
    inputs = keras.Input((size, size, 3))

    def answered(part: Any) -> Any:
        return task.link.finished(trained(part, training=False))

    found = answered(inputs) if size <= TILE else _stitched(inputs, answered, size)
    if found.shape[1] != task.side:
        found = keras.layers.Resizing(task.side, task.side, dtype="float32")(found)
    return keras.Model(inputs, keras.layers.Flatten(dtype="float32")(found))


def _stitched(photo: Any, answered: Callable[[Any], Any], size: int) -> Any:
    """The answers to tiles that overlap; where several tell of a pixel, each counts the more the farther it is inside.

    So memory grows with the tile, not with the photo, and no edge of a tile is seen.
    """
    count = math.ceil((size - OVERLAP) / (TILE - OVERLAP))
    starts = [round(place * (size - TILE) / (count - 1) / STRIDE) * STRIDE for place in range(count)]
    parts = []
    for top, left in product(starts, repeat=2):
        found = answered(photo[:, top : top + TILE, left : left + TILE])
        scale = TILE // found.shape[1]
        for equation, start in (("nhwc,hy->nywc", top), ("nhwc,wx->nhxc", left)):
            shape = list(found.shape[1:])
            shape["hw".index(equation[5])] = size // scale
            place = keras.layers.EinsumDense(equation, shape, trainable=False, dtype="float32")
            place.build(found.shape)
            place.set_weights(
                [_shares([each // scale for each in starts], start // scale, size // scale, TILE // scale)]
            )
            found = place(found)
        parts.append(found)
    return keras.layers.Add(dtype="float32")(parts)


def _shares(starts: list[int], start: int, size: int, tile: int) -> Floats:
    """How much of each place in a tile that starts here goes where along a side, float32 [tile, size].

    What all tiles give to a place adds up to 1.
    """
    inside = np.minimum(np.arange(tile) + 1, tile - np.arange(tile)).astype(np.float32)
    total = np.zeros(size, np.float32)
    for each in starts:
        total[each : each + tile] += inside
    found = np.zeros((tile, size), np.float32)
    places = np.arange(tile)
    found[places, start + places] = inside / total[start + places]
    return found


def rebuilt(trained: keras.Model, plain: keras.Model) -> keras.Model:
    """The network as it was built, with the weights of a fit and without what only that needs, such as the loss."""
    plain.set_weights(trained.get_weights())
    return plain


def predict(
    model: Path, parts: list[Path], rows: Ints, views: list[str], saved_model: str | None = None
) -> Iterator[Floats]:
    """Predictions float32 [n, side * side * channels] of these rows of the pixels; those of a mirrored photo are
    mirrored back before they are averaged."""
    task = tasks.task(saved_metadata(model)["task"])
    assert isinstance(task, DenseTask)
    return training.average(training.load(model, saved_model), Pixels(parts), rows, views, side=task.side)
