"""A pretrained backbone trained further on the pixels, with a new head."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium import backbones, depthwise, device, training
from podium.augmentation import Augmentation, Strengths
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
    groups: Ints,
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
    frozen: int,
    augment: dict[str, Any],
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on these rows of the pixels; `targets` float32 [n, classes] are their labels, `groups` int [n] their groups.

    Photos stored at `size` are cut and resized to `sizes`, one after the other, each for as many epochs;
    the first `frozen` convolutions stay as they are. `augment` are the `augmentation.Strengths`, `schedule` the
    settings of `training.Schedule`; each batch is shared out among `gpus` GPUs. Returns the model and a row for each
    epoch.
    """
    count, settings = targets.shape[1], training.Schedule(**schedule, clip=CLIP)
    shown = Augmentation(Pixels(parts), rows, targets, sizes, settings.epochs, Strengths(**augment))
    pretrained = partial(backbones.build, backbone, weights, sides={*sizes, size})
    trained, history = training.fit(
        lambda policy: _network(pretrained(policy=policy), count, frozen, dropout),
        shown.feed(),
        targets.argmax(1),
        groups,
        settings,
        seed=seed,
        precision=precision,
        gpus=gpus,
        resume=resume,
    )
    finished = _finished(trained, pretrained(policy=device.policy(precision)), count)
    return for_any_size(finished, size, fit), history


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
