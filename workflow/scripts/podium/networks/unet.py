"""An answer for each pixel: a pretrained backbone whose features of each scale a decoder joins. Needs TensorFlow."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from podium import backbones, device
from podium.models.writing import for_any_size
from podium.networks import dense, depthwise, freezing, training
from podium.networks.augmentation import OfPixels, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels
from podium.tasks.dense import DenseTask

SCALES = 5  # halvings of a photo's side

predict = dense.predict


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
    assert isinstance(data.task, DenseTask)
    shown = OfPixels(Pixels(data.files), data, sizes, settings.epochs, Strengths(**augment))
    pretrained = partial(backbones.build, backbone, weights)
    taps = _taps(pretrained(policy="float32", sides=[sizes[0]]), sizes[0])
    decoded = partial(_network, taps=taps, task=data.task, frozen=frozen, dropout=dropout, width=width)
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
    policy = device.policy(precision)
    plain = dense.rebuilt(trained, decoded(pretrained(policy=policy), policy=policy))
    return for_any_size(dense.finished(plain, data.task, size), size, fit), history


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
    network: keras.Model, taps: list[int], task: DenseTask, frozen: float | str, dropout: float, width: int, policy: str
) -> keras.Model:
    """Of photos whose sides are multiples of 32; what is `frozen` does not train. Features of the photo's own size, as
    pictures need them, are made of the photo itself."""
    freezing.freeze(network, frozen, "unet")
    features = [network.layers[place].output for place in taps]
    if not task.link.coarse:
        features.insert(0, keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype=policy)(network.input))
    *finer, coarsest = features
    skipped = [dense.convolved(each, dense.channels(width, scale), 1, policy) for scale, each in enumerate(finer)]
    found = dense.convolved(coarsest, dense.channels(width, len(finer)), 1, policy)
    found = dense.decoded(found, skipped, width, policy)
    return dense.answering(network.input, found, task, dropout, policy)
