"""The networks of keras.applications: with ImageNet weights from Keras's cache or server, from a file, or random ones.

Source: https://keras.io/api/applications, which names the paper of each. Random weights are for timing, for tests and
for training from scratch; they are the same each time. Needs TensorFlow.
"""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np

from podium.backbones import pixels
from podium.backbones.families import KERAS
from podium.backbones.folding import fold
from podium.step import BadInput

# Means and deviations of ImageNet's red, green and blue, as in `preprocess_input`.
CAFFE_MEANS = [123.68, 116.779, 103.939]
TORCH_MEANS, TORCH_DEVIATIONS = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def build(name: str, weights: str, *, policy: str, sides: Collection[int], top: bool) -> keras.Model:
    """Pixels float or uint8 [n, h, w, 3] in 0..255 -> the mean of the last features, float32 [n, features].

    Batch norm is folded into convolutions where possible. With `top`, logits [n, 1000] instead. Raises BadInput if the
    weights cannot be downloaded or do not fit.
    """
    size, least = KERAS[name].size, KERAS[name].least
    x = inputs = pixels([size] if top else sides)
    if least is None or min(sides, default=least) < least:
        x = keras.layers.Resizing(size, size, dtype="float32", name="resize")(x)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)  # keras.applications has no other way to set it
    try:
        made = _application(name, weights, _scaled(x, KERAS[name].scaling), top)
    finally:
        keras.config.set_dtype_policy(before)
    if weights == "none":
        _draw(made)
    elif weights != "imagenet":
        _load(made, Path(weights), name)
    return fold(keras.Model(inputs, made.output if top else _averaged(made.output), name=name))


def _scaled(x: Any, scaling: str | None) -> Any:
    """The family's `preprocess_input`, as layers."""
    if scaling is None:
        return x
    if scaling == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="normalise")(x)
    means, deviations = (CAFFE_MEANS, np.ones(3)) if scaling == "caffe" else (TORCH_MEANS, TORCH_DEVIATIONS)
    x = keras.layers.Normalization(mean=means, variance=np.square(deviations), dtype="float32", name="normalise")(x)
    return keras.ops.flip(x, axis=-1) if scaling == "caffe" else x  # Caffe reads blue, green, red


def _application(name: str, weights: str, x: Any, top: bool) -> keras.Model:
    """Keras's network applied to `x`, with its ImageNet weights or with random ones."""
    # ConvNeXt normalises after averaging; the features of the others are averaged here, in float32.
    ending = {"classifier_activation": None} if top else {"pooling": "avg" if name.startswith("convnext") else None}
    given = weights if weights == "imagenet" else None
    make = getattr(keras.applications, KERAS[name].function)
    try:
        return make(include_top=top, weights=given, input_tensor=x, **ending)
    except Exception as error:  # raised by Keras if it cannot download
        if "URL fetch failure" not in str(error):
            raise
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
        raise BadInput(f"{name}: its imagenet weights are not in {cache} and cannot be downloaded: {error}") from None


def _averaged(features: Any) -> Any:
    if len(features.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(dtype="float32", name="embedding")(features)
    return keras.layers.Activation("linear", dtype="float32", name="embedding")(features)


def _draw(network: keras.Model) -> None:
    """Draws each kernel from its own seed, so that the random state of a training is not changed."""
    for number, weight in enumerate(network.weights):
        if len(weight.shape) > 1:
            weight.assign(keras.initializers.GlorotUniform(seed=number)(weight.shape))


def _load(network: keras.Model, path: Path, name: str) -> None:
    """Reads a `.h5`, `.weights.h5` or `.keras` file of this network's weights."""
    try:
        network.load_weights(path)
    except Exception as error:  # Keras and h5py raise various errors if shapes, names or bytes differ
        why = " ".join(str(error).split())
        raise BadInput(f"{path}: does not contain the weights of {name}: {why}") from None
