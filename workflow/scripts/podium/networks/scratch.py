"""Fitting a network from scratch on whole photos: what `cnn` and `mlp` share. Needs TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from podium.models.writing import for_any_size
from podium.networks import training
from podium.networks.augmentation import Augmentation, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels

MOMENTUM = 0.9  # of batch norm; Keras's own 0.99 forgets its initial values only after hundreds of steps


def fit(
    build: Callable[[str], keras.Model],
    data: Dataset,
    *,
    seed: int,
    resume: Path,
    fit: str,
    precision: str,
    augment: dict[str, Any],
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit the network of logits that `build` makes in a dtype policy, on pixels.

    It takes pixels in 0..255 of the stored size. Each batch is shared out among `gpus` GPUs. Returns a model of uint8
    photos of any size that gives predictions, and a row for each epoch.
    """
    photos, settings = Pixels(data.files), training.Schedule(**schedule)
    shown = Augmentation(photos, data, [photos.size], settings.epochs, Strengths(**augment))
    trained, history = training.fit(
        build, shown.feed(), data, settings, seed=seed, precision=precision, gpus=gpus, resume=resume
    )
    logits = trained.layers[-1]
    centre, spread = data.scale
    kernel, bias = logits.get_weights()
    logits.set_weights([kernel * spread, bias * spread + centre])
    probabilities = keras.layers.Activation(data.task.link.activation, dtype="float32", name="probabilities")
    return for_any_size(keras.Model(trained.input, probabilities(trained.output)), photos.size, fit), history
