"""Folds batch norms into the convolutions before them: the same outputs with fewer operations. Needs TensorFlow."""

from collections import Counter
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


def fold(network: keras.Model) -> keras.Model:
    """A copy with the same outputs up to rounding, without each batch norm that is a linear convolution's only reader.

    Other batch norms, such as those before an activation and a convolution, stay. With fixed mean and variance, a batch
    norm only scales and shifts each channel, which the convolution's kernel and bias can do as well.
    """
    norms = _foldable(network)
    gone = {norm.name for norm in norms.values()}

    def copy(layer: keras.Operation) -> keras.Operation:
        biased = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config({**layer.get_config(), **biased})

    def call(layer: keras.Operation, *arguments: Any, **options: Any) -> Any:
        return arguments[0] if layer.name in gone else layer(*arguments, **options)

    folded = keras.models.clone_model(network, clone_function=copy, call_function=call)
    for old in network.layers:
        if old.weights and old.name not in gone:
            weights = _weights(old, norms[old.name]) if old.name in norms else old.get_weights()
            folded.get_layer(old.name).set_weights(weights)
    return folded


def _foldable(network: keras.Model) -> dict[str, keras.Layer]:
    """The batch norm after each convolution, by the convolution's name, if it alone reads the convolution's output."""
    read = [tensor for each in network.operations for tensor in keras.tree.flatten(each.input)]
    readers = Counter(id(tensor) for tensor in [*read, *network.outputs])
    once = [layer for layer in network.layers if len(layer._inbound_nodes) == 1]  # the others are applied repeatedly
    linear = {
        id(layer.output): layer.name
        for layer in once
        if isinstance(layer, CONVOLUTIONS) and layer.activation is keras.activations.linear
    }
    norms = [layer for layer in once if isinstance(layer, keras.layers.BatchNormalization)]
    return {linear[id(norm.input)]: norm for norm in norms if id(norm.input) in linear and readers[id(norm.input)] == 1}


def _weights(convolution: keras.Layer, norm: keras.Layer) -> list[NDArray[np.float32]]:
    """The convolution's weights with the norm folded in, the bias last."""
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    scale = (np.asarray(norm.gamma) if norm.scale else 1) / np.sqrt(variance + norm.epsilon)
    weights = convolution.get_weights()
    bias = weights.pop() if convolution.use_bias else 0
    kernel = weights.pop()  # of a separable convolution, the pointwise kernel, which is the last
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    kernel = kernel * (scale.reshape(kernel.shape[-2:]) if depthwise else scale)
    return [*weights, kernel, (bias - mean) * scale + (np.asarray(norm.beta) if norm.center else 0)]
