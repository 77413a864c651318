"""Gradients put together by hand, against Keras's own layer in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from podium import backbones
from podium.networks import depthwise

TOLERANCE = {"float32": 1e-4, "mixed_bfloat16": 2e-2}  # of the largest number; bfloat16 has eight bits


def gradients(layer: keras.Layer, photos: np.ndarray, upstream: np.ndarray) -> dict[str, np.ndarray]:
    """The layer's answer, and how a weighted sum of it changes with what went in."""
    inputs = tf.constant(photos)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        answer = layer(inputs)
        total = tf.reduce_sum(tf.cast(answer, tf.float32) * upstream)
    wanted = [inputs, layer.kernel.value, layer.bias.value]
    found = zip(("inputs", "kernel", "bias"), tape.gradient(total, wanted), strict=True)
    return {"answer": answer.numpy().astype(np.float32), **{name: each.numpy() for name, each in found}}


@pytest.mark.parametrize("policy", TOLERANCE)
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("sides", [(12, 12), (13, 9), (8, 11), (3, 2), (1, 1)])
def test_the_layer_and_its_gradients_are_keras_s(policy: str, kernel: int, stride: int, sides: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    # Numbers that bfloat16 has too, so that only what is computed may differ.
    photos = random.integers(-8, 9, (3, *sides, 6)).astype(np.float32) / 4
    settings = {"kernel_size": kernel, "strides": stride, "padding": "same"}
    ours = depthwise.DepthwiseConv2D(**settings, dtype=policy)
    exact = keras.layers.DepthwiseConv2D(**settings, dtype="float32")
    for layer in (ours, exact):
        layer.build(photos.shape)
        random = np.random.default_rng(1)
        layer.set_weights([random.integers(-8, 9, each.shape) / 8 for each in layer.get_weights()])
    upstream = np.random.default_rng(2).integers(-8, 9, exact(photos).shape).astype(np.float32) / 8
    found, expected = gradients(ours, photos, upstream), gradients(exact, photos, upstream)
    for name, each in expected.items():
        assert found[name].shape == each.shape
        assert np.abs(found[name] - each).max() <= TOLERANCE[policy] * max(np.abs(each).max(), 1), name


def test_gradients_are_the_same_inside_a_graph_whose_sides_are_not_known() -> None:
    layer = depthwise.DepthwiseConv2D(5, strides=2, padding="same", dtype="float32")
    photos = np.random.default_rng(0).normal(size=(2, 11, 14, 4)).astype(np.float32)
    layer.build((None, None, None, 4))
    upstream = np.random.default_rng(1).normal(size=layer(photos).shape).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 4]), tf.TensorSpec([None, None, None, 4])])
    def graph(inputs: tf.Tensor, upstream: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(layer(inputs) * upstream)
        return tape.gradient(total, [inputs, layer.kernel.value, layer.bias.value])

    expected = gradients(layer, photos, upstream)
    for name, found in zip(("inputs", "kernel", "bias"), graph(photos, upstream), strict=True):
        np.testing.assert_allclose(found, expected[name], atol=1e-4)


OTHERS = [
    {"kernel_size": 7},
    {"kernel_size": (3, 5)},
    {"kernel_size": 3, "padding": "valid"},
    {"kernel_size": 3, "use_bias": False},
    {"kernel_size": 3, "depth_multiplier": 2},
    {"kernel_size": 3, "dilation_rate": 2},
    {"kernel_size": 3, "activation": "relu"},
]


@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_layers_that_ours_cannot_stand_in_for_stay(settings: dict[str, object]) -> None:
    inputs = keras.Input((12, 12, 4))
    x = keras.layers.DepthwiseConv2D(3, padding="same", dtype="mixed_bfloat16", name="slow")(inputs)
    other = keras.layers.DepthwiseConv2D(**{"padding": "same"} | settings, dtype="mixed_bfloat16", name="other")(x)
    fast = depthwise.with_fast_gradients(keras.Model(inputs, other))
    assert type(fast.get_layer("other")) is keras.layers.DepthwiseConv2D
    assert (type(fast.get_layer("slow")) is depthwise.DepthwiseConv2D) != bool(depthwise.device.gpus())


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_network_with_fast_gradients_keeps_its_weights_and_its_answers(policy: str) -> None:
    network = backbones.build("efficientnet_lite0", policy=policy)
    fast = depthwise.with_fast_gradients(network)
    swapped = sum(type(layer) is depthwise.DepthwiseConv2D for layer in fast.layers)
    depthwise_layers = sum(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in network.layers)
    assert depthwise_layers == 16
    assert swapped == (0 if policy == "float32" or depthwise.device.gpus() else 16)
    for ours, theirs in zip(fast.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    photos = np.random.default_rng(0).integers(0, 256, (2, 49, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(fast(photos), network(photos), atol=1e-5)
