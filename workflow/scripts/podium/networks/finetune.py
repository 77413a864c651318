"""A pretrained backbone trained further on the pixels, with a new head. Needs TensorFlow."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from podium import backbones, device
from podium.models.writing import for_any_size
from podium.networks import depthwise, freezing, training
from podium.networks.augmentation import Augmentation, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels

predict = training.predict


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
    augment: dict[str, Any],
    gpus: int = 1,
    **schedule: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Fit on pixels.

    Photos stored at `size` are cut and resized to `sizes`, one after the other, each for as many epochs;
    of the backbone's layers `frozen` stay as they are: a share from the first one on, or up to the last one of a stage
    of that name. `augment` are the `augmentation.Strengths`, `schedule` the settings of `training.Schedule`; each batch
    is shared out among `gpus` GPUs. Returns the model and a row for each epoch. Raises BadInput where there is no such
    stage, and where only the head would train.
    """
    settings = training.Schedule(**schedule, clip=freezing.CLIP)
    shown = Augmentation(Pixels(data.files), data, sizes, settings.epochs, Strengths(**augment))
    pretrained = partial(backbones.build, backbone, weights, sides={*sizes, size})
    trained, history = training.fit(
        lambda policy: _network(pretrained(policy=policy), data.outputs, frozen, dropout),
        shown.feed(),
        data,
        settings,
        seed=seed,
        precision=precision,
        gpus=gpus,
        resume=resume,
    )
    finished = _finished(trained, pretrained(policy=device.policy(precision)), data)
    return for_any_size(finished, size, fit), history


def _network(pretrained: keras.Model, count: int, frozen: float | str, dropout: float) -> keras.Model:
    """Logits of photos of any size."""
    network = freezing.freeze(depthwise.with_fast_gradients(pretrained), frozen, "finetune")
    features = keras.layers.Dropout(dropout)(network.output)
    return keras.Model(network.input, keras.layers.Dense(count, dtype="float32", name="logits")(features))


def _finished(trained: keras.Model, plain: keras.Model, data: Dataset) -> keras.Model:
    """The trained weights in the network as it was built, without our layers, which gives probabilities."""
    plain.set_weights(trained.get_weights()[: len(plain.weights)])
    head = keras.layers.Dense(data.outputs, activation=data.task.link.activation, dtype="float32", name="probabilities")
    model = keras.Model(plain.input, head(plain.output))
    centre, spread = data.scale
    kernel, bias = trained.get_layer("logits").get_weights()
    head.set_weights([kernel * spread, bias * spread + centre])
    return model
