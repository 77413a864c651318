"""A pretrained backbone trained further on the pixels, with a new head. Needs TensorFlow."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from podium import backbones, device
from podium.models.writing import for_any_size
from podium.networks import depthwise, training
from podium.networks.augmentation import Augmentation, Strengths
from podium.networks.data import Dataset
from podium.photos.pixels import Pixels
from podium.step import BadInput

CLIP = 1.0  # the most that the gradient of one weight tensor may measure

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
    settings = training.Schedule(**schedule, clip=CLIP)
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
    """Logits of photos of any size; what is `frozen` does not train.

    Nor does a batch norm that could not be folded away: its statistics of few photos would be worse than its own.
    """
    network = depthwise.with_fast_gradients(pretrained)
    for layer in network.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    able = [layer for layer in network.layers if layer.trainable_weights]
    for layer in able[: _depth([layer.name for layer in able], frozen, network.name)]:
        layer.trainable = False
    features = keras.layers.Dropout(dropout)(network.output)
    return keras.Model(network.input, keras.layers.Dense(count, dtype="float32", name="logits")(features))


def _depth(layers: list[str], frozen: float | str, backbone: str) -> int:
    """How many of the layers of these names stay as they are; raises BadInput for no such stage and for all layers."""
    if isinstance(frozen, str):
        stage = re.compile(rf"{re.escape(frozen)}(?!\d)")  # `block1` is not `block10`
        depth = max((place for place, name in enumerate(layers, 1) if stage.match(name)), default=0)
        if not depth:
            stages = dict.fromkeys(re.sub(r"(?<=\d)(?!\d).*", "", name) for name in layers)
            raise BadInput(f"finetune.frozen: {backbone} has no stage '{frozen}' (there are: {', '.join(stages)})")
    else:
        depth = round(frozen * len(layers))
    if depth >= len(layers):
        left = f"leaves none of {backbone}'s {len(layers)} layers to train"
        raise BadInput(f"finetune.frozen: {frozen} {left}; a head alone is what the network 'head' fits")
    return depth


def _finished(trained: keras.Model, plain: keras.Model, data: Dataset) -> keras.Model:
    """The trained weights in the network as it was built, without our layers, which gives probabilities."""
    plain.set_weights(trained.get_weights()[: len(plain.weights)])
    head = keras.layers.Dense(data.outputs, activation=data.task.link.activation, dtype="float32", name="probabilities")
    model = keras.Model(plain.input, head(plain.output))
    centre, spread = data.scale
    kernel, bias = trained.get_layer("logits").get_weights()
    head.set_weights([kernel * spread, bias * spread + centre])
    return model
