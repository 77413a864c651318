"""Fitting a network from scratch on whole photos: what `cnn` and `mlp` share. Needs TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podium.models.writing import for_any_size
from podium.networks import training
from podium.networks.augmentation import Augmentation, Strengths
from podium.photos.pixels import Pixels

MOMENTUM = 0.9  # of batch norm; Keras's own 0.99 forgets its initial values only after hundreds of steps

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def fit(
    build: Callable[[str], keras.Model],
    parts: list[Path],
    rows: Ints,
    targets: Floats,
    groups: Ints,
    *,
    seed: int,
    resume: Path,
    fit: str,
    precision: str,
    augment: dict[str, Any],
    gpus: int = 1,
    left_out: tuple[Ints, Floats] | None = None,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit the network of logits that `build` makes in a dtype policy, on these rows of the pixels.

    It takes pixels in 0..255 of the stored size. Each batch is shared out among `gpus` GPUs. `left_out` are rows and
    targets of photos that are only measured. Returns a model of uint8 photos of any size that gives probabilities, and
    a row for each epoch.
    """
    photos, settings = Pixels(parts), training.Schedule(**schedule)
    shown = Augmentation(photos, rows, targets, [photos.size], settings.epochs, Strengths(**augment), left_out)
    labels = targets.argmax(1)
    trained, history = training.fit(
        build, shown.feed(), labels, groups, settings, seed=seed, precision=precision, gpus=gpus, resume=resume
    )
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")
    return for_any_size(keras.Model(trained.input, probabilities(trained.output)), photos.size, fit), history
